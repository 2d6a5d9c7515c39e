"""Which theory speaks of a network as it stands, and what it says beside the measurement.

| law of `rnnexp.theory`                  | of            | reported where                                   |
|-----------------------------------------|---------------|--------------------------------------------------|
| mean_field, rate_at_variance,           | rate          | W_hh is no multiple of the identity              |
| rate_of_slopes                          |               |                                                  |
| exponent_of_slopes                      | lambda_1      | W_hh is no multiple of the identity              |
| decoupled_rate, decoupled_exponent      | rate,         | W_hh is a multiple of the identity               |
|                                         | lambda_1      |                                                  |
| rate_bound (Pascanu et al.)             | rate          | always: it is a theorem                          |
| ln spectral radius                      | rate,         | activation=linear, T-1 > 2 sqrt(H)               |
|                                         | lambda_1      |                                                  |
| glorot_growth (Bar et al.)              | ratio of both | activation=linear, independent entries,          |
|                                         | ends          | untrained, T-1 <= 2 sqrt(H)                      |
| chaotic_exponent, subcritical_exponents |               | never: they are of networks without input        |
| sensitivity (Zucchet and Orvieto)       |               | never: it is of white inputs, and of dh/dlambda, |
|                                         |               | which no probe measures                          |

Of a linear network the largest of `subcritical_exponents` is ln g, as `exponent_of_slopes` says too.
"""

import math
from collections.abc import Iterator

from rnnexp import theory
from rnnexp.diagnosis.comparison import EXPONENT, RATE, RATIO, Comparison, Law
from rnnexp.probes import GradientProfile, LyapunovSpectrum, Spectrum
from rnnexp.probes.trajectory import Observed
from rnnexp.theory.gaussian import ln

_WIDE = "wide layer, independent weights"

MEAN_FIELD = Law(
    RATE,
    "mean field",
    "1/2 ln(sigma_w^2 E phi'(sqrt(q) z)^2), q from the variances of weights and inputs",
    f"{_WIDE}, Gaussian pre-activations of settled variance",
    "https://arxiv.org/abs/1806.05394",
    "theory/rate",
)
AT_VARIANCE = Law(
    RATE,
    "at measured q",
    "mean_t 1/2 ln(sigma_w^2 E phi'(sqrt(q_t) z)^2), q_t = mean a_t^2",
    f"{_WIDE}, Gaussian pre-activations",
    "https://arxiv.org/abs/1611.01232",
    "theory/rate_measured_q",
)
OF_SLOPES = Law(
    RATE,
    "from measured slopes",
    "slope of 1/2 ln mean_b prod_s sigma_w^2 mean_i phi'(a_s)^2",
    _WIDE,
    "https://arxiv.org/abs/1611.01232",
    "theory/rate_measured_slopes",
)
DECOUPLED = Law(
    RATE,
    "units that do not mix",
    "slope of 1/2 ln mean_bi prod_s (g phi'(a_s))^2",
    "W_hh = g I",
    "https://arxiv.org/abs/1504.00941",
)
BOUND = Law(
    RATE,
    "upper bound",
    "rate <= ln(sigma_max sup |phi'|)",
    "a loss at the last scored step",
    "https://arxiv.org/abs/1211.5063",
    "theory/rate_bound",
    "upper bound",
)
EXPONENT_OF_SLOPES = Law(
    EXPONENT,
    "from measured slopes",
    "mean_bt ln(sigma_w sqrt(mean_i phi'(a_t)^2))",
    _WIDE,
    "https://arxiv.org/abs/2610.12426",
    "theory/lambda_1",
)
DECOUPLED_EXPONENT = Law(
    EXPONENT,
    "units that do not mix",
    "mean_b 1/2 ln(mean_i P_T^2 / mean_i P_w^2) / (T-w), P_t = prod_s<=t g phi'(a_s)",
    "W_hh = g I",
    "https://arxiv.org/abs/1504.00941",
)
SPECTRAL_RADIUS = Law(
    RATE,
    "ln spectral radius",
    "ln max |eigenvalue of W_hh|",
    "activation=linear, T-1 > 2 sqrt(H)",
    "https://arxiv.org/abs/1211.5063",
)
SPECTRAL_RADIUS_EXPONENT = SPECTRAL_RADIUS._replace(quantity=EXPONENT)
GLOROT = Law(
    RATIO,
    "Glorot growth",
    "log10 sqrt(E ||W^(T-1) v||^2 / ||v||^2), E over kernels",
    "activation=linear, independent entries, untrained, T-1 <= 2 sqrt(H)",
    "https://arxiv.org/abs/2505.19827",
)


def comparisons(
    states: Observed,
    gradient: GradientProfile,
    lyapunov: LyapunovSpectrum,
    spectrum: Spectrum,
    untrained: bool = False,
) -> list[Comparison]:
    """Return what every law that applies says beside what is measured, in the order in which it is shown.

    What is not a finite number, measured or predicted, has no difference and is left out.

    Args:
        states: Of the layer.
        gradient: Over the T steps of `states`.
        lyapunov: At least the largest exponent, over the last steps of `states`.
        spectrum: Of W_hh.
        untrained: Whether W_hh is as its initialiser drew it.

    Raises:
        ArgumentError: The slopes are not (T, B, H) or the variances not (T,).
    """
    measured = {
        RATE: (gradient.rate, gradient.rate_low, gradient.rate_high),
        RATIO: (gradient.log10_ratio, gradient.ratio_low, gradient.ratio_high),
        EXPONENT: (lyapunov.lambda_1, *exponent_interval(lyapunov)),
    }
    said = [
        *(_of_ratio(states) if untrained and states.independent else ()),
        *_of_rate(states, spectrum),
        *_of_exponent(states, lyapunov.steps, spectrum),
    ]
    found = [Comparison(law, predicted, *measured[law.quantity]) for law, predicted in said]
    return [each for each in found if math.isfinite(each.measured) and math.isfinite(each.predicted)]


def _of_ratio(states: Observed) -> Iterator[tuple[Law, float]]:
    if states.activation == "linear" and states.short:
        lag, units = len(states.slopes) - 1, len(states.kernel)
        log_square = lag * ln(states.weight_variance) + ln(theory.glorot_growth(lag, units))
        yield GLOROT, log_square / 2 / math.log(10)


def _of_rate(states: Observed, spectrum: Spectrum) -> Iterator[tuple[Law, float]]:
    if states.gain is None:
        square = states.weight_variance
        yield MEAN_FIELD, states.mean_field_rate
        yield AT_VARIANCE, theory.rate_at_variance(states.slope, square, states.variances)
        yield OF_SLOPES, theory.rate_of_slopes(square, states.slopes)
    else:
        yield DECOUPLED, theory.decoupled_rate(states.gain, states.slopes)
    if states.activation == "linear" and not states.short:
        yield SPECTRAL_RADIUS, ln(spectrum.spectral_radius)
    yield BOUND, states.rate_bound


def _of_exponent(states: Observed, steps: int, spectrum: Spectrum) -> Iterator[tuple[Law, float]]:
    if states.gain is None:
        yield EXPONENT_OF_SLOPES, theory.exponent_of_slopes(states.weight_variance, states.slopes[-steps:])
    else:
        warm_up = len(states.slopes) - steps
        yield DECOUPLED_EXPONENT, theory.decoupled_exponent(states.gain, states.slopes, warm_up)
    if states.activation == "linear" and not states.short:
        yield SPECTRAL_RADIUS_EXPONENT, ln(spectrum.spectral_radius)


def exponent_interval(lyapunov: LyapunovSpectrum) -> tuple[float, float]:
    """Return the 95 % interval of the largest exponent, lambda_1 -+ 1.96 standard errors, nats per step.

    Both are nan where there is no standard error.
    """
    half_width = 1.96 * float(lyapunov.standard_error[0])
    return lyapunov.lambda_1 - half_width, lyapunov.lambda_1 + half_width
