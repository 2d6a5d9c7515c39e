import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from rnnexp import theory
from rnnexp.diagnosis import comparison, laws
from rnnexp.diagnosis.measurement import Measurement, Measurer
from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.initializers import Antisymmetric, Gaussian, Henaff, Orthogonal
from rnnexp.nn.network import build_network
from rnnexp.probes import measure_gradient
from rnnexp.tasks import Adding, Copying

H, B = 6, 5
LAST, EVERY = Adding(12), Copying(4, symbols=3, recall=2)
TASKS = {"last step": LAST, "every step": EVERY}

PAIRS: dict[str, tuple[Any, Any]] = {
    "tanh": (np.tanh, lambda a: np.cosh(a) ** -2),
    "relu": (lambda a: np.maximum(a, 0), lambda a: np.where(a > 0, 1.0, 0.0)),
    "sigmoid": (expit, lambda a: expit(a) * expit(-a)),
    "linear": (lambda a: a, np.ones_like),
}

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


@pytest.fixture(scope="module")
def probe():
    """One probe a task and activation, so that none is traced twice."""
    made: dict = {}

    def get(activation, task=LAST):
        if (activation, task) not in made:
            cell = ElmanCell(H, activation, recurrent_initializer=Orthogonal(), dtype="float64")
            twin = build_network(task, cell, seed=0)
            batch = task.batch(0, "probe", 0, B)
            made[activation, task] = Measurer(twin, Elman(), activation, task.loss, batch, bootstrap=100)
        return made[activation, task]

    return get


def draw(task, recurrent=None, scale=1.0, seed=0):
    """Random weights in the order of Keras; `recurrent` instead of W_hh if given."""
    normal = np.random.default_rng(seed).standard_normal
    shapes = [(task.input_size, H), (H, H), (H,), (H, task.output_size), (task.output_size,)]
    weights = [scale * normal(shape) / math.sqrt(shape[0]) for shape in shapes]
    return [weights[0], weights[1] if recurrent is None else recurrent, *weights[2:]]


def orthogonal(size=H):
    return np.linalg.qr(np.random.default_rng(1).standard_normal((size, size)))[0]


def numpy_twin(task, activation, weights):
    """ln ||dl_b/dh_t|| (T, B) of the loss at the last step, and a_t (T, B, H), by loops over steps."""
    phi, slope = PAIRS[activation]
    kernel, recurrent_kernel, bias, readout, readout_bias = weights
    x, y = task.batch(0, "probe", 0, B)
    h, pre_activations = np.zeros((B, H)), []
    for t in range(task.time_steps):
        pre_activations.append(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        h = phi(pre_activations[-1])
    prediction = h @ readout + readout_bias
    if task.scores_every_step:
        to_prediction = softmax(prediction, axis=1) - np.eye(task.output_size)[y[:, -1]]
    else:
        to_prediction = 2 * (prediction - y) / task.output_size
    adjoints = [to_prediction @ readout.T]
    for a in reversed(pre_activations[1:]):
        adjoints.append((slope(a) * adjoints[-1]) @ recurrent_kernel.T)
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(adjoints[::-1], axis=2)), np.array(pre_activations)


@each_task
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_gradient_is_that_of_back_propagation_in_numpy(probe, task, activation):
    """The intervals depend on every sample, so equal intervals need equal norms of every sample."""
    weights = draw(task)
    log_norms, _ = numpy_twin(task, activation, weights)
    got, expected = probe(activation, task).measure(weights, 0).gradient, measure_gradient(log_norms, 100)
    np.testing.assert_allclose(got.log_norm, expected.log_norm, rtol=1e-9, atol=1e-9)
    for name in ("rate", "rate_low", "rate_high", "log10_ratio", "ratio_low", "ratio_high"):
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=1e-9, err_msg=name)
    assert (got.zero_share, got.nonfinite_share) == (expected.zero_share, 0)
    assert got.rate_low < got.rate < got.rate_high


@each_task
def test_the_jacobian_product_is_that_of_a_loop_over_steps(probe, task):
    """dh_T/dh_1 = J_T ... J_2 with J_t = diag(phi'(a_t)) W_hh^T, of up to eight samples."""
    weights = draw(task)
    slopes = PAIRS["tanh"][1](numpy_twin(task, "tanh", weights)[1])
    sigma = []
    for sample in range(min(B, 8)):
        product = np.eye(H)
        for t in range(1, task.time_steps):
            product = slopes[t, sample][:, None] * weights[1].T @ product
        sigma.append(np.linalg.svd(product, compute_uv=False))
    metrics = probe("tanh", task).measure(weights, 0).metrics()
    largest = np.mean(np.log10(np.max(sigma, axis=1)))
    assert metrics["jacobian/log10_sigma_max"] == pytest.approx(largest, abs=1e-6)
    middle = np.mean([np.median(np.log10(values)) for values in sigma])
    assert metrics["jacobian/log10_sigma_median"] == pytest.approx(middle, abs=1e-6)


def test_scaled_orthogonal_linear_exponent_is_log_gain(probe):
    metrics = probe("linear").measure(draw(LAST, 0.9 * orthogonal()), 0).metrics()
    assert metrics["lyapunov/lambda_1"] == pytest.approx(math.log(0.9), abs=1e-9)
    assert metrics["jacobian/log10_sigma_max"] == pytest.approx(11 * math.log10(0.9), abs=1e-9)


def test_an_orthogonal_linear_network_keeps_its_gradient(probe):
    measured = probe("linear").measure(draw(LAST, orthogonal()), 0)
    assert measured.spectrum.sigma_max == pytest.approx(1, abs=1e-5)
    assert measured.spectrum.spectral_radius == pytest.approx(1, abs=1e-5)
    assert abs(measured.gradient.rate) < 1e-3
    assert measured.gradient.log10_ratio == pytest.approx(0, abs=1e-9)
    assert measured.predictions.rate_bound == pytest.approx(0, abs=1e-5)
    assert (measured.results["units"].saturated, measured.results["units"].dead) == (0, 0)


@pytest.mark.parametrize("gain", [0.9, 1.0, 1.1, 1e-20, 1e20])
def test_a_multiple_of_the_identity_has_the_rate_ln_gain(probe, gain):
    """Also far outside of float32, whose smallest and largest numbers are 1e-45 and 3e38."""
    weights = draw(LAST, gain * np.eye(H))
    # At rest, so that a large gain leaves the states finite.
    weights[0], weights[2] = np.zeros((2, H)), np.zeros(H)
    measured = probe("linear").measure(weights, 0)
    assert measured.gradient.rate == pytest.approx(math.log(gain), rel=1e-6, abs=1e-12)
    assert measured.gradient.log10_ratio == pytest.approx(11 * math.log10(gain), rel=1e-6, abs=1e-12)
    assert measured.predictions.rate_bound == pytest.approx(math.log(gain), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("activation", "far"), [("tanh", -8.0), ("relu", -100.0)])
@pytest.mark.parametrize("scale", [0.3, 1.5])
def test_saturated_and_dead_units_are_counted_as_in_numpy(probe, activation, far, scale):
    weights = draw(LAST, scale=scale)
    weights[2][:2] = far  # two units of six that are saturated, or off, throughout
    _, pre_activations = numpy_twin(LAST, activation, weights)
    slopes = PAIRS[activation][1](pre_activations)
    units = probe(activation).measure(weights, 0).results["units"]
    assert units.saturated == pytest.approx(np.mean(np.abs(slopes) < 0.01), abs=1e-12)
    assert units.dead == pytest.approx(np.mean((slopes == 0).all(axis=(0, 1))), abs=1e-12)
    assert 1 / 3 <= units.saturated < 1
    assert (1 / 3 <= units.dead < 1) if activation == "relu" else units.dead == 0


@each_task
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_predicted_rate_is_that_of_the_networks_variances(probe, task, activation):
    weights = draw(task, scale=0.7)
    kernel, recurrent_kernel, bias = weights[:3]
    x, _ = task.batch(0, "probe", 0, B)
    weight_variance = H * np.mean(recurrent_kernel**2)
    input_variance = np.mean((np.einsum("btf,fh->bth", x, kernel) + bias) ** 2)
    expected = theory.mean_field(*PAIRS[activation], weight_variance, input_variance, task.time_steps)
    measured = probe(activation, task).measure(weights, 0)
    assert measured.predictions.rate == pytest.approx(expected.rate, rel=1e-9)


@pytest.mark.parametrize(("activation", "largest_slope"), [("tanh", 1), ("sigmoid", 0.25), ("linear", 1)])
def test_rate_bound_is_log_of_sigma_max_times_largest_slope(probe, activation, largest_slope):
    weights = draw(LAST, scale=2.0)
    measured = probe(activation).measure(weights, 0)
    bound = math.log(np.linalg.norm(weights[1], 2) * largest_slope)
    assert measured.predictions.rate_bound == pytest.approx(bound, abs=1e-6)
    assert measured.spectrum.spectral_radius == pytest.approx(np.abs(np.linalg.eigvals(weights[1])).max())
    # ||dl/dh_1|| can be no larger than the bound allows over T - 1 steps.
    assert measured.gradient.log10_ratio * math.log(10) <= 11 * bound


LOST = {
    "nan in W_hh": (1, math.nan),
    "nan in W_xh": (0, math.nan),
    "nan in the readout": (3, math.nan),
    "infinity in W_hh": (1, math.inf),
    "infinity in W_xh": (0, math.inf),
    "numbers whose squares overflow": (1, 1e200),
}


@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
@pytest.mark.parametrize(("place", "value"), LOST.values(), ids=LOST)
def test_weights_that_are_lost_give_numbers_that_are_not_finite(probe, activation, place, value):
    weights = draw(LAST)
    weights[place] = np.full_like(weights[place], value)
    measured = probe(activation).measure(weights, 3)
    assert measured.step == 3
    assert measured.gradient.log_norm.shape == (12,)
    if not math.isfinite(value):
        assert not math.isfinite(measured.gradient.log10_ratio)
        assert measured.gradient.nonfinite_share > 0
    if place == 1:
        assert not math.isfinite(measured.predictions.rate)
    if place == 1 and not math.isfinite(value):
        assert np.isnan([measured.spectrum.sigma_max, measured.predictions.rate_bound]).all()
        assert np.isnan([measured.results["units"].saturated, measured.results["units"].dead]).all()
    if place == 0:
        assert math.isnan(measured.predictions.rate)


def test_a_dead_network_has_a_gradient_of_exactly_zero(probe):
    weights = draw(LAST)
    weights[2] = np.full(H, -100.0)
    measured = probe("relu").measure(weights, 0)
    assert measured.results["units"].dead == 1
    assert measured.gradient.log10_ratio == -math.inf
    assert measured.gradient.zero_share == 11 / 12  # the readout still feeds h_T


def test_a_look_depends_on_the_weights_it_is_given_only(probe):
    looking = probe("tanh")
    first = looking.measure(draw(LAST), 3).metrics()
    assert looking.measure(draw(LAST, seed=1), 1).metrics() != first
    assert looking.measure(draw(LAST), 2).metrics() == first


def test_weights_in_float32_are_measured_in_float64(probe):
    weights = [weight.astype(np.float32) for weight in draw(LAST)]
    wide = [weight.astype(np.float64) for weight in weights]
    assert probe("tanh").measure(weights, 0).metrics() == probe("tanh").measure(wide, 0).metrics()


def test_weights_of_another_network_are_refused(probe):
    with pytest.raises(ValueError, match="shape"):
        probe("tanh").measure(draw(EVERY), 0)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_theory_is_compared_with_the_states_that_were_measured(probe, activation):
    weights = draw(LAST)
    measured = probe(activation).measure(weights, 0)
    _, before = numpy_twin(LAST, activation, weights)
    slopes, square = PAIRS[activation][1](before), float(np.sum(weights[1] ** 2)) / H
    predicted = {found.law: found.predicted for found in measured.comparisons}
    of_slopes = theory.rate_of_slopes(square, slopes)
    assert predicted[laws.OF_SLOPES] == pytest.approx(of_slopes, rel=1e-9)
    variances = np.mean(before**2, axis=(1, 2))
    at_variance = theory.rate_at_variance(PAIRS[activation][1], square, variances)
    assert predicted[laws.AT_VARIANCE] == pytest.approx(at_variance, rel=1e-9)
    assert predicted[laws.MEAN_FIELD] == measured.predictions.rate
    assert predicted[laws.BOUND] == measured.predictions.rate_bound


def test_glorot_law_is_reported_for_untrained_iid_kernels_only():
    for initializer, reported in ((Gaussian(seed=1), True), (Orthogonal(seed=1), False)):
        cell = ElmanCell(H, "linear", recurrent_initializer=initializer, dtype="float64")
        twin, batch = build_network(Adding(4), cell, seed=0), Adding(4).batch(0, "probe", 0, B)
        linear = Measurer(twin, Elman(), "linear", LAST.loss, batch, bootstrap=10)
        for step in (0, 1):
            found = linear.measure(draw(LAST), step).comparisons
            assert (laws.GLOROT in {each.law for each in found}) is (reported and step == 0)


def test_the_critical_gain_is_of_the_untrained_network_alone():
    cell = ElmanCell(H, "relu", recurrent_initializer=Gaussian(1.0, seed=1), dtype="float64")
    twin, batch = build_network(Adding(4), cell, seed=0), Adding(4).batch(0, "probe", 0, B)
    measurer = Measurer(twin, Elman(), "relu", LAST.loss, batch, bootstrap=10)
    start, later = (measurer.measure(draw(LAST), step).predictions.critical_gain for step in (0, 1))
    assert start == pytest.approx(math.sqrt(2), rel=0.5)  # of relu with this very kernel's variance
    assert math.isnan(later)


@pytest.mark.parametrize("kind", [Henaff, Antisymmetric])
def test_a_start_without_mean_field_has_no_prediction_of_it(kind):
    cell = ElmanCell(H, "relu", recurrent_initializer=kind(seed=1), dtype="float64")
    twin, batch = build_network(Adding(4), cell, seed=0), Adding(4).batch(0, "probe", 0, B)
    measured = Measurer(twin, Elman(), "relu", LAST.loss, batch, bootstrap=10).measure(draw(LAST), 0)
    assert np.isnan([measured.predictions.rate, measured.predictions.critical_gain]).all()
    assert {found.law for found in measured.comparisons} == {laws.BOUND}
    assert math.isfinite(measured.metrics()["theory/rate_bound"])


CONTRACT = {
    "grad/rate": "gradient.rate",
    "grad/rate_low": "gradient.rate_low",
    "grad/rate_high": "gradient.rate_high",
    "grad/rate_rms": "gradient.rate_rms",
    "grad/effective_samples": "gradient.effective_samples",
    "grad/log10_ratio": "gradient.log10_ratio",
    "grad/log10_ratio_low": "gradient.ratio_low",
    "grad/log10_ratio_high": "gradient.ratio_high",
    "grad/zero_share": "gradient.zero_share",
    "grad/nonfinite_share": "gradient.nonfinite_share",
    "jacobian/log10_sigma_max": "results.jacobian.log10_sigma_max",
    "jacobian/log10_sigma_median": "results.jacobian.log10_sigma_median",
    "lyapunov/lambda_1": "results.lyapunov.lambda_1",
    "recurrent/spectral_radius": "spectrum.spectral_radius",
    "recurrent/sigma_max": "spectrum.sigma_max",
    "recurrent/nonnormality": "spectrum.nonnormality",
    "state/saturated": "results.units.saturated",
    "state/dead": "results.units.dead",
    "state/effective_rank": "results.states.final_effective_rank",
    "grad/median_lag": "results.lags.median_lag",
    "theory/rate": "predictions.rate",
    "theory/rate_bound": "predictions.rate_bound",
}
"""Metric -> where the measurement holds it."""


def test_the_metrics_have_the_names_of_the_measurement_contract(probe):
    measured = probe("tanh").measure(draw(LAST), 0)
    own = {name: look_up(measured, path) for name, path in CONTRACT.items()}
    theories = comparison.metrics(measured.comparisons)
    assert measured.metrics() | own | theories == measured.metrics()
    assert theories.keys() >= {
        *("theory/rate_measured_q", "theory/rate_closure", "theory/lambda_1"),
        *("theory/rate_kernels", "theory/rate_kernels_sd", "theory/rate_spreads"),
    }
    assert all(type(value) is float and math.isfinite(value) for value in measured.metrics().values())


def look_up(measured: Measurement, path: str) -> object:
    found: object = measured
    for name in path.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return found
