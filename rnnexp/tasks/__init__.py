"""Tasks: batches of sequences, a loss, an error criterion and an analytic floor. NumPy only."""

from rnnexp.tasks.adding import Adding
from rnnexp.tasks.characters import Characters
from rnnexp.tasks.copying import Copying
from rnnexp.tasks.digits import Digits
from rnnexp.tasks.task import Batch, Task
from rnnexp.tasks.temporal_order import TemporalOrder

CATALOGUE: dict[str, type[Task]] = {
    "adding": Adding,
    "copying": Copying,
    "temporal_order": TemporalOrder,
    "digits": Digits,
    "characters": Characters,
}
"""Every task by its name in the configuration."""

__all__ = ["CATALOGUE", "Adding", "Batch", "Characters", "Copying", "Digits", "Task", "TemporalOrder"]
