import dataclasses
import math
from typing import NamedTuple

import numpy as np
import pytest

from rnnexp import theory
from rnnexp.diagnosis import comparison, laws, predictions
from rnnexp.diagnosis.observed import Observed
from rnnexp.diagnosis.predictions import comparisons, measured
from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.initializers import CATALOGUE
from rnnexp.probes import (
    ElmanJacobians,
    GradientProfile,
    LyapunovSpectrum,
    Spectrum,
    measure_gradient,
    measure_lyapunov,
    measure_spectrum,
)

PAIRS: dict[str, tuple[theory.Elementwise, theory.Elementwise]] = {
    "tanh": (np.tanh, lambda a: np.cosh(a) ** -2.0),
    "relu": (lambda a: np.maximum(a, 0.0), lambda a: (a > 0) * 1.0),
    "linear": (lambda a: a, np.ones_like),
}


class Look(NamedTuple):
    states: Observed
    gradient: GradientProfile
    lyapunov: LyapunovSpectrum
    spectrum: Spectrum
    untrained: bool = True


def look(activation="tanh", init="gaussian", gain=1.0, units=24, steps=30, samples=6, seed=0):
    """A network of one initialiser that white noise drives, and a gradient sent back through it."""
    phi, slope = PAIRS[activation]
    rng = np.random.default_rng(seed)
    initializer = CATALOGUE[init](gain=gain, seed=seed)
    kernel = np.asarray(initializer((units, units), "float64"))
    state, before, inputs = np.zeros((samples, units)), [], []
    for _ in range(steps):
        inputs.append(rng.normal(0, 0.3, size=state.shape))
        before.append(state @ kernel + inputs[-1])
        state = phi(before[-1])
    slopes = slope(np.array(before))
    gradient = last = np.tile(rng.normal(size=units), (samples, 1))
    log_norms = []
    for at_step in reversed(slopes):
        with np.errstate(divide="ignore"):  # of relu, a gradient may be exactly 0
            log_norms.append(np.log(np.linalg.norm(gradient, axis=1)))
        gradient = (gradient * at_step) @ kernel.T
    spectrum = measure_spectrum(kernel)
    field = theory.mean_field(phi, slope, float(np.sum(kernel**2)) / units, 0.09, steps)
    states = Observed(
        kernel=kernel,
        slopes=slopes,
        variances=np.mean(np.square(before), axis=(1, 2)),
        slope=slope,
        activation=activation,
        mean_field_rate=field.rate,
        laws=Elman.laws,
        rate_bound=theory.rate_bound(spectrum.sigma_max, theory.slope_bound(slope)),
        last_adjoint=last,
        inputs=np.array(inputs),
        phi=phi,
        initializer=initializer,
    )
    lyapunov = measure_lyapunov(ElmanJacobians(slopes, kernel), exponents=1)
    return Look(states, measure_gradient(np.array(log_norms[::-1]), bootstrap=100), lyapunov, spectrum)


def said(seen):
    return {(found.law.quantity, found.law.theory): found for found in comparisons(*seen)}


WIDE = {
    laws.MEAN_FIELD,
    laws.OVER_KERNELS,
    laws.CLOSURE,
    laws.AT_VARIANCE,
    laws.OF_SLOPES,
    laws.EXPONENT_OF_SLOPES,
    laws.BOUND,
}
ALONE = {laws.DECOUPLED, laws.DECOUPLED_EXPONENT, laws.BOUND}
LONG = {laws.SPECTRAL_RADIUS, laws.SPECTRAL_RADIUS_EXPONENT}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, WIDE),
        ({"activation": "relu", "init": "orthogonal"}, WIDE),
        ({"init": "sparse"}, WIDE),
        ({"init": "normal", "gain": 0.2}, WIDE),
        ({"init": "henaff"}, {laws.BOUND}),
        ({"init": "antisymmetric"}, {laws.BOUND}),
        ({"activation": "linear", "init": "henaff"}, LONG | {laws.BOUND}),
        ({"init": "identity"}, ALONE),
        ({"activation": "linear", "init": "identity"}, ALONE | LONG),
        ({"activation": "linear"}, WIDE | LONG),
        ({"activation": "linear", "steps": 10}, WIDE | {laws.GLOROT}),
        ({"activation": "linear", "steps": 10, "init": "glorot_uniform"}, WIDE | {laws.GLOROT}),
        ({"activation": "linear", "steps": 10, "init": "orthogonal"}, WIDE),
        ({"activation": "linear", "steps": 1}, {laws.EXPONENT_OF_SLOPES}),
    ],
)
def test_only_what_applies_is_said(options, expected):
    assert {found.law for found in comparisons(*look(**options))} == expected


def test_a_trained_kernel_is_none_of_an_initialiser():
    short = look("linear", steps=10)
    assert laws.GLOROT in {found.law for found in comparisons(*short)}
    trained = {found.law for found in comparisons(*short._replace(untrained=False))}
    assert not trained & {laws.GLOROT, laws.OVER_KERNELS}


def test_predictions_pair_theory_values_with_probe_values():
    seen = look()
    found = said(seen)
    states = seen.states
    square = float(np.sum(states.kernel**2)) / 24
    at_variance = found["grad/rate_rms", "at measured q"]
    assert at_variance.predicted == theory.rate_at_variance(states.slope, square, states.variances)
    of_slopes = found["grad/rate_rms", "from measured slopes"]
    assert of_slopes.predicted == theory.rate_of_slopes(square, states.slopes)
    assert found["grad/rate_rms", "mean field"].predicted == states.mean_field_rate
    closure = theory.closure_rate(states.kernel, states.slopes, states.last_adjoint)
    assert found["grad/rate_rms", "this kernel (closure)"].predicted == closure
    assert found["grad/rate", "upper bound"].predicted == states.rate_bound
    for key, each in found.items():
        if key[0] == "grad/rate":
            ends = (seen.gradient.rate, seen.gradient.rate_low, seen.gradient.rate_high)
            assert (each.measured, each.low, each.high) == ends
        if key[0] == "grad/rate_rms":
            assert each.measured == seen.gradient.rate_rms
            np.testing.assert_equal(each.low, seen.gradient.rate_rms_low)
            np.testing.assert_equal(each.high, seen.gradient.rate_rms_high)
    exponent = found["lyapunov/lambda_1", "from measured slopes"]
    assert exponent.predicted == theory.exponent_of_slopes(square, states.slopes[3:])  # after the warm-up
    assert exponent.measured == seen.lyapunov.lambda_1
    assert (exponent.low, exponent.high) == measured(seen.gradient, seen.lyapunov)[comparison.EXPONENT][1:]


def test_the_rate_over_kernels_is_that_of_kernels_drawn_anew():
    states = look(steps=20).states
    kernels = [
        np.asarray(CATALOGUE["gaussian"](seed=1_000_003 * k)((24, 24), "float64")) for k in range(1, 13)
    ]
    np.testing.assert_array_equal(states.redrawn(12), kernels)
    rates = theory.rates_over_kernels(
        states.phi, states.slope, np.array(kernels), states.inputs, states.last_adjoint
    )
    mean, spread = rates.mean(), rates.std(ddof=1)
    found = predictions.rate_over_kernels(states)
    assert found == pytest.approx((mean, mean - 2 * spread, mean + 2 * spread), rel=1e-12)
    assert np.isnan(predictions.rate_over_kernels(dataclasses.replace(states, initializer=None))).all()


@pytest.mark.parametrize(
    ("activation", "init", "gain"),
    [("tanh", "gaussian", 1.5), ("relu", "orthogonal", 1.0), ("tanh", "sparse", 1.5)],
)
def test_mean_field_agrees_with_the_rate_over_kernels(activation, init, gain):
    found = said(look(activation, init, gain, units=64, steps=60))["theory/rate_kernels", "mean field"]
    assert found.outcome == "agrees"
    assert abs(found.half_widths) < 1.1


@pytest.mark.parametrize(
    ("init", "activation"), [("henaff", "relu"), ("antisymmetric", "relu"), ("antisymmetric", "tanh")]
)
def test_a_start_without_mean_field_is_off_by_many_spreads(init, activation):
    """Why its laws are not shown: the rates of kernels drawn anew are far from it."""
    states = look(activation, init, units=64, steps=60).states
    mean, low, high = predictions.rate_over_kernels(states)
    assert abs(states.mean_field_rate - mean) > 2 * (high - low) / 2


def test_every_initialiser_says_if_its_entries_are_independent():
    """The squares of two entries are uncorrelated over draws if they are independent."""
    for name, kind in CATALOGUE.items():
        if not kind.independent:
            continue
        draws = np.array([kind(seed=seed)((4, 4), "float64").ravel() for seed in range(2000)])
        for values in (draws, draws**2):
            correlations = np.corrcoef(values.T) - np.eye(16)
            assert np.abs(correlations).max() < 0.1, name  # 4.5 standard errors
    assert {name for name, kind in CATALOGUE.items() if kind.mean_field} == {
        *("glorot_uniform", "gaussian", "normal", "orthogonal", "sparse")
    }


def test_the_interval_of_the_exponent_is_1_96_standard_errors():
    seen = look()
    lyapunov = seen.lyapunov
    value, low, high = measured(seen.gradient, lyapunov)[comparison.EXPONENT]
    assert value == lyapunov.lambda_1
    assert (high - low) / 2 == pytest.approx(1.96 * lyapunov.standard_error[0], rel=1e-12)
    assert (high + low) / 2 == pytest.approx(lyapunov.lambda_1, rel=1e-12)


@pytest.mark.parametrize("init", ["orthogonal", "identity"])
@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_every_law_of_a_linear_isometry_is_exact(init, gain):
    for found in comparisons(*look("linear", init, gain)):
        assert found.predicted == pytest.approx(math.log(gain), abs=1e-12)
        assert found.difference == pytest.approx(0, abs=1e-12)
        outcomes = {"upper bound": "holds", "term": "term", "prediction": "agrees"}
        assert found.outcome == outcomes[found.law.kind]


def test_the_bound_holds_for_every_start():
    for activation in PAIRS:
        for init in CATALOGUE:
            bound = said(look(activation, init, gain=1.4))["grad/rate", "upper bound"]
            assert bound.outcome == "holds"
            assert bound.difference > -1e-12


def test_glorot_growth_is_the_mean_over_kernels():
    """The mean square ratio over kernels, in decades; at t = sqrt(H) it is above 0 by a few hundredths."""
    looks = [look("linear", gain=1.2, units=25, steps=6, seed=seed) for seed in range(300)]
    squares = [100**seen.gradient.log10_ratio for seen in looks]
    predicted = said(looks[0])["grad/log10_ratio", "Glorot growth"].predicted
    drawn = float(np.sum(looks[0].states.kernel ** 2)) / 25
    scaled = predicted + 5 * math.log10(1.2 / math.sqrt(drawn))  # with the variance of the initialiser
    assert scaled == pytest.approx(math.log10(np.mean(squares)) / 2, abs=0.05)
    assert scaled > 5 * math.log10(1.2)


def test_a_long_linear_product_grows_by_its_largest_eigenvalue():
    found = said(look("linear", steps=400, samples=2))
    for quantity in ("grad/rate", "lyapunov/lambda_1"):
        assert found[quantity, "ln spectral radius"].difference == pytest.approx(0, abs=5e-3)
    assert abs(found["grad/rate_rms", "mean field"].difference) > 0.02


@pytest.mark.parametrize("lost", [math.nan, math.inf, 1e200])
def test_weights_that_are_lost_have_no_theory(lost):
    seen = look()
    kernel = seen.states.kernel.copy()
    kernel[0, 0] = lost
    states = dataclasses.replace(seen.states, kernel=kernel, mean_field_rate=math.nan)
    found = comparisons(*seen._replace(states=states))
    assert {each.law for each in found} == {laws.BOUND}


def test_what_is_not_finite_is_left_out():
    seen = look()
    unknown = dataclasses.replace(seen.states, rate_bound=math.inf, mean_field_rate=math.nan)
    found = comparisons(*seen._replace(states=unknown))
    assert {each.law for each in found} == WIDE - {*(laws.BOUND, laws.MEAN_FIELD, laws.OVER_KERNELS)}
    lost = dataclasses.replace(
        seen.states,
        kernel=np.full((24, 24), np.nan),
        slopes=np.full((30, 6, 24), np.nan),
        variances=np.full(30, np.nan),
        mean_field_rate=math.nan,
    )
    assert {each.law for each in comparisons(*seen._replace(states=lost))} == {laws.BOUND}


def test_every_law_says_where_it_is_from():
    every = [law for law in vars(laws).values() if isinstance(law, comparison.Law)]
    assert len(every) == 12
    assert len({(law.quantity, law.theory) for law in every}) == 12
    for law in every:
        assert law.source.startswith("https://arxiv.org/abs/")
        assert law.equation.isascii() and law.applies
        assert law.metric == "" or law.metric.startswith("theory/")
        assert len(law.theory) <= 24  # a line of the summary
