"""What happens between training steps: read the record, measure, validate, save a checkpoint, stop."""

import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from rnnexp.training.model import RecordingModel
from rnnexp.training.record import SKIPPED, History, Recorded

Event = tuple[int, Callable[[int], None]]
"""The training steps between two calls, 0: none, and what is called, with the number of updates taken.

The call comes at the first return to Python from then on; there is one every `steps_per_execution` steps.
"""


class RecordingCallback(keras.callbacks.Callback):
    """Keeps the record of a run complete, calls what is due, and ends training early.

    Args:
        recorded: The model under training.
        execution: Steps between returns to Python.
        record_every: Steps between two whose profile goes into the record, exactly; at least 1.
        on_block: Called with the record of consecutive steps.
        events: What is called between steps, in this order, until a divergence or until one calls `stop`.
        history: The history of the steps before, for a run that resumes.
    """

    def __init__(
        self,
        recorded: RecordingModel,
        execution: int,
        record_every: int,
        on_block: Callable[[Recorded], None],
        events: Sequence[Event],
        history: History | None = None,
    ):
        super().__init__()
        before = History.empty(recorded.time_steps, recorded.recorded_layers) if history is None else history
        self._recorded = recorded
        self._execution = execution
        self._record_every = record_every
        self._on_block = on_block
        self._events = events
        self._read_until = recorded.steps_taken
        self._step_before = recorded.steps_taken
        self._started = 0.0
        self._kept = [before.kept]
        self._clipped = before.clipped
        self._seconds = before.seconds
        self._diverged_at = before.diverged_at
        self._stopped = False

    @property
    def diverged_at(self) -> int | None:
        """The first training step with a non-finite loss or gradient, as far as the record was read, or None.

        A step whose gradient the clip skipped does not count: the weights stay finite.
        """
        return self._diverged_at

    @property
    def ended(self) -> bool:
        """Whether no further step is to be taken: it diverged, or was stopped."""
        return self._stopped or self._diverged_at is not None

    def stop(self) -> None:
        """Take no further step, and call no further hook."""
        self._stopped = True

    @property
    def history(self) -> History:
        """The history of all steps up to the last `read`."""
        self._kept = [Recorded.joined(self._kept)]
        return History(self._kept[0], self._clipped, self._seconds, self._diverged_at)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop the clock and do what is due."""
        # Reading the counter waits for the device, so the time includes all of its work.
        taken = self._recorded.steps_taken
        self._seconds += time.perf_counter() - self._started
        due = self._due(taken)
        if due or taken + self._execution - self._read_until > self._recorded.rows:
            self.read()
        for hook in due:
            if not self.ended:
                hook(taken)
        if self.ended:
            self._recorded.stop_training = True
        self._step_before = taken

    def read(self) -> None:
        """Read from the device what was recorded since the last call."""
        block = self._recorded.read(self._read_until)
        self._read_until += len(block.train_steps)
        if len(block.train_steps) == 0 or self._diverged_at is not None:
            return
        self._diverged_at = _first_non_finite(block)
        if self._diverged_at is not None:
            block = block.where(block.train_steps <= self._diverged_at)
        self._clipped += int(np.count_nonzero(block.series("clipped")))
        self._kept.append(block.every(self._record_every))
        self._on_block(block)

    def _due(self, taken: int) -> list[Callable[[int], None]]:
        """Return what is to be called since the last return."""
        before = self._step_before
        return [hook for every, hook in self._events if every > 0 and taken // every > before // every]


def _first_non_finite(block: Recorded) -> int | None:
    finite = np.isfinite(block.series("loss")) & np.isfinite(block.series("global_norm"))
    harmless = finite | (block.series("clipped") == SKIPPED)
    return None if harmless.all() else int(block.train_steps[harmless.argmin()])
