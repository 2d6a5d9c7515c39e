"""The evidence behind the verdict in words and the recommendations of a run."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnexp.diagnosis.course import Course  # which needs NumPy, and the terminal does not


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The setup of a run, its measurements, and predictions of theory, also for other initialisers.

    Attributes:
        activation: Name of phi.
        cell: Name of the cell.
        init: Name of the recurrent initialiser.
        gain: Its gain.
        clip: Name of the clip.
        clip_threshold: Its threshold; nan without one.
        optimizer: Name of the optimizer.
        learning_rate: Of the optimizer.
        dtype: Of the training.
        seq_len: The length that was asked for.
        time_steps: T.
        train_steps: Updates that were taken.
        batch_size: B.
        units: H.
        probe_samples: Sequences of the probe batch.
        gradient: Verdict on the gradient.
        gradient_start: The same before the first step.
        learning: Verdict on learning.
        rate: Of a typical sample, nats per step of lag.
        rate_low: Lower end of its 95 % interval.
        rate_high: Upper end of its 95 % interval.
        rate_rms: Of the root mean square over samples.
        effective_samples: How many samples dominate the root mean square.
        rms_over_typical: The rms norm at h_1 over the typical one, decades.
        predicted_rate: Mean-field rate of the weights at the end.
        log10_ratio: Decades from h_T to h_1, of a typical sample.
        ratio_start_high: Upper end of the ratio's interval before the first step.
        decades: D of the gradient verdict.
        reach: The first lag at which the typical profile leaves the band of D decades; None if it does not.
        saturated: Share of saturated units at a typical step.
        dead: Share of dead units on the probe batch.
        clip_fraction: Share of clipped updates.
        loss: Validation loss.
        floor_loss: That of the best constant predictor.
        below: The baseline's loss minus the network's, on the same sequences.
        below_half_width: Half of its 95 % interval.
        baseline: What the baseline is, in a few words.
        error: Share of wrong sequences.
        proven_horizon: The least number of steps that a predictor must use to reach the loss.
        published_sequences: Sequences after which a publication reports success; None where none does.
        orthogonal_rate: Mean-field rate at the start of a run with init=orthogonal and gain 1.
        critical_gain: The gain of this initialiser at which the mean-field rate is 0; nan if there is none.
        course: The course of the training.
        diverged_at: Training step of divergence, or None.
        rate_measured_q: Mean-field rate at the measured variance of the pre-activations.
        rate_measured_slopes: Rate of the measured slopes.
        rate_closure: Rate of the second-moment closure with this kernel.
        rate_start: Mean-field rate before the first step.
        rate_kernels: Rms rate before the first step, as a mean over redrawn kernels.
        rate_kernels_sd: Its standard deviation over kernels.
        rate_bound: ln(sigma_max sup |phi'|), which the rate cannot exceed.
        gates: Whether the cell has gates; `saturated` and `dead` then count gates.
        laws: The modules of `rnnexp.theory` whose laws apply to the cell.
        further_ratios: The typical log10 ratio of the states beside h, by their names: of the c of an LSTM.
        chosen_biases: Whether the bias of the gate that keeps the state was chosen.
        truncate: K of truncated back-propagation, or None.
        truncation_cosine: Of the truncated gradient with the whole one.
        truncation_norm_ratio: Norm of the truncated gradient over that of the whole one.
        layers: L; what is said of states and gradients over time is of the lowest of them.
        upper_ratios: `log10_ratio` of the layers above it, by their numbers, from 2 on.
    """

    activation: str
    cell: str
    init: str
    gain: float
    clip: str
    clip_threshold: float
    optimizer: str
    learning_rate: float
    dtype: str
    seq_len: int
    time_steps: int
    train_steps: int
    batch_size: int
    units: int
    probe_samples: int
    gradient: str
    gradient_start: str
    learning: str
    rate: float
    rate_low: float
    rate_high: float
    rate_rms: float
    effective_samples: float
    rms_over_typical: float
    predicted_rate: float
    log10_ratio: float
    ratio_start_high: float
    decades: float
    reach: int | None
    saturated: float
    dead: float
    clip_fraction: float
    loss: float
    floor_loss: float
    below: float
    below_half_width: float
    baseline: str
    error: float
    proven_horizon: float
    published_sequences: int | None
    orthogonal_rate: float
    critical_gain: float
    course: "Course"
    diverged_at: int | None
    rate_measured_q: float = math.nan
    rate_measured_slopes: float = math.nan
    rate_closure: float = math.nan
    rate_start: float = math.nan
    rate_kernels: float = math.nan
    rate_kernels_sd: float = math.nan
    rate_bound: float = math.nan
    gates: bool = False
    further_ratios: Mapping[str, float] = dataclasses.field(default_factory=dict)
    laws: frozenset[str] = frozenset()
    chosen_biases: bool = False
    truncate: int | None = None
    truncation_cosine: float = math.nan
    truncation_norm_ratio: float = math.nan
    layers: int = 1
    upper_ratios: Mapping[int, float] = dataclasses.field(default_factory=dict)

    @property
    def carried(self) -> bool:
        """Whether the gradient of a state beside h stays inside the band."""
        return any(abs(ratio) <= self.decades for ratio in self.further_ratios.values())
