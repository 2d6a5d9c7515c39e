"""Models that step, stack, name and hand on in ways of their own, against an unrolled tape."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import gradient_flow
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN

B, T, F, H = 3, 5, 4, 4
RTOL = 2e-5
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(B, T, F)).astype("float32")
Y = np.ones((B, T, H), "float32")


def unrolled(cell, wrap=lambda output, x: output, x=X, every=True):
    """||dl_b/ds_t|| of each state by a Python loop; a copy stands for what a step hands on.

    The output is taken to be the state of the same values, if there is one, then `wrap`ped.
    """
    states = [tf.convert_to_tensor(s) for s in keras.tree.flatten(cell.get_initial_state(batch_size=B))]
    kept, outputs = [], []
    with tf.GradientTape() as tape:
        for t in range(x.shape[1]):
            output, after = cell(tf.constant(x[:, t]), states)
            states = [tf.identity(state) for state in keras.tree.flatten(after)]
            kept.append(states)
            same = [s for s in states if s.shape == output.shape and np.array_equal(s, output)]
            outputs.append(wrap(same[0] if same else output, x[:, t]))
        read = tf.stack(outputs, 1) if every else outputs[-1][:, tf.newaxis]
        losses = tf.reduce_mean(tf.square(read - 1.0), axis=[1, 2])
    gradients = tape.gradient(losses, kept, unconnected_gradients="zero")
    return [np.linalg.norm([g[n] for g in gradients], axis=2) for n in range(len(states))]


def measured(layer, x=X, **options):
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    y = Y if layer.return_sequences else Y[:, 0]
    flow = gradient_flow(model, x, y, loss="mse", **options)
    assert flow.warnings == ()
    assert all(each.agrees for each in flow.checked)
    return flow


def norms(states):
    return {name: np.exp(state.log_norms) for name, state in states.items()}


def draw(cell):
    keras.utils.set_random_seed(1)
    cell.build((B, F))
    cell.set_weights([0.6 * DRAW.normal(size=w.shape) for w in cell.get_weights()])
    return cell


class TracedLstm(kl.LSTMCell):
    call = tf.function(kl.LSTMCell.call)


class Copied(kl.SimpleRNNCell):
    def call(self, inputs, states, training=False):
        output, new = super().call(inputs, states, training)
        return keras.ops.copy(output), new


class BranchedInPython(kl.SimpleRNNCell):
    """Cannot be traced without AutoGraph, so its insides are out of sight."""

    @tf.function
    def call(self, inputs, states, training=False):
        h, new = super().call(inputs, states, training)
        if tf.reduce_sum(inputs) > 1e9:
            h = 0.0 * h
        return h, new


@pytest.mark.parametrize(
    ("kind", "every"),
    [
        *((kind, True) for kind in (TracedLstm, Copied, BranchedInPython)),
        *((kind, False) for kind in (TracedLstm, BranchedInPython)),
    ],
)
def test_an_output_is_the_state_that_it_equals(kind, every):
    cell = draw(kind(H))
    found = norms(measured(kl.RNN(cell, return_sequences=every, name="r"), verify=True).layers["r"])
    plain = next(base for base in kind.__mro__ if base.__module__.startswith("keras"))
    twin = draw(plain(H))
    twin.set_weights(cell.get_weights())
    assert list(found) == ["h", "c"][: len(found)]
    for got, expected in zip(found.values(), unrolled(twin, every=every), strict=True):
        np.testing.assert_allclose(got, expected, rtol=RTOL, atol=1e-9)


class Residual(kl.SimpleRNNCell):
    def call(self, inputs, states, training=False):
        h, new = super().call(inputs, states, training)
        return h + inputs, new


class Projected(kl.SimpleRNNCell):
    def call(self, inputs, states, training=False):
        h, new = super().call(inputs, states, training)
        return keras.ops.tanh(2.0 * h), new


class TracedResidual(Residual):
    call = tf.function(Residual.call)


WRAPS = {
    Residual: lambda h, x: h + x,
    Projected: lambda h, x: tf.tanh(2.0 * h),
    TracedResidual: lambda h, x: h + x,
}


@pytest.mark.parametrize("kind", WRAPS)
def test_an_output_that_is_made_from_the_state_reads_it(kind):
    cell = draw(kind(H))
    twin = draw(kl.SimpleRNNCell(H))
    twin.set_weights(cell.get_weights())
    found = norms(measured(kl.RNN(cell, return_sequences=True, name="r")).layers["r"])
    np.testing.assert_allclose(found["h"], unrolled(twin, WRAPS[kind])[0], rtol=RTOL)


class SameStack(kl.StackedRNNCells):
    pass


class OwnStack(kl.StackedRNNCells):
    """Adds a skip connection around every cell."""

    def call(self, inputs, states, training=False, **kwargs):
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            output, new = cell(inputs, list(state) if isinstance(state, list | tuple) else [state])
            inputs = inputs + output
            new_states.append(new[0])
        return inputs, new_states


class Pair(kl.Layer):
    """Two cells one above the other, in a layer that knows nothing of Keras' stack."""

    def __init__(self, lower, upper):
        super().__init__()
        self.lower, self.upper = lower, upper
        self.state_size, self.output_size = [H, H], H

    def call(self, inputs, states):
        below, (first,) = self.lower(inputs, [states[0]])
        above, (second,) = self.upper(below, [states[1]])
        return above, [first, second]


def pair_by_hand(lower, upper, skip):
    states, kept, outputs = [tf.zeros((B, H))] * 2, [], []
    with tf.GradientTape() as tape:
        for t in range(T):
            first = tf.identity(lower(tf.constant(X[:, t]), [states[0]])[0])
            between = X[:, t] + first if skip else first
            second = tf.identity(upper(between, [states[1]])[0])
            states = [first, second]
            kept.append(states)
            outputs.append(between + second if skip else second)
        losses = tf.reduce_mean(tf.square(tf.stack(outputs, 1) - 1.0), axis=[1, 2])
    gradients = tape.gradient(losses, kept)
    return [np.linalg.norm([g[n] for g in gradients], axis=2) for n in (0, 1)]


@pytest.mark.parametrize(
    ("stack", "skip"),
    [(kl.StackedRNNCells, False), (SameStack, False), (OwnStack, True), (lambda cells: Pair(*cells), False)],
    ids=["keras", "subclass", "skip connections", "own layer"],
)
def test_any_stack_of_cells_is_a_stack(stack, skip):
    cells = [draw(kl.SimpleRNNCell(H)), draw(kl.SimpleRNNCell(H))]
    found = norms(measured(kl.RNN(stack(cells), return_sequences=True, name="r")).layers["r"])
    assert list(found) == ["cell_0/h", "cell_1/h"]
    for got, expected in zip(found.values(), pair_by_hand(cells[0], cells[1], skip), strict=True):
        np.testing.assert_allclose(got, expected, rtol=RTOL)


class Zoneout(kl.Layer):
    """A wrapper whose state is a mixture of the inner cell's and the one before."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.state_size, self.output_size = cell, H, H

    def call(self, inputs, states):
        _, (h,) = self.cell(inputs, states)
        h = 0.3 * states[0] + 0.7 * h
        return h, [h]

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, H))]


def test_the_state_of_a_wrapper_is_the_one_that_it_hands_on():
    cell = Zoneout(draw(kl.SimpleRNNCell(H)))
    found = norms(measured(kl.RNN(cell, return_sequences=True, name="r")).layers["r"])
    np.testing.assert_allclose(found["h"], unrolled(cell)[0], rtol=RTOL)


class Swapped(kl.LSTMCell):
    """States (c, h)."""

    def call(self, inputs, states, training=False):
        h, (_, c) = super().call(inputs, states[::-1], training)
        return h, [c, h]


@pytest.mark.parametrize("layer", [kl.RNN, RNN], ids=["keras", "rnnexp"])
def test_the_output_is_found_among_the_states_by_value(layer):
    cell = draw(Swapped(H))
    found = norms(measured(layer(cell, return_sequences=True, name="r")).layers["r"])
    assert list(found) == ["c", "h"]
    for got, expected in zip(found.values(), unrolled(cell), strict=True):
        np.testing.assert_allclose(got, expected, rtol=RTOL, atol=1e-9)


class Scaled(kl.GRU):
    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(3.0 * sequences, initial_state, mask, training)


class ScaledSimple(kl.RNN):
    def inner_loop(self, sequences, initial_state, mask, training=False):
        last, outputs, states = super().inner_loop(3.0 * sequences, initial_state, mask, training)
        return 2.0 * last, 2.0 * outputs, states


class ScaledScan(RNN):
    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(3.0 * sequences, initial_state, mask, training)


@pytest.mark.parametrize(
    ("make", "cell", "factor"),
    [
        (lambda cell: Scaled(H, return_sequences=True, name="r"), kl.GRUCell, 1.0),
        (lambda cell: ScaledSimple(cell, return_sequences=True, name="r"), kl.SimpleRNNCell, 2.0),
        (lambda cell: ScaledScan(ElmanCell(H), return_sequences=True, name="r"), kl.SimpleRNNCell, 1.0),
        (lambda cell: ScaledScan(kl.GRUCell(H), return_sequences=True, name="r"), kl.GRUCell, 1.0),
    ],
    ids=["gru", "output", "scan", "rnnexp loop"],
)
def test_an_override_of_the_loop_is_run(make, cell, factor):
    layer = make(draw(cell(H)))
    found = norms(measured(layer).layers["r"])
    twin = draw(cell(H))
    twin.set_weights(layer.get_weights())
    expected = unrolled(twin, lambda h, x: factor * h, x=3.0 * X)
    np.testing.assert_allclose(found["h"], expected[0], rtol=RTOL)


class OwnCall(kl.SimpleRNN):
    """call() walks the steps itself, as under Keras 2."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        h, outputs = keras.ops.zeros((keras.ops.shape(sequences)[0], self.units)), []
        for t in range(sequences.shape[1]):
            h, _ = self.cell(sequences[:, t], [h])
            outputs.append(h)
        return keras.ops.stack(outputs, 1)


class Walks(kl.Layer):
    """A layer that holds a cell in a dictionary, and calls it in a loop."""

    return_sequences = True

    def __init__(self, cell, name):
        super().__init__(name=name)
        self.held = {"cell": cell}

    def call(self, inputs):
        states, outputs = [keras.ops.zeros((B, H))], []
        for t in range(inputs.shape[1]):
            output, states = self.held["cell"](inputs[:, t], states)
            outputs.append(output)
        return keras.ops.stack(outputs, 1)


class WalksInAGraph(kl.Layer):
    """A layer that calls a cell inside `tf.while_loop`."""

    return_sequences = True

    def __init__(self, cell, name):
        super().__init__(name=name)
        self.cell = cell

    def call(self, inputs):
        def step(state, x):
            return self.cell(x, [state])[0]

        states = tf.scan(step, tf.transpose(inputs, (1, 0, 2)), tf.zeros((B, H)))
        return tf.transpose(states, (1, 0, 2))


@pytest.mark.parametrize("kind", ["own call", "python loop", "scan"])
def test_a_cell_that_is_called_step_by_step_is_one_sequence(kind):
    cell = draw(kl.SimpleRNNCell(H, name="cell"))
    if kind == "own call":
        layer: kl.Layer = OwnCall(H, return_sequences=True, name="r")
        layer.build((B, T, F))
        layer.set_weights(cell.get_weights())
    else:
        layer = {"python loop": Walks, "scan": WalksInAGraph}[kind](cell, name="r")
    flow = measured(layer)
    (path,) = flow.layers
    assert path == ("r" if kind == "own call" else "r/cell")
    np.testing.assert_allclose(norms(flow.layers[path])["h"], unrolled(cell)[0], rtol=RTOL)


def test_a_layer_in_a_closure_is_measured():
    hidden = kl.SimpleRNN(H, return_sequences=True, name="hidden")
    hidden.build((B, T, F))
    flow = measured_model(
        keras.Sequential([keras.Input((T, F)), kl.Lambda(lambda x: hidden(x), name="around")])
    )
    np.testing.assert_allclose(norms(flow.layers["around/hidden"])["h"], unrolled(hidden.cell)[0], rtol=RTOL)


def measured_model(model, y=Y):
    return gradient_flow(model, X, y, loss="mse")


class Unseen(kl.SimpleRNN):
    """Takes its steps with its weights alone."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        h = keras.ops.zeros((B, self.units))
        for t in range(sequences.shape[1]):
            h = keras.ops.tanh(sequences[:, t] @ self.cell.kernel + h @ self.cell.recurrent_kernel)
        return h


def test_a_layer_that_cannot_be_measured_is_named_once(caplog):
    layers = [kl.SimpleRNN(F, return_sequences=True, name="g"), Unseen(H, name="own")]
    flow = measured_model(keras.Sequential([keras.Input((T, F)), *layers]), Y[:, 0])
    assert list(flow.layers) == ["g"]
    assert [warning.split(" takes")[0] for warning in flow.warnings] == ["layer own"]
    assert caplog.text.count("layer own") == 1
    with pytest.raises(Exception, match="layer own takes its steps by neither"):
        measured_model(keras.Sequential([keras.Input((T, F)), layers[1]]), Y[:, 0])


def decoder(steps, length=1):
    """A decoder fed with nothing, whose states go from call to call."""
    state = x = keras.Input((H,))
    step = kl.SimpleRNN(
        H, return_state=True, name="decoder", recurrent_initializer=keras.initializers.Orthogonal(0.05)
    )
    for _ in range(steps):
        output, state = step(kl.Reshape((length, H))(kl.RepeatVector(length)(state * 0)), initial_state=state)
    return keras.Model(x, output), step


@pytest.mark.parametrize(("calls", "length"), [(4, 1), (2, 3)])
def test_calls_that_hand_states_on_are_one_profile(calls, length):
    model, layer = decoder(calls, length)
    flow = gradient_flow(model, X[:, 0], Y[:, 0], loss="mse")
    ((path, states),) = flow.layers.items()
    assert (path, states["h"].verdict) == ("decoder", "vanishing")
    state, kept = tf.constant(X[:, 0]), []
    with tf.GradientTape() as tape:
        for _ in range(calls * length):
            state = tf.identity(layer.cell(tf.zeros((B, H)), [state])[0])
            kept.append(state)
        losses = tf.reduce_mean(tf.square(state - 1.0), axis=1)
    expected = np.linalg.norm(tape.gradient(losses, kept), axis=2)
    np.testing.assert_allclose(np.exp(states["h"].log_norms), expected, rtol=1e-4)


def test_one_step_has_no_verdict():
    model, _ = decoder(1)
    flow = gradient_flow(model, X[:, 0], Y[:, 0], loss="mse")
    assert flow.verdicts() == {"decoder/h": "not_measured"}


def test_a_state_that_nobody_reads_has_no_verdict():
    def last_input(x):
        return kl.Dense(1)(x[:, -1]) + 0 * kl.GlobalAveragePooling1D()(kl.Dense(1)(x))

    inputs = keras.Input((T, F))
    unread = kl.SimpleRNN(3, name="unread")(inputs)
    output = kl.Lambda(lambda pair: pair[0] + tf.stop_gradient(tf.reduce_sum(pair[1])))(
        [last_input(inputs), unread]
    )
    flow = gradient_flow(keras.Model(inputs, output), X, Y[:, 0, :1], loss="mse")
    assert flow.verdicts() == {"unread/h": "not_measured"}


class Outer(kl.Layer):
    """A cell that runs a layer over its input at every step."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.state_size, self.output_size = inner, H, H

    def build(self, shape):
        self.inner.build((None, 2, F // 2))

    def call(self, x, states):
        h = self.inner(keras.ops.reshape(x, (-1, 2, F // 2))) + 0.5 * states[0]
        return h, [h]


def test_a_shape_probe_of_keras_is_no_call():
    inner = kl.SimpleRNN(H, name="inner")
    flow = measured(kl.RNN(Outer(inner), return_sequences=True, name="outer"))
    rows = [name for name in flow.layers if "inner" in name]
    assert len(rows) == T
    for name in rows:
        assert np.isfinite(flow.layers[name]["h"].log_norms).all()


def test_layers_of_one_name_are_told_apart_by_their_attributes():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = kl.SimpleRNN(F, return_sequences=True, name="rnn")
            self.others = [kl.SimpleRNN(H, name="rnn")]

        def call(self, x):
            return self.others[0](self.first(x))

    model = Two()
    model(X)
    flow = measured_model(model, Y[:, 0])
    assert list(flow.layers) == ["first/rnn", "others/0/rnn"]
    assert [s.read_at_every_step for s in flow.states] == [True, False]


def test_slices_of_time_distributed_count_as_in_fit():
    inner = keras.Sequential([
        keras.Input((T, F)),
        kl.SimpleRNN(H, activity_regularizer=keras.regularizers.L2(1.0)),
        kl.BatchNormalization(),
    ])  # fmt: skip
    model = keras.Sequential([keras.Input((2, T, F)), kl.TimeDistributed(inner), kl.Flatten(), kl.Dense(H)])
    model.compile("sgd", "mse")
    x = DRAW.normal(size=(B, 2, T, F)).astype("float32")
    for training in (True, False):
        flow = gradient_flow(model, x, Y[:, 0], training=training)
        loss = model.compute_loss(x, Y[:, 0], model(x, training=training), training=training)
        assert flow.loss == pytest.approx(float(loss), rel=1e-5)
        assert flow.warnings == ()
    (path,) = [name for name in flow.layers if "time_distributed" in name]
    assert flow.layers[path]["h"].log_norms.shape == (T, 2 * B)
