"""What layers report of their calls, and that nothing of it stays with them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models.instrumentation import OutOfSightError, Sites, instrumented
from rnnexp.diagnosis.keras_models.reachable import layers_by_path
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.tapped_step import covered

B, T, F, H = 2, 5, 3, 4
X = tf.constant(np.random.default_rng(0).normal(size=(B, T, F)), tf.float32)


class Thing:
    kind = "of the class"


@pytest.mark.parametrize("own", [{}, {"kind": "own"}, {"kind": None}])
def test_an_attribute_is_covered_and_is_back_after_an_exception(own):
    thing = Thing()
    vars(thing).update(own)
    before = thing.kind
    with pytest.raises(KeyError), covered(thing, "kind", "new"):
        assert thing.kind == "new"
        with covered(thing, "kind", "newer"):
            assert thing.kind == "newer"
        assert thing.kind == "new"
        raise KeyError
    assert (vars(thing), thing.kind) == (own, before)
    assert Thing.kind == "of the class"


def test_a_cover_that_was_taken_off_already_is_no_fault():
    thing = Thing()
    with covered(thing, "kind", "new"):
        del thing.kind
    assert thing.kind == "of the class"


def test_every_layer_is_listed_once_by_its_path():
    shared = kl.Dense(F, name="shared")
    inner = keras.Sequential([shared, kl.Bidirectional(kl.GRU(2, name="gru"), name="both")], name="inner")
    model = keras.Sequential([keras.Input((T, F)), shared, inner])
    found = dict(layers_by_path(model))
    assert found["shared"] is shared
    assert found["inner"] is inner
    assert "inner/shared" not in found
    assert [path for path, layer in found.items() if isinstance(layer, kl.GRU)] == [
        "inner/both/forward_gru",
        "inner/both/backward_gru",
    ]


def sequential(*members):
    return keras.Sequential([keras.Input((T, F)), *members])


def look(model, strict=True, x=X):
    """The sites of one call under a tape, its output, and d sum(output) / d taps."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        sites = Sites(tape, strict)
        with instrumented(model, sites):
            output = model(x)
        sites.finish()
        total = tf.reduce_sum(output)
    return sites.calls, output, tape.gradient(total, [list(site.taps) for site in sites.calls])


def test_a_site_says_what_was_called_and_how():
    model = sequential(
        kl.Masking(),
        kl.LSTM(F, return_sequences=True, name="first"),
        kl.GRU(H, go_backwards=True, name="second"),
    )
    x = X * tf.constant([1.0, 1, 0, 1, 1])[:, None]
    (first, second), *_ = look(model, x=x)
    assert (first.name, first.step.names([False] * 2)) == ("first", (["h", "c"], [0]))
    assert (second.name, second.step.names([False])) == ("second", (["h"], [0]))
    assert (first.go_backwards, first.read_at_every_step, first.hands_on) == (False, True, True)
    assert (second.go_backwards, second.read_at_every_step, second.hands_on) == (True, False, True)
    assert (first.slices, second.slices) == (None, None)
    np.testing.assert_array_equal(first.mask, [[True, True, False, True, True]] * B)
    assert [tap.shape for tap in (*first.taps, *second.taps)] == [(B, T, F), (B, T, F), (B, T, H)]


def test_calls_are_noted_in_their_order():
    inputs = keras.Input((T, F))
    layer, other = (kl.SimpleRNN(F, return_sequences=True, name=name) for name in ("a", "b"))
    calls, *_ = look(keras.Model(inputs, layer(other(layer(layer(inputs))))))
    assert [site.name for site in calls] == ["a", "a", "b", "a"]


def test_taps_hold_the_adjoints_of_a_linear_recurrence():
    gain = 0.5
    recurrent = keras.initializers.Identity(gain)
    layer = kl.SimpleRNN(H, activation="linear", recurrent_initializer=recurrent)
    scan = RNN(ElmanCell(H, activation="linear", recurrent_initializer=recurrent))
    expected = gain ** np.arange(T)[::-1]  # d sum(h_T) / dh_t, every unit alike
    (plain,), _, ((of_plain,),) = look(sequential(layer))
    (logarithmic,), _, ((of_scan,),) = look(sequential(scan))
    np.testing.assert_allclose(of_plain, np.broadcast_to(expected[:, None], (B, T, H)), rtol=1e-6)
    norms = np.broadcast_to((np.sqrt(H) * expected)[:, None], (T, B))
    np.testing.assert_allclose(np.exp(of_scan), norms, rtol=1e-6)
    assert plain.step is not None
    assert logarithmic.step is None


MODELS = {
    "lstm": lambda: sequential(kl.LSTM(H)),
    "scan": lambda: sequential(RNN(ElmanCell(H))),
    "bidirectional": lambda: sequential(kl.Bidirectional(kl.GRU(H))),
    "time distributed": lambda: keras.Sequential(
        [keras.Input((T, F)), kl.Reshape((T, F, 1)), kl.TimeDistributed(kl.SimpleRNN(H))]
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_values_are_the_same_within_and_no_attribute_is_left(name):
    model = MODELS[name]()
    plain = model(X)
    before = [dict(vars(layer)) for layer in model._flatten_layers()]
    calls, output, _ = look(model)
    np.testing.assert_allclose(output, plain, rtol=1e-6, atol=1e-7)
    assert len(calls) == {"bidirectional": 2, "time distributed": T}.get(name, 1)
    assert [set(vars(layer)) for layer in model._flatten_layers()] == [set(each) for each in before]
    with pytest.raises(KeyError), instrumented(model, Sites(tf.GradientTape(), strict=True)):
        raise KeyError
    assert [set(vars(layer)) for layer in model._flatten_layers()] == [set(each) for each in before]


def test_the_slices_of_time_distributed_belong_together():
    calls, _, gradients = look(MODELS["time distributed"]())
    assert len({site.slices for site in calls}) == 1
    for site, (gradient,) in zip(calls, gradients, strict=True):
        assert site.taps[0].shape == (B, F, H)
        np.testing.assert_array_equal(gradient[:, -1], np.ones((B, H)))  # d sum / dh_T


def test_fused_kernels_of_both_directions_are_not_attempted():
    model = sequential(kl.Bidirectional(kl.LSTM(H)))
    both = model.layers[0]
    with instrumented(model, Sites(tf.GradientTape(), strict=True)):
        assert not both._can_attempt_fused_lstm(X)
        assert not both._can_attempt_fused_gru(X)
    assert not {"_can_attempt_fused_lstm", "_can_attempt_fused_gru"} & set(vars(both))


def apart(layer, x, how):
    """Call a layer in a graph of its own, or where no tape records."""
    if how == "graph":
        return tf.function(lambda: layer(x), autograph=False)()
    return tf.recompute_grad(layer)(x)


@pytest.mark.parametrize("how", ["graph", "unrecorded"])
def test_a_call_out_of_sight_is_refused_or_left_out(how):
    model = sequential(kl.SimpleRNN(H, name="layer"))
    layer, plain = model.layers[0], model(X)
    with tf.GradientTape() as tape:
        sites = Sites(tape, strict=True)
        with instrumented(model, sites), pytest.raises(OutOfSightError, match="layer"):
            apart(layer, X, how)
    with tf.GradientTape() as tape:
        sites = Sites(tape, strict=False)
        with instrumented(model, sites):
            np.testing.assert_allclose(apart(layer, X, how), plain, rtol=1e-6)
    assert sites.calls == []
    assert sites.notes == ["layer layer runs in a graph of its own, or unrecorded"]


class Silent(kl.SimpleRNN):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return sequences[:, -1] @ self.cell.kernel


def test_a_layer_that_was_called_and_did_not_report_is_noted():
    model = sequential(kl.SimpleRNN(H, return_sequences=True), Silent(H, name="silent"))
    with tf.GradientTape() as tape:
        sites = Sites(tape, strict=True)
        with instrumented(model, sites):
            model(X)
    sites.finish()
    assert sites.notes == ["layer silent takes its steps by neither Keras' loop nor its cell"]


def test_values_move_the_states_in_their_order():
    model = sequential(kl.SimpleRNN(H, return_sequences=True), RNN(ElmanCell(H)))
    plain = model(X)
    outputs = []
    for place in (0, 1):
        values = [tf.ones((B, T, H)) if n == place else tf.zeros((B, T, H)) for n in (0, 1)]
        with tf.GradientTape() as tape:
            sites = Sites(tape, strict=True, values=values)
            with instrumented(model, sites):
                outputs.append(model(X))
        assert len(sites.opened) == 2
    layer = model.layers[1]
    hidden = model.layers[0](X)
    state = tf.zeros((B, H))
    for t in range(T):
        state = layer.cell(hidden[:, t], [state])[0] + 1.0
    np.testing.assert_allclose(outputs[1], state, rtol=1e-5)
    assert not np.allclose(outputs[0], plain)
