"""ln ||dl_b/dh_t|| by independent routes: PyTorch, central differences, the scan's own tap, other models."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import gradient_flow
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording

B, T, F, H = 4, 8, 3, 5
RTOL = 1e-5
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(B, T, F)).astype("float32")
Y = 3 + DRAW.normal(size=(B, 1)).astype("float32")


def regressor(*members, dtype="float32", shape=(T, F), seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input(shape, dtype=dtype), *members, kl.Dense(1, name="head", dtype=dtype)]
    )


def norms(flow):
    """Layer -> state -> ||dl_b/dh_t||, (T, B)."""
    return {
        layer: {name: np.exp(each.log_norms) for name, each in states.items()}
        for layer, states in flow.layers.items()
    }


def torch_cell(layer):
    """The same cell in PyTorch: a step (x, states) -> states."""
    torch = pytest.importorskip("torch")
    kinds = {"SimpleRNN": torch.nn.RNNCell, "LSTM": torch.nn.LSTMCell, "GRU": torch.nn.GRUCell}
    kind = type(layer).__name__
    kernel, recurrent, bias = (torch.tensor(weight) for weight in layer.get_weights())
    if kind == "GRU":  # update and reset gate change places; two biases
        order = np.r_[H : 2 * H, 0:H, 2 * H : 3 * H]
        kernel, recurrent, bias = kernel[:, order], recurrent[:, order], bias[:, order]
    biases = bias if kind == "GRU" else (bias, torch.zeros_like(bias))
    cell = kinds[kind](F, H)
    ours = {"weight_ih": kernel.T, "weight_hh": recurrent.T, "bias_ih": biases[0], "bias_hh": biases[1]}
    cell.load_state_dict(ours)
    if kind == "LSTM":
        return cell, lambda x, states: list(cell(x, tuple(states)))
    return cell, lambda x, states: [cell(x, states[0])]


def by_torch(model, layer, states):
    """||dl_b/ds_t|| (T, B) of every state s, l_b the squared error of sample b."""
    torch = pytest.importorskip("torch")
    _, step = torch_cell(layer)
    kernel, bias = (torch.tensor(weight) for weight in model.get_layer("head").get_weights())
    now, kept = [torch.zeros(B, H) for _ in range(states)], []
    for inputs in torch.tensor(X).unbind(1):
        now = [state.clone() for state in step(inputs, now)]  # what is handed on: h is not made from it
        for state in now:
            state.retain_grad()
        kept.append(now)
    loss = ((now[0] @ kernel + bias - torch.tensor(Y)) ** 2).sum()
    loss.backward()
    zero = torch.zeros(B, H)
    gradients = [[zero if state.grad is None else state.grad for state in step] for step in kept]
    return [
        np.linalg.norm(np.array([step[number].numpy() for step in gradients]), axis=2)
        for number in range(states)
    ]


@pytest.mark.parametrize("kind", [kl.SimpleRNN, kl.LSTM, kl.GRU])
def test_pytorch_gives_the_same_norms(kind):
    layer = kind(H, name="layer", bias_initializer="random_normal")
    model = regressor(layer)
    found = norms(gradient_flow(model, X, Y, loss="mse"))["layer"]
    for got, expected in zip(found.values(), by_torch(model, layer, len(found)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=RTOL)


@pytest.mark.parametrize("kind", [kl.SimpleRNN, kl.LSTM, kl.GRU])
def test_central_differences_give_the_same_norms(kind):
    layer = kind(H, name="layer", dtype="float64")
    model = regressor(layer, dtype="float64")
    x, y, epsilon = X[:1].astype("float64"), Y[:1].astype("float64"), 1e-5
    loss = keras.losses.MeanSquaredError(dtype="float64")
    found = norms(gradient_flow(model, tf.constant(x), tf.constant(y), loss=loss))["layer"]

    def losses(shifts, at, number):
        """The loss for every shift (N, H) of one state after step `at`."""
        states = [tf.zeros((len(shifts), H), tf.float64) for _ in found]
        for t in range(T):
            states = list(layer.cell(tf.repeat(x[:, t], len(shifts), axis=0), states)[1])
            if t == at:
                states[number] += shifts
        return np.square(model.get_layer("head")(states[0]).numpy() - y)[:, 0]

    shifts = epsilon * np.eye(H)
    for number, got in enumerate(found.values()):
        for at in (0, T // 2, T - 1):
            slopes = (losses(shifts, at, number) - losses(-shifts, at, number)) / (2 * epsilon)
            np.testing.assert_allclose(got[at, 0], np.linalg.norm(slopes), rtol=1e-7, atol=1e-10)


def test_scan_taps_and_keras_loop_give_the_same_norms():
    layer = RNN(ElmanCell(H), name="layer", go_backwards=True)
    model = regressor(layer)
    with tf.GradientTape() as tape, recording(tape, per_sample=True) as record:
        loss = tf.reduce_sum(tf.square(model(X) - Y))
    tapped = np.exp(tape.gradient(loss, record.taps)["layer"].numpy())
    twin = regressor(kl.SimpleRNN(H, name="layer", go_backwards=True))
    twin.set_weights(model.get_weights())
    for each in (model, twin):
        found = gradient_flow(each, X, Y, loss="mse").layers["layer"]["h"]
        np.testing.assert_allclose(np.exp(found.processed), tapped, rtol=RTOL)


@pytest.mark.parametrize("kind", [kl.LSTM, RNN])
def test_a_backwards_layer_is_read_in_input_order(kind):
    make = (
        (lambda **options: RNN(ElmanCell(H), **options))
        if kind is RNN
        else (lambda **options: kl.LSTM(H, **options))
    )
    forwards, backwards = regressor(make(name="layer")), regressor(make(name="layer", go_backwards=True))
    backwards.set_weights(forwards.get_weights())
    there = gradient_flow(forwards, X[:, ::-1], Y, loss="mse").layers["layer"]
    back = gradient_flow(backwards, X, Y, loss="mse").layers["layer"]
    for name in there:
        np.testing.assert_allclose(back[name].log_norms[::-1], there[name].log_norms, rtol=RTOL)
        np.testing.assert_array_equal(back[name].lag, there[name].lag[::-1])
        assert back[name].rate == pytest.approx(there[name].rate, rel=1e-4)


def test_a_stack_of_cells_gives_the_norms_of_a_stack_of_layers():
    cells = regressor(kl.RNN([kl.SimpleRNNCell(H), kl.SimpleRNNCell(4)], name="stack"))
    layers = regressor(kl.SimpleRNN(H, return_sequences=True, name="a"), kl.SimpleRNN(4, name="b"))
    layers.set_weights(cells.get_weights())
    stacked = norms(gradient_flow(cells, X, Y, loss="mse"))["stack"]
    apart = norms(gradient_flow(layers, X, Y, loss="mse"))
    np.testing.assert_allclose(stacked["cell_0/h"], apart["a"]["h"], rtol=RTOL)
    np.testing.assert_allclose(stacked["cell_1/h"], apart["b"]["h"], rtol=RTOL)


def test_bidirectional_gives_the_norms_of_its_two_layers():
    together = regressor(kl.Bidirectional(kl.SimpleRNN(H), name="both"))
    inputs = keras.Input((T, F))
    merged = kl.concatenate(
        [kl.SimpleRNN(H, name="a")(inputs), kl.SimpleRNN(H, name="b", go_backwards=True)(inputs)]
    )
    apart = keras.Model(inputs, kl.Dense(1)(merged))
    apart.set_weights(together.get_weights())
    wrapped, plain = (norms(gradient_flow(model, X, Y, loss="mse")) for model in (together, apart))
    assert [name.rstrip("_0123456789") for name in wrapped] == [
        "both/forward_simple_rnn",
        "both/backward_simple_rnn",
    ]
    for got, expected in zip(wrapped.values(), plain.values(), strict=True):
        np.testing.assert_allclose(got["h"], expected["h"], rtol=RTOL)


def test_slices_of_time_distributed_are_samples():
    model = regressor(
        kl.TimeDistributed(kl.LSTM(4, name="inner"), name="outer"), kl.Flatten(), shape=(2, T, F)
    )
    x = np.stack([X, X[:, ::-1]], axis=1)
    folded = norms(gradient_flow(model, x, Y, loss="mse"))["outer/inner"]
    apart = keras.Input((2, T, F))
    layer = kl.LSTM(4, name="inner")
    outputs = kl.Dense(1)(kl.concatenate([layer(apart[:, 0]), layer(apart[:, 1])]))
    twin = keras.Model(apart, outputs)
    twin.set_weights(model.get_weights())
    calls = norms(gradient_flow(twin, x, Y, loss="mse"))
    for name in ("h", "c"):
        assert folded[name].shape == (T, 2 * B)
        np.testing.assert_allclose(folded[name][:, 0::2], calls["inner"][name], rtol=RTOL)
        np.testing.assert_allclose(folded[name][:, 1::2], calls["inner/1"][name], rtol=RTOL)


def test_masked_steps_are_nan_and_the_rest_as_if_removed():
    model = regressor(
        kl.Masking(),
        kl.LSTM(H, name="layer", return_sequences=True),
        kl.SimpleRNN(4, name="upper"),
        shape=(None, F),
    )
    x = X.copy()
    x[:, [0, 1, 4, T - 1]] = 0
    hidden = np.logical_not(x.any(axis=2)).T
    masked = gradient_flow(model, x, Y, loss="mse")
    short = gradient_flow(model, x[:, x[0].any(axis=1)], Y, loss="mse")
    for layer, states in masked.layers.items():
        for name, state in states.items():
            np.testing.assert_array_equal(np.isnan(state.log_norms), hidden)
            kept = state.log_norms[~hidden[:, 0]]
            np.testing.assert_allclose(kept, short.layers[layer][name].log_norms, rtol=RTOL, atol=1e-5)
            assert state.rate == pytest.approx(short.layers[layer][name].rate, rel=1e-4)


def test_xla_graph_and_eager_execution_agree():
    model = regressor(kl.LSTM(H, name="layer", return_sequences=True), RNN(ElmanCell(4), name="scan"))
    plain = norms(gradient_flow(model, X, Y, loss="mse"))
    for compiling in ({"jit_compile": True}, {"run_eagerly": True}):
        model.compile("sgd", "mse", **compiling)
        for layer, states in norms(gradient_flow(model, X, Y)).items():
            for name, found in states.items():
                np.testing.assert_allclose(found, plain[layer][name], rtol=1e-4, err_msg=str(compiling))
