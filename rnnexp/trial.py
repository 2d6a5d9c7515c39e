"""One run: build, measure, train, validate. Nothing is written here but the checkpoint.

Every number of a run follows from its plan: weights and batches come from counters, a run that goes on has
the state of the run that was stopped, and looking at a network leaves no trace in it.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from rnnexp import checkpoint
from rnnexp.evaluation import Evaluator
from rnnexp.initializers import GlorotUniform
from rnnexp.measurement import Measurement, Probe
from rnnexp.network import build_network
from rnnexp.plan import Plan
from rnnexp.signals import Interruption, Killed
from rnnexp.spectra import SpectrumHistory
from rnnexp.steering import History, Hooks, Intervals, Steering
from rnnexp.training import Recorded, RecordingModel, training_data
from rnnexp.verdict import Validation

_BUFFER = 50  # steps: read back often enough for a lively display, seldom enough to cost nothing


@dataclasses.dataclass(frozen=True)
class Validated:
    """A validation after `step` updates."""

    step: int
    score: Validation


@dataclasses.dataclass(frozen=True)
class Observer:
    """Who is told while a run goes on.

    Attributes:
        on_block: Of consecutive training steps, up to the one that diverged.
        on_measurement: Of a look at the network. A run that goes on repeats the first one.
        on_validation: Of a validation.
        on_checkpoint: Before a checkpoint is written. A run that goes on from it does not tell again what was
            told until then, so that has to be kept by now.
    """

    on_block: Callable[[Recorded], None]
    on_measurement: Callable[[Measurement], None]
    on_validation: Callable[[Validated], None]
    on_checkpoint: Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes:
        start: The measurement before the first step.
        end: The measurement before the last step of the plan, at the weights whose gradient is the last one
            recorded. Of a run that diverged: at what is left of the weights. Of a run that was stopped: the
            last one before that.
        history: The record of the training steps.
        spectra: Of W_hh at every look.
        validations: In the order of steps; the last one is final, unless the run diverged or was stopped.
        diverged_at: The first step with a non-finite loss or gradient, or None.
        steps_taken: Updates. A run that diverged took a few more before that was noticed.
    """

    start: Measurement
    end: Measurement
    history: History
    spectra: SpectrumHistory
    validations: list[Validated]
    diverged_at: int | None
    steps_taken: int


class Trial:
    """Runs a plan.

    The constructor sets the global seeds and clears the Keras session: one trial at a time.

    Args:
        plan: What to do.
        state: The file of the checkpoint, which lies there or will.
        observer: Who is told.
        interruption: Where signals arrive.

    Attributes:
        network: The network under training, a plain Keras model.
    """

    def __init__(self, plan: Plan, state: Path, observer: Observer, interruption: Interruption):
        keras.backend.clear_session()
        keras.utils.set_random_seed(plan.seed)
        self._plan = plan
        self._state = state
        self._observer = observer
        self._interruption = interruption
        self.network = _network(plan, plan.dtype)
        self._model = _model(plan, self.network)
        self._probe = _probe(plan)
        # XLA takes 0.2 to 0.4 s to compile a forward pass. An Elman cell is then a quarter faster, less than
        # that over the validations of a usual run; a gated cell is twice as fast.
        validated_by_xla = plan.jit and plan.cell.gated
        self._evaluator = Evaluator(self.network, plan.task, plan.seed, validated_by_xla)
        self._validations: list[Validated] = []
        self._measurements: list[Measurement] = []
        self._spectra = SpectrumHistory.empty(plan.units)
        self._steering = self._steer(None)

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
        self._measure()
        if resume:
            self._load()
        try:
            self._go_on()
        except Killed:
            with self._interruption.deferred():
                self._save()
            raise
        return self.result()

    def _go_on(self) -> None:
        # The last look is before the last update, at the weights whose gradient is the last one recorded.
        self._train(self._plan.steps - 1)
        self._save()
        if self._measurements[-1].step != self.steps_taken:
            self._measure()
        self._train(self._plan.steps)
        if self._steering.diverged_at is None:
            self._validate(None)

    @property
    def measured(self) -> bool:
        """Whether there is a `result` yet."""
        return len(self._measurements) > 0

    def result(self) -> Result:
        """Return what was found so far, also after a signal.

        Raises:
            IndexError: Nothing was measured yet.
        """
        return Result(
            start=self._measurements[0],
            end=self._measurements[-1],
            history=self._steering.history,
            spectra=self._spectra,
            validations=list(self._validations),
            diverged_at=self._steering.diverged_at,
            steps_taken=self.steps_taken,
        )

    @property
    def steps_taken(self) -> int:
        """Updates since the start of the run."""
        return self._model.steps_taken

    def _train(self, stop: int) -> None:
        """Train up to step `stop`, unless the run has diverged or is there already."""
        plan, start = self._plan, self._model.steps_taken
        if stop <= start or self._steering.diverged_at is not None:
            return
        data = training_data(plan.task, plan.seed, plan.batch_size, start, stop, plan.dtype)
        try:
            with self._interruption.deferred():
                self._model.fit(
                    data, steps_per_epoch=stop - start, verbose=0, shuffle=False, callbacks=[self._steering]
                )
            # A signal may have come after the last return to Python.
            self._interruption.check()
        finally:
            self._steering.read()

    def _steer(self, history: History | None) -> Steering:
        plan = self._plan
        intervals = Intervals(
            plan.record_every, plan.probe_every, plan.validation_every, plan.checkpoint_every
        )
        hooks = Hooks(
            on_block=self._observer.on_block,
            on_probe=self._before_the_end(self._measure),
            on_validation=self._before_the_end(lambda: self._validate(plan.validation_sequences)),
            on_checkpoint=lambda step: self._save(),
            on_return=self._interruption.check,
        )
        return Steering(self._model, plan.steps_per_execution, intervals, hooks, history)

    def _before_the_end(self, look: Callable[[], None]) -> Callable[[int], None]:
        """After the last step only the final validation is left, so that `Result.end` is what it says."""
        return lambda step: look() if step < self._plan.steps else None

    def _measure(self) -> None:
        measurement = self._probe.measure(self.network.get_weights(), self._model.steps_taken)
        self._measurements.append(measurement)
        self._spectra = self._spectra.extended(measurement.step, measurement.spectrum)
        self._observer.on_measurement(measurement)

    def _validate(self, sequences: int | None) -> None:
        validated = Validated(self._model.steps_taken, self._evaluator.evaluate(sequences))
        self._validations.append(validated)
        self._observer.on_validation(validated)

    def _save(self) -> None:
        # After the last step it would be too late for the last look.
        if self._plan.checkpoint_every > 0 and self.steps_taken < self._plan.steps:
            self._steering.read()
            rows = [(v.step, *dataclasses.astuple(v.score)) for v in self._validations]
            columns = 1 + len(dataclasses.fields(Validation))
            validations = np.array(rows, np.float64).reshape(-1, columns)
            spectra = self._spectra.table()
            self._observer.on_checkpoint()
            checkpoint.save(self._state, self._model, self._steering.history, validations, spectra)

    def _load(self) -> None:
        history, validations, spectra = checkpoint.load(self._state, self._model)
        self._spectra = SpectrumHistory.from_table(spectra)
        self._validations = [
            Validated(int(step), Validation(loss, half_width, error, bool(enough)))
            for step, loss, half_width, error, enough in validations.tolist()
        ]
        self._steering = self._steer(history)


def _network(plan: Plan, dtype: str) -> keras.Model:
    # Three weights, three seeds: initialisers with equal seeds draw from the same numbers.
    kernel = GlorotUniform(seed=3 * plan.seed)
    cell = plan.cell.build(plan.units, plan.activation, kernel, plan.initializer, dtype)
    return build_network(plan.task, cell, seed=3 * plan.seed + 2, segment=plan.segment)


def _model(plan: Plan, network: keras.Model) -> RecordingModel:
    rows = plan.steps_per_execution * max(1, _BUFFER // plan.steps_per_execution)
    model = RecordingModel(
        network, plan.task.loss, plan.clip, steps=plan.task.steps, rows=rows, shards=plan.shards
    )
    model.compile(
        optimizer=plan.optimizer.build(),
        jit_compile=plan.jit,
        steps_per_execution=plan.steps_per_execution,
    )
    return model


def _probe(plan: Plan) -> Probe:
    batch = plan.task.batch(plan.seed, "probe", 0, plan.probe_batch_size)
    twin = _network(plan, "float64")
    return Probe(twin, plan.cell, plan.activation, plan.task.loss, batch, plan.bootstrap)
