"""Phases of training beside that of the task, each with its own objective.

    episode, task up to step K, episode, task up to step 2 K, ..., task up to the last step

An episode is a number of updates of the phase. Without K there is one, before the task; without a phase the
run trains on the task alone. Importing this module does not import TensorFlow.
"""

import abc
import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from rnnexp.nn.cells.spec import CellSpec
from rnnexp.optim.optimizers import Adam, Optimizer
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.deferred import keras, tf
from rnnexp.tasks import Task


class Objective(Protocol):
    """What a phase minimises."""

    def loss(self, x: "tf.Tensor") -> "tf.Tensor":
        """Return a differentiable scalar of the network's weights.

        Args:
            x: Inputs of the task, (B, T, F).
        """

    def metrics(self, x: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Return numbers that are recorded before and after an episode.

        They are `phase/NAME_before` and `phase/NAME_after` of the first episode, and where there are several
        `phase/NAME_before_last` and `phase/NAME_after_last` of the last.
        """


class Phase(NamedTuple):
    """A phase of training.

    Attributes:
        objective: What is minimised; it refers to a built network.
        optimizer: The update rule; its state is the phase's own, and lasts from one episode to the next.
        stop: Number of updates of an episode, at least 1.
    """

    objective: Objective
    optimizer: Optimizer
    stop: int


class PhaseSpec(abc.ABC):
    """The arguments of a phase beside the task, checked without TensorFlow.

    Attributes:
        every: Training steps from one episode to the next; None: a single one, before the task.
    """

    every: int | None = None

    def check_steps(self, train_steps: int) -> None:
        """Check that a further episode comes before the last training step, where some are asked for.

        Raises:
            ArgumentError: There would be none.
        """
        if self.every is not None and 0 < train_steps <= self.every:
            raise ArgumentError("phase.every", f"under {train_steps}, the steps", self.every)

    def check(self, task: Task, cell: CellSpec, units: int) -> None:
        """Check that the phase fits the run.

        Raises:
            ArgumentError: It does not.
        """
        return

    @abc.abstractmethod
    def build(self, network: "keras.Model") -> Phase | None:
        """Return the phase for a network of `rnnexp.nn.network.build_network`, or None for no phase."""


@dataclasses.dataclass(frozen=True)
class NoPhase(PhaseSpec):
    """No phase: training on the task starts with the first update."""

    def build(self, network: "keras.Model") -> Phase | None:
        """Return None."""
        return None


@dataclasses.dataclass(frozen=True)
class Flossing(PhaseSpec):
    """Gradient flossing: L = 1/k sum_i (lambda_i - target)^2 of the k largest Lyapunov exponents.

    The exponents are those along the trajectories that the task's inputs drive; `rnnexp.training.flossing`
    differentiates them. Adam trains kernel, recurrent kernel and bias; the readout stays as it is.

    Args:
        exponents: k, at most H.
        target: Nats per step.
        time_steps: How many steps of a sequence to use, from the first on, 2 to T; None: all T.
        steps: Updates of an episode.
        learning_rate: Of Adam.
        every: Training steps from one episode to the next; None: a single one, before the task.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Engelken 2023, https://arxiv.org/abs/2312.17306.
    """

    exponents: int = 4
    target: float = 0.0
    time_steps: int | None = None
    steps: int = 50
    learning_rate: float = 1e-3
    every: int | None = None

    def __post_init__(self) -> None:
        checks.integer("exponents", self.exponents, minimum=1)
        checks.finite("target", self.target)
        if self.time_steps is not None:
            checks.integer("time_steps", self.time_steps, minimum=2)
        checks.integer("steps", self.steps, minimum=1)
        checks.positive("learning_rate", self.learning_rate)
        if self.every is not None:
            checks.integer("every", self.every, minimum=1)

    def check(self, task: Task, cell: CellSpec, units: int) -> None:
        """Check k against H and the time steps against T; the cell must be an Elman cell on the scan."""
        if not cell.scanned:
            raise ArgumentError(
                "cell", "elman, whose exponents phase=flossing differentiates", type(cell).__name__
            )
        if self.exponents > units:
            raise ArgumentError("phase.exponents", f"at most {units}, the units", self.exponents)
        if self.time_steps is not None and self.time_steps > task.time_steps:
            raise ArgumentError(
                "phase.time_steps", f"at most {task.time_steps}, the sequence", self.time_steps
            )

    def build(self, network: "keras.Model") -> Phase:
        """Return the phase."""
        from rnnexp.training.flossing import Exponents

        objective = Exponents(network, self.exponents, float(self.target), self.time_steps)
        return Phase(objective, Adam(learning_rate=self.learning_rate), self.steps)


CATALOGUE: dict[str, type[PhaseSpec]] = {"none": NoPhase, "flossing": Flossing}
"""The phases by their names in the configuration."""


def ends(every: int | None, train_steps: int) -> Iterator[int]:
    """Yield the training step at which each stretch of the task ends; an episode stands before each of them.

    >>> list(ends(4, 10)), list(ends(5, 10)), list(ends(None, 10)), list(ends(4, 0))
    ([4, 8, 10], [5, 10], [10], [])
    """
    if train_steps > 0:
        yield from range(every or train_steps, train_steps, every or train_steps)
        yield train_steps


class PhaseRun:
    """A phase that is running: takes its updates one by one, and saves and restores its state.

    Update n of the run, counted over all episodes, sees batch n of the training stream.

    Args:
        phase: The phase.
        network: The network that it trains.
        task: The task whose training stream gives the inputs.
        seed: Of that stream.
        batch_size: B.

    Raises:
        ArgumentError: An episode has no updates.

    Attributes:
        steps_taken: Updates, of all episodes.
    """

    def __init__(self, phase: Phase, network: "keras.Model", task: Task, seed: int, batch_size: int):
        checks.integer("phase.stop", phase.stop, minimum=1)
        self.steps_taken = 0
        self._phase = phase
        self._network = network
        self._batch = lambda index: tf.constant(
            task.batch(seed, "train", index, batch_size).x, network.inputs[0].dtype
        )
        self._optimizer = phase.optimizer.build()
        self._optimizer.build(network.trainable_variables)
        self._metrics: dict[str, float] = {}
        self._update = tf.function(self._take, autograph=False)
        self._measure = tf.function(phase.objective.metrics, autograph=False)

    @property
    def episodes(self) -> int:
        """Episodes of which all updates were taken."""
        return self.steps_taken // self._phase.stop

    def step(self) -> None:
        """Take one update; the first and the last one of an episode also measure."""
        if self.steps_taken % self._phase.stop == 0:
            self._note("before", self.episodes)
        self._update(self._batch(self.steps_taken))
        self.steps_taken += 1
        if self.steps_taken % self._phase.stop == 0:
            self._note("after", self.episodes - 1)

    def metrics(self) -> dict[str, float]:
        """Return what was measured so far, by the names of metrics."""
        return dict(self._metrics)

    def state(self) -> dict[str, Any]:
        """Return the arrays that `restore` needs, by name; the weights are not among them."""
        variables = {f"variable_{i}": value.numpy() for i, value in enumerate(self._optimizer.variables)}
        return {"steps_taken": self.steps_taken, **variables, **self._metrics}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned; the caller restores the weights."""
        self.steps_taken = int(state["steps_taken"])
        for i, variable in enumerate(self._optimizer.variables):
            variable.assign(state[f"variable_{i}"])
        self._metrics = {name: float(value) for name, value in state.items() if name.startswith("phase/")}

    def _note(self, when: str, episode: int) -> None:
        """Measure, always on the same batch; of the episodes after the first one the last is kept."""
        found, place = self._measure(self._batch(0)), "" if episode == 0 else "_last"
        self._metrics |= {f"phase/{name}_{when}{place}": float(value) for name, value in found.items()}

    def _take(self, x: "tf.Tensor") -> None:
        weights = self._network.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._phase.objective.loss(x)
        gradients = tape.gradient(loss, weights)
        pairs = [pair for pair in zip(gradients, weights, strict=True) if pair[0] is not None]
        self._optimizer.apply_gradients(pairs)
