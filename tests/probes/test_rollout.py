import functools
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.cells.gru import Gru
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.losses import last_step, sequence_losses
from rnnexp.nn.network import RECURRENT, build_network
from rnnexp.probes import GivenJacobians, measure_gradient, measure_lyapunov
from rnnexp.tasks import Adding, Copying

torch = pytest.importorskip("torch")

H, B = 5, 6
LAST, EVERY = Adding(9), Copying(3, symbols=3, recall=2)
SPECS = {"lstm": Lstm(), "gru": Gru(), "gru, reset before": Gru(reset_after=False)}

CASES = [(spec, LAST) for spec in SPECS.values()] + [(Lstm(), EVERY)]

each_case = pytest.mark.parametrize(("spec", "task"), CASES, ids=[*SPECS, "lstm at every step"])
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


@functools.cache
def probed(spec, task):
    """A probe, and a network of the same architecture with random weights."""
    twin, network = (
        build_network(
            task, spec.build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64"), seed=3
        )
        for _ in range(2)
    )
    network.set_weights(draw(network))
    return Measurer(twin, spec, "tanh", task.loss, task.batch(0, "probe", 0, B), bootstrap=100), network


def draw(network, scale=0.8, seed=0):
    generator = np.random.default_rng(seed)
    return [scale * generator.standard_normal(weight.shape) for weight in network.get_weights()]


@functools.cache
def measured(spec, task):
    probe, network = probed(spec, task)
    return probe.measure(network.get_weights(), 7)


@functools.cache
def unrolled(spec, task):
    """dl_b/ds_t of every state, each (T, B, H), and dS_t/dS_{t-1} (T, B, N, N), by loops over steps."""
    _, network = probed(spec, task)
    cell, readout = network.get_layer(RECURRENT).cell, network.get_layer("readout")
    x, y = task.batch(0, "probe", 0, B)
    states, kept, jacobians = cell.get_initial_state(batch_size=B), [], []
    with tf.GradientTape() as tape:
        for step in tf.unstack(tf.constant(x, tf.float64), axis=1):
            with tf.GradientTape(persistent=True) as inner:
                before = tf.concat(states, axis=1)
                inner.watch(before)
                after = tf.concat(cell(step, tf.split(before, len(states), axis=1))[1], axis=1)
            jacobians.append(inner.batch_jacobian(after, before, experimental_use_pfor=False).numpy())
            states = [tf.identity(state) for state in tf.split(after, len(states), axis=1)]
            kept.append(states)
        prediction = readout(kept[-1][0])
        prediction = prediction[:, tf.newaxis] if task.scores_every_step else prediction
        target, prediction = last_step(y[:, -1:] if task.scores_every_step else y, prediction)
        loss = tf.reduce_sum(sequence_losses(task.loss, target, prediction))
    gradients = tape.gradient(loss, kept, unconnected_gradients="zero")
    return [np.array([each[k] for each in gradients]) for k in range(len(states))], np.array(jacobians)


def log_norms(gradients):
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(gradients, axis=2))


@each_case
def test_the_gradient_is_that_of_a_loop_over_steps(spec, task):
    """The intervals depend on every sample, so equal intervals need equal norms of every sample."""
    by_h, *by_c = unrolled(spec, task)[0]
    found = measured(spec, task)
    pairs = [(found.gradient, measure_gradient(log_norms(by_h), 100))]
    if by_c:
        assert not by_c[0][-1].any()
        pairs.append((found.results["further_states"]["c"], measure_gradient(log_norms(by_c[0])[:-1], 100)))
    for got, expected in pairs:
        np.testing.assert_allclose(got.log_norm, expected.log_norm, rtol=0, atol=1e-9)
        for name in ("rate", "rate_low", "rate_high", "log10_ratio", "ratio_low", "ratio_high"):
            np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=1e-9, err_msg=name)
    assert ("further_states" in found.results) == bool(by_c)


def torch_profile(spec, task):
    """ln ||dl_b/dh_t|| (T, B) by PyTorch's cells, its gates i, f, g, o and r, z, n in its own order."""
    _, network = probed(spec, task)
    kernel, recurrent_kernel, bias, readout, readout_bias = network.get_weights()
    if isinstance(spec, Lstm):
        cell, order = torch.nn.LSTMCell(2, H, dtype=torch.float64), [0, 1, 2, 3]
        biases = np.array([bias, 0 * bias])
    else:
        cell, order = torch.nn.GRUCell(2, H, dtype=torch.float64), [1, 0, 2]
        biases = bias

    def rows(columns):
        blocks = np.split(columns, len(order), axis=-1)
        return torch.tensor(np.concatenate([blocks[place] for place in order], axis=-1).T)

    ours = {"weight_ih": kernel, "weight_hh": recurrent_kernel, "bias_ih": biases[0], "bias_hh": biases[1]}
    cell.load_state_dict({name: rows(value) for name, value in ours.items()})
    x, y = task.batch(0, "probe", 0, B)
    state, kept = None, []
    for step in torch.tensor(np.asarray(x, np.float64)).unbind(1):
        state = cell(step, state)
        kept.append(state[0] if isinstance(spec, Lstm) else state)
        kept[-1].retain_grad()
    prediction = kept[-1] @ torch.tensor(readout) + torch.tensor(readout_bias)
    ((prediction - torch.tensor(np.asarray(y, np.float64))) ** 2).sum().backward()
    return log_norms(np.array([h.grad.numpy() for h in kept]))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_gradient_is_that_of_pytorch(name):
    expected = measure_gradient(torch_profile(SPECS[name], LAST), 100)
    np.testing.assert_allclose(
        measured(SPECS[name], LAST).gradient.log_norm, expected.log_norm, rtol=0, atol=1e-9
    )


@each_case
def test_the_jacobian_product_is_that_of_a_loop_over_steps(spec, task):
    """dS_T/dS_1 = J_T ... J_2 of all states, of up to eight samples."""
    jacobians = unrolled(spec, task)[1]
    products = [np.linalg.multi_dot(jacobians[:0:-1, sample]) for sample in range(B)]
    sigma = np.linalg.svd(products, compute_uv=False)
    metrics = measured(spec, task).metrics()
    assert metrics["jacobian/log10_sigma_max"] == pytest.approx(np.mean(np.log10(sigma[:, 0])), abs=1e-9)
    assert measured(spec, task).results["jacobian"].log_sigma.shape == (1, B, H * len(spec.states))


@each_spec
def test_rollout_exponent_is_that_of_all_samples(spec):
    expected = measure_lyapunov(GivenJacobians(unrolled(spec, LAST)[1]), exponents=1)
    assert measured(spec, LAST).results["lyapunov"].lambda_1 == pytest.approx(expected.lambda_1, rel=1e-9)


@pytest.mark.parametrize(("spec", "place"), [(Lstm(), 2), (Gru(), 2)])
def test_the_spectrum_is_that_of_the_candidates_block(spec, place):
    block = probed(spec, LAST)[1].get_weights()[1][:, place * H : (place + 1) * H]
    spectrum = measured(spec, LAST).spectrum
    assert spectrum.sigma_max == pytest.approx(np.linalg.norm(block, 2))
    assert spectrum.spectral_radius == pytest.approx(np.abs(np.linalg.eigvals(block)).max())


@pytest.mark.parametrize(("spec", "gates"), [(Lstm(), (0, 1, 3)), (Gru(), (0, 1))])
def test_saturated_are_the_units_of_gates_as_in_numpy(spec, gates):
    probe, network = probed(spec, LAST)
    weights = draw(network, seed=1)
    weights[2].flat[:2] = 8.0  # the first gate of two units is open throughout
    network.set_weights(weights)
    found = probe.measure(weights, 0)
    cell = network.get_layer(RECURRENT).cell
    x, _ = LAST.batch(0, "probe", 0, B)
    states, small = cell.get_initial_state(batch_size=B), []
    for step in tf.unstack(tf.constant(x, tf.float64), axis=1):
        bias = weights[2] if weights[2].ndim == 1 else weights[2].sum(axis=0)
        a = step.numpy() @ weights[0] + states[0].numpy() @ weights[1] + bias
        a = np.concatenate([a[:, gate * H : (gate + 1) * H] for gate in gates], axis=1)
        small.append(expit(a) * expit(-a) < 0.01)
        states = cell(step, states)[1]
    assert found.results["units"].saturated == pytest.approx(np.mean(small), abs=1e-12)
    assert 2 / (H * len(gates)) <= found.results["units"].saturated < 1
    assert math.isnan(found.results["units"].dead)
    network.set_weights(draw(network))


@each_spec
def test_of_what_there_is_no_theory_there_is_no_number(spec):
    metrics = measured(spec, LAST).metrics()
    missing = {name for name, value in metrics.items() if not math.isfinite(value)}
    assert missing == {"theory/rate", "theory/rate_bound", "state/dead"}
    assert ("grad/rate_c" in metrics) == ("grad/log10_ratio_c" in metrics) == (len(spec.states) == 2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_weights_that_are_lost_give_numbers_that_are_not_finite(name, place, value):
    probe, network = probed(SPECS[name], LAST)
    weights = draw(network)
    weights[place] = np.full_like(weights[place], value)
    found = probe.measure(weights, 3)
    assert found.step == 3
    assert not math.isfinite(found.gradient.log10_ratio)
    if math.isnan(value):  # infinity may but shut all gates, which leaves a gradient of exactly zero
        assert found.gradient.nonfinite_share > 0
    if place == 1:
        assert np.isnan(
            [found.spectrum.sigma_max, found.results["lyapunov"].lambda_1, found.results["units"].saturated]
        ).all()


def test_an_open_lstm_keeps_the_gradient_of_its_carry():
    """Forget gates at 1 and all else shut: c_t = c_{t-1}, the constant error carousel."""
    probe, network = probed(Lstm(), LAST)
    weights = [np.zeros_like(weight) for weight in network.get_weights()]
    weights[2][H : 2 * H] = 40.0
    weights[3] = np.ones_like(weights[3])
    found = probe.measure(weights, 0)
    assert found.results["further_states"]["c"].log10_ratio == pytest.approx(0, abs=1e-12)
    assert found.results["jacobian"].log10_sigma_max == pytest.approx(math.log10(math.sqrt(1.25)), abs=1e-9)


def test_two_steps_give_one_carry_gradient_and_no_rate():
    short = Adding(2)
    cell = Lstm().build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    twin = build_network(short, cell, seed=3)
    found = Measurer(twin, Lstm(), "tanh", short.loss, short.batch(0, "probe", 0, B), 100).measure(
        draw(twin), 0
    )
    (by_c,) = found.results["further_states"].values()
    assert len(by_c.log_norm) == 1
    assert math.isnan(by_c.rate)
