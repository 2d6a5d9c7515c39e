"""The trainer: builds, measures, trains and validates R replicas together. It writes checkpoints only."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras

from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.training.config import Plan
from rnnexp.training.phases import PhaseRun, ends
from rnnexp.training.replica import Observer, Replica, Result
from rnnexp.training.replicated_model import ReplicatedCallback, ReplicatedModel, replicated_data


class Member(NamedTuple):
    """One of R replicas to train: its plan, the path of its checkpoint, the observer of its results."""

    plan: Plan
    state: Path
    observer: Observer


class Trainer:
    """Trains R replicas of one configuration, each with a seed of its own; R = 1 is the usual run.

    The numbers of a replica do not depend on R. The constructor sets the global seeds and clears the Keras
    session: one trainer at a time.

    Args:
        members: R of them, at least one; their plans differ in the seed only.
        interruption: Where signals arrive.
        on_return: Called at every return to Python, after the observers of all members.

    Attributes:
        replicas: The networks with their results so far, also after a signal.
    """

    def __init__(
        self,
        members: Sequence[Member],
        interruption: Interruption,
        on_return: Callable[[], None] = lambda: None,
    ):
        keras.backend.clear_session()
        self._interruption = interruption
        self._on_return = on_return
        self._plan = members[0].plan
        self.replicas = [Replica(*member) for member in members]
        self._model = ReplicatedModel([replica.model for replica in self.replicas])

    def run(self, resume: Sequence[bool]) -> list[Result]:
        """Train each to the end of its plan, or until it diverges or has solved its task (`Plan.stop`).

        Replicas with older checkpoints catch up before the others continue.

        Args:
            resume: Of each, whether to go on from its checkpoint.

        Raises:
            Killed: A signal came. If the plan has checkpoints, each replica has saved one of its last step.
            FileNotFoundError: There is no checkpoint to resume from.
            ArgumentError: A checkpoint is damaged or of another network.
        """
        for replica, resumed in zip(self.replicas, resume, strict=True):
            replica.begin(resumed)
        try:
            for episode, stop in enumerate(ends(self._plan.phase.every, self._plan.train_steps), start=1):
                self._take_episodes(episode)
                self._train(stop)
            for replica in self.replicas:
                replica.finish()
        except Killed:
            with self._interruption.deferred():
                for replica in self.replicas:
                    replica.save()
            raise
        return [replica.result() for replica in self.replicas]

    def _take_episodes(self, count: int) -> None:
        """Bring the phase of each replica that has not ended to `count` episodes, one replica at a time."""
        for replica in self.replicas:
            while replica.phase is not None and replica.phase.episodes < count and not replica.ended:
                self._take_update(replica, replica.phase, count)
                self._interruption.check()

    def _take_update(self, replica: Replica, phase: PhaseRun, count: int) -> None:
        """Take one update of the phase, with a checkpoint at the interval of those of the task."""
        every = self._plan.checkpoint_every
        with self._interruption.deferred():
            phase.step()
            if phase.episodes == count:
                replica.model.bound.restart()
            if every > 0 and phase.steps_taken % every == 0:
                replica.save()

    def _train(self, stop: int) -> None:
        """Train all replicas that have not ended up to step `stop`, those furthest behind first."""
        while True:
            taken = {
                place: replica.steps_taken
                for place, replica in enumerate(self.replicas)
                if not replica.ended and replica.steps_taken < stop
            }
            if not taken:
                return
            start = min(taken.values())
            until = min((steps for steps in taken.values() if steps > start), default=stop)
            self._fit([place for place, steps in taken.items() if steps == start], start, until)

    def _fit(self, places: Sequence[int], start: int, stop: int) -> None:
        """Train those at `places` from step `start` to `stop`; the others are held."""
        for place in range(len(self.replicas)):
            (self._model.release if place in places else self._model.hold)(place)
        plan, callbacks = self._plan, [replica.callback for replica in self.replicas]
        seeds = [replica.plan.seed for replica in self.replicas]
        execution = plan.steps_per_execution
        source = plan.task if plan.lengths is None else plan.lengths
        data = replicated_data(source, seeds, plan.batch_size, start, stop, plan.dtype, execution)
        callback = ReplicatedCallback(self._model, callbacks, self._returned)
        try:
            # A signal is handled at the next return to Python.
            with self._interruption.deferred():
                self._model.fit(data, verbose=0, shuffle=False, callbacks=[callback])
            self._interruption.check()  # one may have come after the last return
        finally:
            for each in callbacks:
                each.read()
            self._on_return()

    def _returned(self) -> None:
        self._on_return()
        self._interruption.check()
