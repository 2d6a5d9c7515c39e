"""What a run found, for its summary in the terminal."""

import dataclasses
import os
from collections.abc import Mapping

from rnnexp.diagnosis.comparison import Comparison
from rnnexp.tracking.links import NOWHERE, Place


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run found. None or nan: not measured.

    Attributes:
        configuration: The run in one line.
        status: How it ended: finished, failed or killed.
        gradient_verdict: vanishing, exploding, stable, borderline, non_finite or not_measured.
        learning_verdict: solved, learning, at_chance, worse_than_chance or diverged.
        loss: Validation loss.
        floor_loss: Loss of the best constant predictor.
        loss_unit: What one unit of both is.
        error: Share of wrong sequences, in [0, 1].
        floor_error: That of the best constant predictor.
        rate: Growth of the gradient of a typical sample per step of lag, nats per step.
        rate_low: Lower end of its 95 % interval.
        rate_high: Upper end of its 95 % interval.
        rate_rms: The same of the root mean square over samples.
        rate_rms_low: Lower end of its 95 % interval.
        rate_rms_high: Upper end of its 95 % interval.
        effective_samples: By how many samples the root mean square is ruled.
        log10_ratio: log10 of ||dl/dh_1|| over ||dl/dh_T||, decades.
        ratio_low: Lower end of its 95 % interval.
        ratio_high: Upper end of its 95 % interval.
        lambda_1: Largest Lyapunov exponent, nats per step; without it there is no row.
        lambda_1_low: Lower end of its 95 % interval.
        lambda_1_high: Upper end of its 95 % interval.
        upper_rates: `rate` and the ends of its interval of the layers above the lowest, by their numbers;
            where there are such, what stands above is of layer 1.
        comparisons: What theory says of them, one line each.
        notes: Sentences that the reader must not miss, such as "diverged at step 312".
        words: The verdict in words, a paragraph.
        remedies: Commands of what to try, the first one first.
        seconds: Duration of the run.
        steps_per_second: Training speed.
        figures: The folder of the figures.
        place: Where the run is stored.
    """

    configuration: str
    status: str = "finished"
    gradient_verdict: str | None = None
    learning_verdict: str | None = None
    loss: float | None = None
    floor_loss: float | None = None
    loss_unit: str = ""
    error: float | None = None
    floor_error: float | None = None
    rate: float | None = None
    rate_low: float | None = None
    rate_high: float | None = None
    rate_rms: float | None = None
    rate_rms_low: float | None = None
    rate_rms_high: float | None = None
    effective_samples: float | None = None
    log10_ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    lambda_1: float | None = None
    lambda_1_low: float | None = None
    lambda_1_high: float | None = None
    upper_rates: Mapping[int, tuple[float, float, float]] = dataclasses.field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    words: str = ""
    remedies: tuple[str, ...] = ()
    seconds: float | None = None
    steps_per_second: float | None = None
    figures: str | os.PathLike | None = None
    place: Place = NOWHERE
