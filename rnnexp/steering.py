"""What happens between training steps: read the record, look, validate, save, stop."""

import dataclasses
import functools
import time
from collections.abc import Callable

import keras
import numpy as np

from rnnexp.training import Recorded, RecordingModel


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Training steps between two of a kind; 0 is never.

    Each is rounded up to the next return to Python, `steps_per_execution` steps.
    """

    record: int
    probe: int
    validation: int
    checkpoint: int


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What is called between steps, with the number of updates taken; `on_block` with what they recorded."""

    on_block: Callable[[Recorded], None]
    on_probe: Callable[[int], None]
    on_validation: Callable[[int], None]
    on_checkpoint: Callable[[int], None]
    on_return: Callable[[], None]


@dataclasses.dataclass(frozen=True)
class History:
    """What the steps of a run left behind.

    Attributes:
        kept: The record, every `Intervals.record` steps.
        clipped: Updates that were clipped.
        seconds: Training time, without the hooks.
    """

    kept: Recorded
    clipped: int
    seconds: float

    @classmethod
    def empty(cls, time_steps: int) -> "History":
        """Return the history of a run that has not begun, for T = `time_steps`."""
        return cls(Recorded.empty(time_steps), 0, 0.0)


class Steering(keras.callbacks.Callback):
    """Keeps the record of a run complete and calls the hooks when they are due.

    Args:
        recorded: The model under training.
        execution: Steps between returns to Python.
        intervals: When the hooks are due.
        hooks: What is called.

        history: What is known of the steps before, of a run that goes on.

    Attributes:
        diverged_at: The first training step with a non-finite loss or gradient, or None.
    """

    def __init__(
        self,
        recorded: RecordingModel,
        execution: int,
        intervals: Intervals,
        hooks: Hooks,
        history: History | None = None,
    ):
        super().__init__()
        self._recorded = recorded
        self._execution = execution
        self._intervals = intervals
        self._hooks = hooks
        self._read_until = recorded.steps_taken
        self._step_before = recorded.steps_taken
        self._started = 0.0
        self._before = History.empty(recorded.time_steps) if history is None else history
        self._blocks: list[Recorded] = []
        self._clipped = 0
        self._seconds = 0.0
        self.diverged_at: int | None = None

    @property
    def history(self) -> History:
        """What is known of all steps up to the last `read`."""
        kept = functools.reduce(Recorded.followed_by, self._blocks, self._before.kept)
        return History(kept, self._before.clipped + self._clipped, self._before.seconds + self._seconds)

    def on_train_batch_begin(self, batch, logs=None):
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Stop the clock and do what is due."""
        # The step counter comes from the device, so the clock includes the work that was still under way.
        taken = self._recorded.steps_taken
        self._seconds += time.perf_counter() - self._started
        due = [every for every in dataclasses.astuple(self._intervals)[1:] if self._due(every, taken)]
        if due or taken + self._execution - self._read_until > self._recorded.rows:
            self.read()
        if self.diverged_at is not None:
            self._recorded.stop_training = True
        else:
            self._call_due(taken)
        self._step_before = taken
        self._hooks.on_return()

    def read(self) -> None:
        """Take what the device has recorded since the last time."""
        block = self._recorded.read(self._read_until)
        if len(block.steps) == 0:
            return
        self._read_until = self._recorded.steps_taken
        self._clipped += int(block.series("clipped").sum())
        bad = ~np.isfinite(block.series("loss")) | ~np.isfinite(block.series("global_norm"))
        if self.diverged_at is None and bad.any():
            self.diverged_at = int(block.steps[bad.argmax()])
        self._blocks.append(block.every(self._intervals.record))
        self._hooks.on_block(block)

    def _call_due(self, taken: int) -> None:
        intervals, hooks = self._intervals, self._hooks
        if self._due(intervals.validation, taken):
            hooks.on_validation(taken)
        if self._due(intervals.probe, taken):
            hooks.on_probe(taken)
        if self._due(intervals.checkpoint, taken):
            hooks.on_checkpoint(taken)

    def _due(self, every: int, taken: int) -> bool:
        return every > 0 and taken // every > self._step_before // every
