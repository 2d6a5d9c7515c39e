"""What layers report of their calls, and that nothing of it stays with them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models.instrumentation import (
    OutOfSightError,
    Sites,
    covered,
    instrumented,
    layers_by_path,
)
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN

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


def test_every_layer_is_found_once_by_the_names_on_the_way_to_it():
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
        sites.check(model)
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
    assert (first.name, first.states, second.name, second.states) == ("first", ["h", "c"], "second", ["h"])
    assert (first.go_backwards, first.read_at_every_step, first.logarithmic) == (False, True, False)
    assert (second.go_backwards, second.read_at_every_step, second.logarithmic) == (True, False, False)
    np.testing.assert_array_equal(first.mask, [[True, True, False, True, True]] * B)
    assert [tap.shape for tap in (*first.taps, *second.taps)] == [(B, T, F), (B, T, F), (B, T, H)]


def test_calls_are_numbered_for_each_layer_in_their_order():
    inputs = keras.Input((T, F))
    layer, other = (kl.SimpleRNN(F, return_sequences=True, name=name) for name in ("a", "b"))
    calls, *_ = look(keras.Model(inputs, layer(other(layer(layer(inputs))))))
    assert [site.name for site in calls] == ["a", "a/1", "b", "a/2"]


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
    assert (plain.logarithmic, logarithmic.logarithmic) == (False, True)


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
    assert len(calls) == (2 if name == "bidirectional" else 1)
    assert [set(vars(layer)) for layer in model._flatten_layers()] == [set(each) for each in before]
    with pytest.raises(KeyError), instrumented(model, Sites(tf.GradientTape(), strict=True)):
        raise KeyError
    assert [set(vars(layer)) for layer in model._flatten_layers()] == [set(each) for each in before]


def test_time_distributed_folds_outer_steps_into_the_batch_row_b_n_plus_n():
    model = MODELS["time distributed"]()
    (site,), output, ((gradient,),) = look(model)
    assert site.taps[0].shape == (B * T, F, H)
    np.testing.assert_array_equal(gradient[:, -1], np.ones((B * T, H)))  # d sum / dh_T
    inner = model.layers[-1].layer
    row = tf.reshape(X, (B * T, F, 1))[T + 2 : T + 3]  # sample 1, slice 2
    np.testing.assert_allclose(output[1, 2], inner(row)[0], rtol=1e-6)


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
def test_a_call_out_of_sight_is_refused_or_left_out(how, caplog):
    model = sequential(kl.SimpleRNN(H, name="layer"))
    layer, plain = model.layers[0], model(X)
    with tf.GradientTape() as tape:
        sites = Sites(tape, strict=True)
        with instrumented(model, sites), pytest.raises(OutOfSightError, match="layer"):
            apart(layer, X, how)
    assert not caplog.text
    with tf.GradientTape() as tape:
        sites = Sites(tape, strict=False)
        with instrumented(model, sites):
            np.testing.assert_allclose(apart(layer, X, how), plain, rtol=1e-6)
    assert sites.calls == []
    assert "layer layer runs in a graph of its own, or unrecorded, and is not measured" in caplog.text


def test_layers_that_never_reported_are_named_where_that_is_asked_for():
    model = sequential(kl.SimpleRNN(H, return_sequences=True, name="b"), kl.GRU(H, name="a"), kl.Dense(1))
    tape = tf.GradientTape()
    with pytest.raises(OutOfSightError, match="^a, b$"):
        Sites(tape, strict=True).check(model)
    Sites(tape, strict=False).check(model)
