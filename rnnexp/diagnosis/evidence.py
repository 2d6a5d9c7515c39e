"""The evidence behind the verdict in words of a run, and what is recommended on account of it."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rnnexp.diagnosis.course import Course  # which needs NumPy, and the terminal does not


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The setup of a run, its verdicts, and its numbers under the names of its metrics (docs/metrics.md).

    Attributes:
        numbers: The metrics at the end of the run; unlike those recorded they may be infinite or nan.
        start: Those of the measurement before the first step.
        activation: Name of phi.
        cell: Name of the cell.
        init: Name of the recurrent initialiser.
        gain: Its gain.
        clip: Name of the clip.
        optimizer: Name of the optimizer.
        learning_rate: Of the optimizer.
        dtype: Of the training.
        seq_len: The length that was asked for.
        time_steps: T.
        train_steps: Updates that were taken.
        batch_size: B.
        units: H.
        layers: L; what is said of states and gradients over time is of the lowest of them.
        truncate: K of truncated back-propagation, or None.
        probe_samples: Sequences of the probe batch.
        decades: D of the gradient verdict.
        baseline: What the baseline is, in a few words.
        published_sequences: Sequences after which a publication reports success; None where none does.
        gates: Whether the cell has gates; the shares of saturated and dead units then count gates.
        laws: The modules of `rnnexp.theory` whose laws apply to the cell.
        chosen_biases: Whether the bias of the gate that keeps the state was chosen.
        gradient: Verdict on the gradient.
        gradient_start: The same before the first step.
        learning: Verdict on learning.
        course: The course of the training.
        diverged_at: Training step of divergence, or None.
        rms_over_typical: The rms norm at h_1 over the typical one, decades.
        reach: The first lag at which the typical profile leaves the band of D decades; None if it does not.
        further_ratios: The typical log10 ratio of the states beside h, by their names: of the c of an LSTM.
        orthogonal_rate: Mean-field rate at the start of a run with init=orthogonal and gain 1.
        critical_gain: The gain of this initialiser at which the mean-field rate is 0; nan if there is none.
    """

    numbers: Mapping[str, float]
    start: Mapping[str, float]
    activation: str
    cell: str
    init: str
    gain: float
    clip: str
    optimizer: str
    learning_rate: float
    dtype: str
    seq_len: int
    time_steps: int
    train_steps: int
    batch_size: int
    units: int
    layers: int
    truncate: int | None
    probe_samples: int
    decades: float
    baseline: str
    published_sequences: int | None
    gates: bool
    laws: frozenset[str]
    chosen_biases: bool
    gradient: str
    gradient_start: str
    learning: str
    course: "Course"
    diverged_at: int | None
    rms_over_typical: float
    reach: int | None
    further_ratios: Mapping[str, float]
    orthogonal_rate: float
    critical_gain: float

    def __getitem__(self, metric: str) -> float:
        """The number of that name at the end of the run; nan where there is none."""
        return self.numbers.get(metric, math.nan)

    def before(self, metric: str) -> float:
        """Return the number of that name before the first step; nan where there is none."""
        return self.start.get(metric, math.nan)

    @property
    def carried(self) -> bool:
        """Whether the gradient of a state beside h stays inside the band."""
        return any(abs(ratio) <= self.decades for ratio in self.further_ratios.values())


class Recommendation(NamedTuple):
    """Something to try.

    Attributes:
        reason: One sentence.
        overrides: What is typed in addition, or instead of what was typed for the same keys.
        metrics: What the sentence is made from, by the names of the measurement contract.
    """

    reason: str
    overrides: tuple[str, ...]
    metrics: tuple[str, ...]
