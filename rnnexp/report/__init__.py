"""A sweep as one HTML file and four tables. `python -m rnnexp.report` writes them for the newest sweep."""

from rnnexp.report.html.write import Report, write_report

__all__ = ["Report", "write_report"]
