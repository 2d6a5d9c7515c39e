"""One network under training, with its measurements, validations and checkpoints.

Its plan determines every number: weights and batches come from counters, a resumed network continues from the
saved state, and measurements do not change it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from rnnexp.diagnosis.measurement import Measurement
from rnnexp.diagnosis.verdict import Validation, is_under, solves
from rnnexp.probes.spectrum import SpectrumHistory
from rnnexp.training import checkpoint
from rnnexp.training.callback import RecordingCallback
from rnnexp.training.config import Plan
from rnnexp.training.construction import measurer_of, model_of, network_of
from rnnexp.training.evaluation import Evaluator, Score, score_at
from rnnexp.training.phases import PhaseRun
from rnnexp.training.record import History, Recorded


@dataclasses.dataclass(frozen=True)
class Validated:
    """A validation after `step` updates."""

    step: int
    score: Validation


@dataclasses.dataclass(frozen=True)
class Observer:
    """Functions that are called with the results during a run.

    Attributes:
        on_block: Called with the record of consecutive training steps, up to the one that diverged.
        on_measurement: Called with a measurement. A resumed run repeats the first one.
        on_validation: Called with a validation.
        on_checkpoint: Called before a checkpoint is written. Results passed before this call are not passed
            again by a run that resumes from the checkpoint, so they must be written to disk now.
    """

    on_block: Callable[[Recorded], None]
    on_measurement: Callable[[Measurement], None]
    on_validation: Callable[[Validated], None]
    on_checkpoint: Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Result:
    """The results of a run.

    Attributes:
        start: The measurement before the first step.
        end: The last measurement. If the run ended by itself, it is of the final weights, which are also
            validated and saved.
        history: The record of the training steps.
        spectra: The spectrum of W_hh at every measurement.
        validations: In the order of steps; the last one is final, unless the run diverged or was stopped.
        diverged_at: The first step with a non-finite loss or gradient, or None.
        steps_taken: Updates, including the few after a divergence that was not yet noticed.
        solved_at: Updates after which the task was solved; None where it was not, or where nobody asked
            before the end (`Plan.stop`).
        at_lengths: What the weights at the end score at other lengths, the shortest first.
        clip_metrics: The metrics that the clip computes from its state.
        phase_metrics: The metrics of the phase beside the task, around its first and its last episode.
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
    """One network under training and its results. The trainer calls `begin`, trains `model`, calls `finish`.

    Args:
        plan: The plan of its run.
        state: The path of the checkpoint, which need not exist yet.
        observer: Functions that are called with the results.

    Attributes:
        plan: As above.
        network: A plain Keras model.
        model: The model whose training steps record.
        callback: The callback for `fit`; `begin` replaces it when it resumes.
        phase: The phase beside the task, or None.
    """

    def __init__(self, plan: Plan, state: Path, observer: Observer):
        keras.utils.set_random_seed(plan.seed)
        self.plan = plan
        self._state = state
        self._observer = observer
        self.network = network_of(plan, plan.dtype)
        self.model = model_of(plan, self.network)
        phase = plan.phase.build(self.network)
        self.phase = phase and PhaseRun(phase, self.network, plan.task, plan.seed, plan.batch_size)
        self._measurer = measurer_of(plan)
        # XLA takes 0.2 to 0.4 s to compile a forward pass. It makes the scan faster by a quarter, which saves
        # less than that over the validations of a usual run; it makes Keras' loop faster by a half.
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
        """Whether a loss or gradient was not finite, so that training has ended."""
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
        """Whether there is a measurement, and so a `result`."""
        return len(self._measurements) > 0

    def result(self) -> Result:
        """Return the results so far.

        Raises:
            IndexError: There is no measurement yet.
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
        """Measure the initial weights; with `resume`, load the checkpoint afterwards.

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
            # After a resume from the checkpoint of the last step this validation may be there already.
            self._validations = [done for done in self._validations if done.step < self.steps_taken]
            self._add(self._evaluator.evaluate(None))
        if not self.diverged:
            plan = self.plan
            self._at_lengths = score_at(self.network, plan.evaluate_at, plan.seed, plan.validation_sequences)

    def save(self) -> None:
        """Write the checkpoint, if the plan asks for checkpoints."""
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
        history, validations, spectra, phase = checkpoint.load(self._state, self.model)
        if self.phase is not None:
            self.phase.restore(phase)
        self._spectra = SpectrumHistory.from_table(spectra)
        self._validations = [
            Validated(int(step), Validation(loss, half_width, error, bool(enough), *below))
            for step, loss, half_width, error, enough, *below in validations.tolist()
        ]
        self.callback = self._callback(history)

    def _callback(self, history: History | None) -> RecordingCallback:
        plan = self.plan
        events = (
            (plan.validation_every, self._before_the_end(self._validate_on_the_way)),
            (plan.probe_every, self._before_the_end(self._measure)),
            (plan.checkpoint_every, self._before_the_end(self.save)),  # holds the results of the others
        )
        on_block, execution = self._observer.on_block, plan.steps_per_execution
        return RecordingCallback(self.model, execution, plan.record_every, on_block, events, history)

    def _before_the_end(self, hook: Callable[[], None]) -> Callable[[int], None]:
        """Return the hook for all steps but the last, after which `finish` does its work."""
        return lambda step: hook() if step < self.plan.train_steps else None

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

    def _add(self, score: Validation) -> None:
        validated = Validated(self.steps_taken, score)
        self._validations.append(validated)
        self._observer.on_validation(validated)
