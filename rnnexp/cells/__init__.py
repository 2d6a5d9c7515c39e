"""One step of a recurrence, one file a cell."""

from rnnexp.cells.elman import ElmanCell

__all__ = ["ElmanCell"]
