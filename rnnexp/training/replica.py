"""A network that is trained, and all that is found of it: built, measured, scored, saved.

Every number of it follows from its plan: weights and batches come from counters, a network that goes on has
the state of the one that was stopped, and looking at it leaves no trace in it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rnnexp.diagnosis.measurement import Measurement, Measurer
from rnnexp.diagnosis.verdict import Validation, is_under, solves
from rnnexp.nn.initializers import GlorotUniform
from rnnexp.nn.network import build_network
from rnnexp.probes.spectrum_history import SpectrumHistory
from rnnexp.training import checkpoint
from rnnexp.training.callback import Hooks, Intervals, RecordingCallback
from rnnexp.training.config import Plan
from rnnexp.training.evaluation import Evaluator, Score, score_at
from rnnexp.training.model import RecordingModel
from rnnexp.training.phases import PhaseRun
from rnnexp.training.record import History, Recorded

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
        end: The measurement after the last step of the plan, at the weights that are validated and saved. Of
            a run that diverged: at what is left of the weights. Of a run that was stopped: the last one.
        history: The record of the training steps.
        spectra: Of W_hh at every look.
        validations: In the order of steps; the last one is final, unless the run diverged or was stopped.
        diverged_at: The first step with a non-finite loss or gradient, or None.
        steps_taken: Updates. A run that diverged took a few more before that was noticed.
        solved_at: Updates after which the task was solved; None where it was not, or where nobody asked
            before the end (`Plan.stop`).
        at_lengths: What the weights at the end score at other lengths, the shortest first.
        clip_metrics: What the clip records of its state, by the names of metrics.
        phase_metrics: What the phase before the task measured before and after it, likewise.
    """

    start: Measurement
    end: Measurement
    history: History
    spectra: SpectrumHistory
    validations: list[Validated]
    diverged_at: int | None
    steps_taken: int
    clip_metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    phase_metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    solved_at: int | None = None
    at_lengths: tuple[Score, ...] = ()


class Replica:
    """A network that is trained, and all that is found of it. The trainer says when.

    Args:
        plan: Of its run.
        state: The file of the checkpoint, which lies there or will.
        observer: What is called when something is found.

    Attributes:
        plan: As above.
        network: A plain Keras model.
        model: The model whose training steps record.
        callback: The callback with which it is trained; another one after `begin`.
        phase: The phase before the task, or None.
    """

    def __init__(self, plan: Plan, state: Path, observer: Observer):
        keras.utils.set_random_seed(plan.seed)
        self.plan = plan
        self._state = state
        self._observer = observer
        self.network = _network(plan, plan.dtype)
        self.model = _model(plan, self.network)
        phase = plan.phase.build(self.network)
        self.phase = phase and PhaseRun(phase, self.network, plan.task, plan.seed, plan.batch_size)
        self._measurer = _measurer(plan)
        # XLA takes 0.2 to 0.4 s to compile a forward pass. The scan is then a quarter faster, less than that
        # over the validations of a usual run; Keras' loop is twice as fast.
        validated_by_xla = plan.jit and not plan.cell.scanned
        self._evaluator = Evaluator(self.network, plan.task, plan.seed, validated_by_xla)
        self._validations: list[Validated] = []
        self._measurements: list[Measurement] = []
        self._at_lengths: tuple[Score, ...] = ()
        self._spectra = SpectrumHistory.empty(plan.units)
        self.callback = self._callback(None)

    @property
    def steps_taken(self) -> int:
        """Updates since the start of the run."""
        return self.model.steps_taken

    @property
    def diverged(self) -> bool:
        """Whether a loss or gradient was not finite; it is not to be trained any further."""
        return self.callback.diverged_at is not None

    @property
    def solved_at(self) -> int | None:
        """Updates after which the task was solved; None where it was not, or where that ends no training.

        A validation on all sequences decides, as of the verdict solved. A checkpoint holds it.
        """
        if self.plan.stop != "solved":
            return None
        criterion = self.plan.task.criterion
        return next((each.step for each in self._validations if solves(each.score, criterion)), None)

    @property
    def ended(self) -> bool:
        """Whether it is not to be trained any further: it diverged, or has solved its task."""
        return self.diverged or self.solved_at is not None

    @property
    def measured(self) -> bool:
        """Whether there is a `result` yet."""
        return len(self._measurements) > 0

    def result(self) -> Result:
        """Return what was found so far.

        Raises:
            IndexError: Nothing was measured yet.
        """
        return Result(
            start=self._measurements[0],
            end=self._measurements[-1],
            history=self.callback.history,
            spectra=self._spectra,
            validations=list(self._validations),
            diverged_at=self.callback.diverged_at,
            steps_taken=self.steps_taken,
            clip_metrics=self.plan.clip.metrics([value.numpy() for value in self.model.clip_state]),
            phase_metrics={} if self.phase is None else self.phase.metrics(),
            solved_at=self.solved_at,
            at_lengths=self._at_lengths,
        )

    def begin(self, resume: bool) -> None:
        """Take the first look; with `resume`, put it where its checkpoint is.

        Raises:
            FileNotFoundError: There is no checkpoint.
            ArgumentError: It is damaged or of another network.
        """
        self._measure()
        if resume:
            self._load()

    def finish(self) -> None:
        """Measure the weights after the last step and, unless they diverged, score all sequences.

        Those that solved the task were scored on all sequences when that was found.
        """
        self.save()
        if self._measurements[-1].step != self.steps_taken:
            self._measure()
        if not self.diverged and self.solved_at is None:
            # One that goes on from a checkpoint of the last step may have this validation already.
            self._validations = [done for done in self._validations if done.step < self.steps_taken]
            self._validate(None)
        if not self.diverged:
            plan = self.plan
            self._at_lengths = score_at(self.network, plan.evaluate_at, plan.seed, plan.validation_sequences)

    def save(self) -> None:
        """Write the checkpoint, where the plan has any."""
        if self.plan.checkpoint_every > 0 and self.plan.train_steps > 0:
            self.callback.read()
            rows = [(v.step, *dataclasses.astuple(v.score)) for v in self._validations]
            columns = 1 + len(dataclasses.fields(Validation))
            validations = np.array(rows, np.float64).reshape(-1, columns)
            spectra = self._spectra.table()
            self._observer.on_checkpoint()
            phase = {} if self.phase is None else self.phase.state()
            checkpoint.save(self._state, self.model, self.callback.history, validations, spectra, phase)

    def _load(self) -> None:
        history, validations, spectra = checkpoint.load(self._state, self.model)
        if self.phase is not None:
            self.phase.restore(checkpoint.load_phase(self._state))
        self._spectra = SpectrumHistory.from_table(spectra)
        self._validations = [
            Validated(int(step), Validation(loss, half_width, error, bool(enough), *below))
            for step, loss, half_width, error, enough, *below in validations.tolist()
        ]
        self.callback = self._callback(history)

    def _callback(self, history: History | None) -> RecordingCallback:
        plan = self.plan
        intervals = Intervals(
            plan.record_every, plan.probe_every, plan.validation_every, plan.checkpoint_every
        )
        hooks = Hooks(
            on_block=self._observer.on_block,
            on_probe=self._before_the_end(self._measure),
            on_validation=self._before_the_end(self._validate_on_the_way),
            on_checkpoint=self._before_the_end(self.save),
        )
        return RecordingCallback(self.model, plan.steps_per_execution, intervals, hooks, history)

    def _before_the_end(self, look: Callable[[], None]) -> Callable[[int], None]:
        """What is due after the last step is done by `finish`."""
        return lambda step: look() if step < self.plan.train_steps else None

    def _measure(self) -> None:
        measurement = self._measurer.measure(self.network.get_weights(), self.steps_taken)
        self._measurements.append(measurement)
        if measurement.spectrum is not None:
            self._spectra = self._spectra.extended(measurement.step, measurement.spectrum)
        self._observer.on_measurement(measurement)

    def _validate_on_the_way(self) -> None:
        """Score some sequences, or all where these are under the criterion at which training ends."""
        score = self._evaluator.evaluate(self.plan.validation_sequences)
        if self.plan.stop == "solved" and is_under(score.error, self.plan.task.criterion):
            score = self._evaluator.evaluate(None)
        self._add(score)
        if self.solved_at is not None:
            self.callback.stop()

    def _validate(self, sequences: int | None) -> None:
        self._add(self._evaluator.evaluate(sequences))

    def _add(self, score: Validation) -> None:
        validated = Validated(self.steps_taken, score)
        self._validations.append(validated)
        self._observer.on_validation(validated)


def _network(plan: Plan, dtype: str) -> keras.Model:
    # Three weights, three seeds: initialisers with equal seeds draw from the same numbers.
    kernel = GlorotUniform(seed=3 * plan.seed)
    cell = plan.cell.build(plan.units, plan.activation, kernel, plan.initializer, dtype)
    any_length = plan.lengths is not None or len(plan.evaluate_at) > 0
    ways: dict[str, Any] = {"segment": plan.segment, "truncate": plan.truncate, "any_length": any_length}
    return build_network(plan.task, cell, seed=3 * plan.seed + 2, **ways)


def _model(plan: Plan, network: keras.Model) -> RecordingModel:
    rows = plan.steps_per_execution * max(1, _BUFFER // plan.steps_per_execution)
    model = RecordingModel(
        network,
        plan.task.loss,
        plan.clip,
        time_steps=plan.recorded_steps,
        rows=rows,
        shards=plan.shards,
        regularizer=plan.regularizer,
    )
    model.compile(optimizer=plan.optimizer.build(), jit_compile=plan.jit)
    return model


def _measurer(plan: Plan) -> Measurer:
    batch = plan.task.batch(plan.seed, "probe", 0, plan.probe_batch_size)
    # What is measured is the whole gradient, and beside it what is cut.
    twin = _network(dataclasses.replace(plan, truncate=None), "float64")
    truncated = None if plan.truncate is None else _network(plan, "float64")
    return Measurer(
        twin, plan.cell, plan.activation, plan.task.loss, batch, plan.bootstrap, plan.probes, truncated
    )
