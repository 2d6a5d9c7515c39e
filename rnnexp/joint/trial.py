"""Several seeds of one configuration in one training. Nothing is written here but the checkpoints."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras

from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.training.config import Plan
from rnnexp.training.replica import Observer, Result, Subject
from rnnexp.training.replicated_model import JointSteering, ReplicatedModel, replicated_data
from rnnexp.training.trainer import fit


class Member(NamedTuple):
    """One of those that are trained together: its plan, the file of its checkpoint, and who is told of it."""

    plan: Plan
    state: Path
    observer: Observer


class JointTrial:
    """Runs the plans of several seeds together, each as `Trial` runs it alone.

    The constructor sets the global seeds and clears the Keras session: one trial at a time.

    Args:
        members: At least one; their plans differ in the seed only.
        interruption: Where signals arrive.
        on_return: Called when training has returned to Python and all members were told.

    Attributes:
        subjects: The networks under trial, and what was found of each so far, also after a signal.
    """

    def __init__(self, members: Sequence[Member], interruption: Interruption, on_return: Callable[[], None]):
        keras.backend.clear_session()
        self._interruption = interruption
        self._on_return = on_return
        self._plan = members[0].plan
        # Signals wait until all members were told: each of them has a callback of its own.
        self.subjects = [Subject(*member, on_return=lambda: None) for member in members]
        self._replicated = ReplicatedModel([subject.model for subject in self.subjects])

    def run(self, resume: Sequence[bool]) -> list[Result]:
        """Train all to the end of their plan, or until they diverge.

        Those behind, whose checkpoints are older, catch up before the others go on.

        Args:
            resume: Of each, whether to go on from its checkpoint.

        Raises:
            Killed: A signal came. Where the plan has checkpoints, there is one of each, of the last step
                taken, or of the last but one where only the final validation was missing.
            FileNotFoundError: There is no checkpoint to go on from.
            ArgumentError: A checkpoint is damaged or of another network.
        """
        for subject, resumed in zip(self.subjects, resume, strict=True):
            subject.begin(resumed)
        try:
            self._train(self._plan.steps - 1)
            for subject in self.subjects:
                subject.last_look()
            self._train(self._plan.steps)
            for subject in self.subjects:
                subject.last_validation()
        except Killed:
            with self._interruption.deferred():
                for subject in self.subjects:
                    subject.save()
            raise
        return [subject.result() for subject in self.subjects]

    def _train(self, stop: int) -> None:
        """Train all that have not diverged up to step `stop`, the hindmost first."""
        while True:
            taken = {
                place: subject.steps_taken
                for place, subject in enumerate(self.subjects)
                if not subject.diverged and subject.steps_taken < stop
            }
            if not taken:
                return
            start = min(taken.values())
            until = min((steps for steps in taken.values() if steps > start), default=stop)
            self._fit([place for place, steps in taken.items() if steps == start], start, until)

    def _fit(self, places: Sequence[int], start: int, stop: int) -> None:
        """Train those at `places` from step `start` to `stop`; the others are held."""
        for place in range(len(self.subjects)):
            (self._replicated.release if place in places else self._replicated.hold)(place)
        plan, steerings = self._plan, [subject.steering for subject in self.subjects]
        seeds = [subject.plan.seed for subject in self.subjects]
        execution = plan.steps_per_execution
        data = replicated_data(plan.task, seeds, plan.batch_size, start, stop, plan.dtype, execution)
        try:
            steering = JointSteering(self._replicated, steerings, self._returned)
            fit(self._replicated, data, steering, self._interruption)
        finally:
            for each in steerings:
                each.read()

    def _returned(self) -> None:
        self._on_return()
        self._interruption.check()
