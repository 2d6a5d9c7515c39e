"""Tasks: batches of sequences, a loss, an error criterion and an analytic floor. NumPy only.

A new task is a subclass of `Task` in a file here, a row of `CATALOGUE` below, and conf/task/<name>.yaml.
"""

from rnnexp.tasks.adding import Adding
from rnnexp.tasks.characters import Characters
from rnnexp.tasks.connected import Connected
from rnnexp.tasks.copying import Copying
from rnnexp.tasks.delayed_xor import DelayedXor
from rnnexp.tasks.digits import Digits
from rnnexp.tasks.latch import Latch
from rnnexp.tasks.lengths import Lengths
from rnnexp.tasks.narma10 import Narma10
from rnnexp.tasks.parity import Parity
from rnnexp.tasks.recall_real import RecallReal
from rnnexp.tasks.series import Series
from rnnexp.tasks.task import Batch, Task
from rnnexp.tasks.temporal_order import TemporalOrder
from rnnexp.tasks.words import Words

CATALOGUE: dict[str, type[Task]] = {
    "adding": Adding,
    "copying": Copying,
    "temporal_order": TemporalOrder,
    "digits": Digits,
    "characters": Characters,
    "latch": Latch,
    "parity": Parity,
    "delayed_xor": DelayedXor,
    "recall_real": RecallReal,
    "narma10": Narma10,
    "connected": Connected,
    "series": Series,
    "words": Words,
}
"""Every task by its name in the configuration."""

__all__ = [
    "CATALOGUE",
    "Adding",
    "Batch",
    "Characters",
    "Connected",
    "Copying",
    "DelayedXor",
    "Digits",
    "Latch",
    "Lengths",
    "Narma10",
    "Parity",
    "RecallReal",
    "Series",
    "Task",
    "TemporalOrder",
    "Words",
]
