"""What a person at a terminal, or the reader of a log, sees of a run."""

from rnnexp.console.live import Progress, progress
from rnnexp.console.summary import Summary, print_summary

__all__ = ["Progress", "Summary", "print_summary", "progress"]
