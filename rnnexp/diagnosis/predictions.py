"""Which laws of theory apply to a network, and what they predict for its measurements.

`rnnexp.diagnosis.laws` says of each law what it is of and what it assumes. Of `rnnexp.theory` a run predicts
nothing by `chaotic_exponent` and `subcritical_exponents`, which are of networks without input, and by
`sensitivity`, which is of white inputs and of dh/dlambda, which no probe measures.

A W_hh is mixing if it counts as a draw of independent entries (`Observed.mean_field`): neither diagonal nor
of an initialiser that ties entries to each other. init=henaff turns pairs of units, each by itself, and with
init=antisymmetric what a unit sends comes back with the other sign: neither has the rates of independent
entries, nor those of the closure.

Of a layer below another, whose states the loss reads at every step by way of that one, no law of a rate
or a ratio is reported: in dl_b/dh_{t-1} = W_hh delta_t + ... the further term is the layer's above. What is
said of lambda_1 is of the layer's own J_t, and holds.

From mean field on, each law drops one assumption of the law before: that theory knows the variance of the
pre-activations; that they are Gaussian; that the kernel is random (closure). The remaining difference is the
correlation of slopes and gradients over samples.
Of a linear network the largest of `subcritical_exponents` is ln g, as `exponent_of_slopes` says too.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from rnnexp import theory
from rnnexp.diagnosis.comparison import (
    EXPONENT,
    RATE,
    RATE_KERNELS,
    RATE_RMS,
    RATIO,
    Comparison,
    Law,
    Measured,
)
from rnnexp.diagnosis.laws import (
    AT_VARIANCE,
    BOUND,
    CLOSURE,
    DECOUPLED,
    DECOUPLED_EXPONENT,
    EXPONENT_OF_SLOPES,
    GLOROT,
    MEAN_FIELD,
    OF_SLOPES,
    OVER_KERNELS,
    SPECTRAL_RADIUS,
    SPECTRAL_RADIUS_EXPONENT,
)
from rnnexp.diagnosis.observed import Observed, weight_variance
from rnnexp.nn import activations
from rnnexp.nn.initializers import Initializer
from rnnexp.probes import GradientProfile, LyapunovSpectrum, Spectrum
from rnnexp.probes.trajectory import Trajectory
from rnnexp.theory.gaussian import ln

_KERNELS = 12  # redrawn kernels: the standard error of their spread is a fifth of it
_FEW = 16  # samples that drive the redrawn kernels


class Predictions(NamedTuple):
    """The predictions of theory for a network; nan, and no comparisons, if no law applies to its cell.

    Attributes:
        rate: Mean-field rate, `rnnexp.theory.mean_field`, nats per step of lag, from the weights' and inputs'
            variances: sum_ij W_ij^2 / H of W_hh, and mean (W_xh^T x_t + b)^2 over the batch; nan where W_hh
            is not mixing.
        rate_bound: ln(sigma_max sup|phi'|), nats per step of lag.
        orthogonal_rate: The mean-field rate if W_hh were orthogonal with gain 1, on the same inputs.
        critical_gain: The gain of this initialiser at which the mean-field rate is 0; nan if there is none,
            and for a trained network.
        comparisons: The comparison of every law that applies with its measurement.
    """

    rate: float = math.nan
    rate_bound: float = math.nan
    orthogonal_rate: float = math.nan
    critical_gain: float = math.nan
    comparisons: tuple[Comparison, ...] = ()


def predict(trajectory: Trajectory, results: Mapping[str, Any], untrained: bool) -> Predictions:
    """Return the predictions of theory for the network with this trajectory.

    Args:
        trajectory: Its spec names the laws that apply to its cell.
        results: What probes measured of it, as `rnnexp.probes.catalogue.measure_all` returns it.
        untrained: Whether W_hh has its initial value.
    """
    spectrum = results.get("spectrum")
    laws, kernel, units = trajectory.spec.laws, trajectory.recurrent_matrix, trajectory.units
    if not laws or units is None or kernel is None or spectrum is None:
        return Predictions()
    phi, slope = activations.numpy_pair(trajectory.activation)
    input_variance = float(units.input_variance)
    of_gradient = laws if trajectory.read_at_end else frozenset[str]()
    has_mean_field = "mean_field" in of_gradient and math.isfinite(input_variance)

    def mean_field_rate(variance: float) -> float:
        if not (has_mean_field and math.isfinite(variance)):
            return math.nan
        return theory.mean_field(phi, slope, variance, input_variance, len(units.slopes)).rate

    initializer = trajectory.recurrent_initializer
    with np.errstate(over="ignore", invalid="ignore"):  # weights may not be finite
        inputs = units.pre_activations - trajectory.before @ kernel
    sigma_max = float(np.linalg.norm(kernel, 2)) if np.isfinite(kernel).all() else math.nan
    bound = theory.rate_bound(sigma_max, theory.slope_bound(slope)) if "bounds" in of_gradient else math.nan
    seen = Observed(
        kernel=kernel,
        slopes=units.slopes,
        variances=results["states"].mean_square,
        slope=slope,
        activation=trajectory.activation,
        mean_field_rate=math.nan,
        rate_bound=bound,
        laws=laws,
        last_adjoint=trajectory.last_adjoint,
        inputs=inputs,
        phi=phi,
        initializer=initializer if isinstance(initializer, Initializer) else None,
        read_at_end=trajectory.read_at_end,
    )
    gain = math.nan
    if seen.mean_field:
        seen = replace(seen, mean_field_rate=mean_field_rate(seen.weight_variance))
    compared = comparisons(seen, results["gradient_profile"], results["lyapunov"], spectrum, untrained)
    # A gain is chosen before training, and the search takes as long as all else that is predicted.
    if untrained and has_mean_field and seen.mean_field and seen.initializer is not None:
        unit_variance = weight_variance(seen.redrawn(1)[0]) / seen.initializer.gain**2
        gain = theory.critical_gain(phi, slope, unit_variance, input_variance, len(units.slopes))
    return Predictions(seen.mean_field_rate, bound, mean_field_rate(1.0), gain, tuple(compared))


def comparisons(
    states: Observed,
    gradient: GradientProfile,
    lyapunov: LyapunovSpectrum,
    spectrum: Spectrum,
    untrained: bool = False,
) -> list[Comparison]:
    """Return the comparison of every law that applies with its measurement, in the order of display.

    Laws whose prediction or measurement is not finite are left out.

    Args:
        states: Of the layer.
        gradient: Over the T steps of `states`.
        lyapunov: At least the largest exponent, over the last steps of `states`.
        spectrum: Of W_hh.
        untrained: Whether W_hh has its initial value.

    Raises:
        ArgumentError: The slopes are not (T, B, H) or the variances not (T,).
    """
    found = measured(gradient, lyapunov)
    if untrained and states.read_at_end and states.mean_field:
        found[RATE_KERNELS] = rate_over_kernels(states)
    said = [
        *(_of_gradient(states, spectrum, untrained) if states.read_at_end else ()),
        *_of_exponent(states, lyapunov.time_steps, spectrum),
    ]
    known = (
        Comparison(law, predicted, *found[law.quantity])
        for law, predicted in said
        if law.module in states.laws
    )
    return [each for each in known if math.isfinite(each.measured) and math.isfinite(each.predicted)]


def measured(gradient: GradientProfile, lyapunov: LyapunovSpectrum) -> dict[str, Measured]:
    """Return what laws are compared with, by metric keys: rate, rms rate, ratio of both ends, and lambda_1.

    The interval of lambda_1 is lambda_1 -+ 1.96 standard errors, nats per step.
    """
    exponent, half_width = lyapunov.lambda_1, 1.96 * float(lyapunov.standard_error[0])
    return {
        RATE: Measured(gradient.rate, gradient.rate_low, gradient.rate_high),
        RATE_RMS: Measured(gradient.rate_rms, gradient.rate_rms_low, gradient.rate_rms_high),
        RATIO: Measured(gradient.log10_ratio, gradient.ratio_low, gradient.ratio_high),
        EXPONENT: Measured(exponent, exponent - half_width, exponent + half_width),
    }


def rate_over_kernels(states: Observed) -> Measured:
    """Return the mean rms rate over twelve redrawn kernels, and the ends mean -+ two standard deviations.

    The inputs are those of the first 16 samples, the gradient at h_T is that of the layer itself. All are nan
    if no kernel can be drawn or fewer than two have a rate.
    """
    kernels, few = states.redrawn(_KERNELS), slice(None, _FEW)
    rates = theory.rates_over_kernels(
        states.phi, states.slope, kernels, states.inputs[:, few], states.last_adjoint[few]
    )
    rates = rates[np.isfinite(rates)]
    if len(rates) < 2:
        return Measured(math.nan, math.nan, math.nan)
    mean, spread = float(rates.mean()), float(rates.std(ddof=1))
    return Measured(mean, mean - 2 * spread, mean + 2 * spread)


def _of_gradient(states: Observed, spectrum: Spectrum, untrained: bool) -> Iterator[tuple[Law, float]]:
    linear, square = states.activation == "linear", states.weight_variance
    if untrained and states.independent and linear and states.short:
        lag, units = len(states.slopes) - 1, len(states.kernel)
        yield GLOROT, (lag * ln(square) + ln(theory.glorot_growth(lag, units))) / 2 / math.log(10)
    if untrained and states.mean_field:
        yield OVER_KERNELS, states.mean_field_rate
    if states.mean_field:
        yield MEAN_FIELD, states.mean_field_rate
        yield AT_VARIANCE, theory.rate_at_variance(states.slope, square, states.variances)
        yield OF_SLOPES, theory.rate_of_slopes(square, states.slopes)
        yield CLOSURE, theory.closure_rate(states.kernel, states.slopes, states.last_adjoint)
    elif states.diagonal is not None:
        yield DECOUPLED, theory.decoupled_rate(states.diagonal, states.slopes)
    if linear and not states.short:
        yield SPECTRAL_RADIUS, ln(spectrum.spectral_radius)
    yield BOUND, states.rate_bound


def _of_exponent(states: Observed, time_steps: int, spectrum: Spectrum) -> Iterator[tuple[Law, float]]:
    if states.mean_field:
        yield (
            EXPONENT_OF_SLOPES,
            theory.exponent_of_slopes(states.weight_variance, states.slopes[-time_steps:]),
        )
    elif states.diagonal is not None:
        warm_up = len(states.slopes) - time_steps
        yield DECOUPLED_EXPONENT, theory.decoupled_exponent(states.diagonal, states.slopes, warm_up)
    if states.activation == "linear" and not states.short:
        yield SPECTRAL_RADIUS_EXPONENT, ln(spectrum.spectral_radius)
