import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn import taps
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import Record

T, B, F, H = 5, 3, 2, 4


class Wrapper(keras.layers.Layer):
    """A layer whose output shape Keras finds by calling it in a scratch graph."""

    def __init__(self):
        super().__init__()
        self.recurrent = RNN(ElmanCell(H, dtype="float64"), dtype="float64", name="inner")

    def call(self, x):
        return self.recurrent(x)


@pytest.fixture
def x():
    return tf.constant(np.random.default_rng(0).standard_normal((B, T, F)))


def layer(name, **arguments):
    return RNN(ElmanCell(H, dtype="float64"), dtype="float64", name=name, **arguments)


def record_of(call, per_sample=False):
    """Names -> ln ||dL/dh_t|| for L = sum of squares of what `call` returns."""
    with tf.GradientTape() as tape, taps.recording(tape, per_sample) as record:
        loss = tf.reduce_sum(tf.square(call()))
    return {name: norms.numpy() for name, norms in tape.gradient(loss, record.taps).items()}


def unrolled(cell, steps):
    """All states of a loop over the cell, each of them to be watched by the caller's tape."""
    states = [cell.get_initial_state(batch_size=B)[0]]
    for step in steps:
        states.append(cell(step, states[-1])[0])
    return states[1:]


def norms_of(gradients, per_sample=False):
    return np.log(np.linalg.norm(np.array(gradients), axis=2 if per_sample else (1, 2)))


@pytest.mark.parametrize(("per_sample", "shape"), [(False, (T,)), (True, (T, B))])
def test_a_tap_is_float64_zeros_whose_gradient_is_the_record(x, per_sample, shape):
    recurrent = layer("rnn")
    with tf.GradientTape() as tape, taps.recording(tape, per_sample) as record:
        loss = tf.reduce_sum(recurrent(x))
    (tap,) = record.taps.values()
    assert tap.dtype == tf.float64
    np.testing.assert_array_equal(tap, np.zeros(shape))
    assert tape.gradient(loss, tap).shape == shape


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_two_layers_are_recorded_by_name_in_processing_order(x, per_sample, go_backwards):
    first, second = layer("a", return_sequences=True, go_backwards=go_backwards), layer("ab")
    got = record_of(lambda: second(first(x)), per_sample)
    order = -1 if go_backwards else 1
    with tf.GradientTape() as tape:
        inner = unrolled(first.cell, tf.unstack(x, axis=1)[::order])
        outer = unrolled(second.cell, inner)
        loss = tf.reduce_sum(tf.square(outer[-1]))
    to_inner, to_outer = tape.gradient(loss, (inner, outer))
    assert list(got) == ["a", "ab"]
    np.testing.assert_allclose(got["a"], norms_of(to_inner, per_sample), rtol=1e-9)
    np.testing.assert_allclose(got["ab"], norms_of(to_outer, per_sample), rtol=1e-9)


def test_every_call_of_a_layer_has_a_name(x):
    recurrent, other = layer("rnn"), layer("rnn_2")
    got = record_of(lambda: recurrent(x) + recurrent(2 * x) + other(x) + recurrent(3 * x))
    assert list(got) == ["rnn", "rnn/1", "rnn_2", "rnn/2"]
    with tf.GradientTape() as tape:
        calls = [unrolled(recurrent.cell, tf.unstack(scale * x, axis=1)) for scale in (1, 2, 3)]
        loss = tf.reduce_sum(tf.square(sum(states[-1] for states in calls) + other(x)))
    for name, gradients in zip(["rnn", "rnn/1", "rnn/2"], tape.gradient(loss, calls), strict=True):
        np.testing.assert_allclose(got[name], norms_of(gradients), rtol=1e-9, err_msg=name)


def test_recordings_nest_and_the_innermost_is_current():
    assert taps.current() is None
    with tf.GradientTape() as tape, taps.recording(tape) as outer:
        with taps.recording(tape) as inner:
            assert taps.current() is inner
        assert taps.current() is outer
    assert taps.current() is None


def test_an_error_inside_ends_the_recording():
    with pytest.raises(KeyError), taps.recording(tf.GradientTape()):
        raise KeyError
    assert taps.current() is None


def test_recording_changes_no_bit_of_the_output(x):
    recurrent = layer("rnn", return_sequences=True)
    with tf.GradientTape() as tape, taps.recording(tape):
        recorded = recurrent(x)
    np.testing.assert_array_equal(recorded, recurrent(x))


def other(cell, name="rnn", **arguments):
    return RNN(cell, dtype="float64", name=name, **arguments)


CELLS = {
    "lstm": lambda: keras.layers.LSTMCell(H, dtype="float64"),
    "gru": lambda: keras.layers.GRUCell(H, dtype="float64"),
    "gru, reset before": lambda: keras.layers.GRUCell(H, reset_after=False, dtype="float64"),
    "an activation that is not elementwise": lambda: ElmanCell(H, tf.nn.softmax, dtype="float64"),
}
NAMES = {"lstm": ["rnn", "rnn:c"]}
each_cell = pytest.mark.parametrize("cell", CELLS)


def by_loop(recurrent, x, per_sample, mask=None):
    """ln ||dL/ds_t|| of every state by a Python loop; a tensor of its own stands for what a step hands on."""
    order = -1 if recurrent.go_backwards else 1
    masks = [None] * T if mask is None else list(mask.T)
    states, kept = recurrent.cell.get_initial_state(batch_size=B), []
    with tf.GradientTape() as tape:
        for step, kept_step in list(zip(tf.unstack(x, axis=1), masks, strict=True))[::order]:
            after = recurrent.cell(step, states)[1]
            if kept_step is not None:
                pairs = zip(after, states, strict=True)
                after = [tf.where(kept_step[:, None], new, old) for new, old in pairs]
            states = tf.nest.map_structure(tf.identity, after)
            kept.append(tf.nest.flatten(states))
        loss = tf.reduce_sum(tf.square(kept[-1][0]))
    gradients = tape.gradient(loss, kept, unconnected_gradients="zero")
    with np.errstate(divide="ignore"):
        return [norms_of([each[k].numpy() for each in gradients], per_sample) for k in range(len(kept[0]))]


@each_cell
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_any_cell_hands_out_the_adjoint_of_every_state(cell, x, per_sample, go_backwards):
    recurrent = other(CELLS[cell](), go_backwards=go_backwards)
    recurrent(x)
    got = record_of(lambda: recurrent(x), per_sample)
    assert sorted(got) == sorted(NAMES.get(cell, ["rnn"]))
    for name, expected in zip(NAMES.get(cell, ["rnn"]), by_loop(recurrent, x, per_sample), strict=True):
        np.testing.assert_allclose(got[name], expected, rtol=1e-9, err_msg=name)


def test_a_stack_of_cells_is_recorded_like_a_stack_of_layers(x):
    cells = [CELLS["lstm"](), ElmanCell(H, dtype="float64")]
    stack = other(keras.layers.StackedRNNCells(cells, dtype="float64"))
    stack(x)
    inner, outer = other(CELLS["lstm"](), "inner", return_sequences=True), layer("outer")
    outer(inner(x))
    inner.set_weights(stack.get_weights()[:3])
    outer.set_weights(stack.get_weights()[3:])
    got, expected = record_of(lambda: stack(x)), record_of(lambda: outer(inner(x)))
    names = {"rnn:cell_0/h": "inner", "rnn:cell_0/c": "inner:c", "rnn": "outer"}
    assert sorted(got) == sorted(names)
    for name, other_name in names.items():
        np.testing.assert_allclose(got[name], expected[other_name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(("cell", "return_sequences"), [("lstm", True), ("gru", False)])
def test_any_cell_compiled_by_xla(cell, x, return_sequences):
    recurrent = other(CELLS[cell](), return_sequences=return_sequences)
    expected = record_of(lambda: recurrent(x))

    @tf.function(jit_compile=True)
    def norms(x):
        with tf.GradientTape() as tape, taps.recording(tape) as record:
            loss = tf.reduce_sum(tf.square(recurrent(x)))
        return tape.gradient(loss, record.taps)

    for name, got in norms(x).items():
        np.testing.assert_allclose(got, expected[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("options", [{"unroll": True}, {}])
def test_a_layer_in_keras_own_loop_hands_out_what_the_scan_does(x, options):
    scanned, looped = layer("scanned"), layer("looped", **options)
    looped.build(x.shape)
    scanned.build(x.shape)
    looped.set_weights(scanned.get_weights())
    mask = None if options else np.ones((B, T), bool)
    expected = record_of(lambda: scanned(x))["scanned"]
    np.testing.assert_allclose(record_of(lambda: looped(x, mask=mask))["looped"], expected, rtol=1e-9)


def test_a_masked_step_has_no_gradient(x):
    recurrent, mask = layer("rnn"), np.ones((B, T), bool)
    mask[1, [0, 3]] = False
    recurrent(x)
    got = record_of(lambda: recurrent(x, mask=mask), per_sample=True)["rnn"]
    assert np.isneginf(got[[0, 3], 1]).all()
    assert np.isfinite(got).sum() == B * T - 2
    expected = by_loop(recurrent, x, per_sample=True, mask=mask)[0]
    np.testing.assert_allclose(got[:, [0, 2]], expected[:, [0, 2]], rtol=1e-9)
    np.testing.assert_allclose(got[[1, 2, 4], 1], expected[[1, 2, 4], 1], rtol=1e-9)


def test_only_the_output_is_recorded_where_no_more_is_wanted(x):
    recurrent = other(CELLS["lstm"]())
    recurrent(x)
    with tf.GradientTape() as tape, taps.recording(tape, outputs_only=True) as record:
        loss = tf.reduce_sum(tf.square(recurrent(x)))
    assert list(record.taps) == ["rnn"]
    expected = record_of(lambda: recurrent(x))["rnn"]
    np.testing.assert_allclose(tape.gradient(loss, record.taps)["rnn"], expected, rtol=1e-12)


def test_every_call_of_a_layer_with_two_states_has_a_name(x):
    recurrent = other(CELLS["lstm"]())
    assert sorted(record_of(lambda: recurrent(x) + recurrent(2 * x))) == ["rnn", "rnn/1", "rnn/1:c", "rnn:c"]


@pytest.mark.parametrize("exponent", [-30, 30])
def test_norms_beyond_the_squares_of_float32(x, exponent):
    """dL/dh_t is 1e30 or 1e-30: its square is not a number of float32."""
    recurrent = RNN(keras.layers.GRUCell(H), name="rnn")
    recurrent(x)
    norms = []
    for scale in (1.0, 10.0**exponent):
        with tf.GradientTape() as tape, taps.recording(tape) as record:
            loss = tf.reduce_sum(scale * recurrent(x))
        norms.append(tape.gradient(loss, record.taps)["rnn"].numpy())
    np.testing.assert_allclose(norms[1] - norms[0], exponent * np.log(10), rtol=1e-5)


def test_a_layer_that_the_loss_does_not_see_has_no_gradient(x):
    recurrent = layer("rnn")
    with tf.GradientTape() as tape, taps.recording(tape) as record:
        recurrent(x)
        loss = tf.reduce_sum(x)
    assert tape.gradient(loss, record.taps) == {"rnn": None}


def test_shape_inference_opens_no_tap(x):
    network = keras.Sequential([Wrapper(), keras.layers.Dense(1, dtype="float64")])
    recurrent = network.layers[0].recurrent
    assert not recurrent.built
    got = record_of(lambda: network(x))
    assert list(got) == ["inner"]
    np.testing.assert_allclose(got["inner"], record_of(lambda: network(x))["inner"], rtol=1e-12)


def test_a_nested_graph_that_the_tape_cannot_see_opens_no_tap(x):
    recurrent = layer("rnn")
    assert record_of(lambda: tf.function(recurrent)(x)) == {}


@pytest.mark.parametrize("jit_compile", [False, True])
def test_recording_inside_a_graph(x, jit_compile):
    recurrent = layer("rnn")
    expected = record_of(lambda: recurrent(x))

    @tf.function(jit_compile=jit_compile)
    def norms(x):
        with tf.GradientTape() as tape, taps.recording(tape) as record:
            loss = tf.reduce_sum(tf.square(recurrent(x)))
        return tape.gradient(loss, record.taps)

    np.testing.assert_allclose(norms(x)["rnn"], expected["rnn"], rtol=1e-12)


def test_a_tap_may_have_sizes_that_only_the_graph_knows():
    @tf.function
    def tap(steps, batch_size):
        with tf.GradientTape() as tape:
            return Record(tape, per_sample=True).tap("rnn", steps, batch_size)

    np.testing.assert_array_equal(tap(tf.constant(T), tf.constant(B)), np.zeros((T, B)))
