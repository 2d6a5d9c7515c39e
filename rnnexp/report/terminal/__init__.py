"""What a person at a terminal, or the reader of a log, sees of a run."""

from rnnexp.report.terminal.medians import Medians
from rnnexp.report.terminal.progress import Progress, progress
from rnnexp.report.terminal.side_by_side import SideBySide, print_side_by_side
from rnnexp.report.terminal.summary import Summary
from rnnexp.report.terminal.summary_text import print_summary

__all__ = [
    "Medians",
    "Progress",
    "SideBySide",
    "Summary",
    "print_side_by_side",
    "print_summary",
    "progress",
]
