"""One run: build, measure, train, validate. Nothing is written here but the checkpoint."""

from pathlib import Path

import keras
import tensorflow as tf

from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.training.config import Plan
from rnnexp.training.data import training_data
from rnnexp.training.replica import Observer, Result, Subject


class Trial:
    """Runs a plan.

    The constructor sets the global seeds and clears the Keras session: one trial at a time.

    Args:
        plan: What to do.
        state: The file of the checkpoint, which lies there or will.
        observer: Who is told.
        interruption: Where signals arrive.

    Attributes:
        subject: The network under trial, and what was found of it so far, also after a signal.
    """

    def __init__(self, plan: Plan, state: Path, observer: Observer, interruption: Interruption):
        keras.backend.clear_session()
        self._plan = plan
        self._interruption = interruption
        self.subject = Subject(plan, state, observer, interruption.check)

    def run(self, resume: bool) -> Result:
        """Train to the end of the plan, or until it diverges.

        Args:
            resume: Whether to go on from the checkpoint.

        Raises:
            Killed: A signal came. Where the plan has checkpoints, there is one of the last step taken, or of
                the last step but one where only the final validation was missing.
            FileNotFoundError: There is no checkpoint to go on from.
            ArgumentError: The checkpoint is damaged or of another network.
        """
        self.subject.begin(resume)
        try:
            self._train(self._plan.steps - 1)
            self.subject.last_look()
            self._train(self._plan.steps)
            self.subject.last_validation()
        except Killed:
            with self._interruption.deferred():
                self.subject.save()
            raise
        return self.subject.result()

    def _train(self, stop: int) -> None:
        """Train up to step `stop`, unless the run has diverged or is there already."""
        plan, subject, start = self._plan, self.subject, self.subject.steps_taken
        if stop <= start or subject.diverged:
            return
        execution = plan.steps_per_execution
        data = training_data(plan.task, plan.seed, plan.batch_size, start, stop, plan.dtype, execution)
        try:
            fit(subject.model, data, subject.steering, self._interruption)
        finally:
            subject.steering.read()


def fit(
    model: keras.Model,
    data: tf.data.Dataset,
    callback: keras.callbacks.Callback,
    interruption: Interruption,
) -> None:
    """Train on all of `data`; signals wait for the next return to Python, where `callback` checks.

    Raises:
        Killed: A signal came.
    """
    with interruption.deferred():
        model.fit(data, verbose=0, shuffle=False, callbacks=[callback])
    # A signal may have come after the last return to Python.
    interruption.check()
