"""What a person at a terminal, or the reader of a log, sees of a run."""

from rnnexp.console.live import Progress, progress
from rnnexp.console.medians import Medians
from rnnexp.console.side_by_side import Line, SideBySide, print_side_by_side
from rnnexp.console.summary import Summary, print_summary

__all__ = [
    "Line",
    "Medians",
    "Progress",
    "SideBySide",
    "Summary",
    "print_side_by_side",
    "print_summary",
    "progress",
]
