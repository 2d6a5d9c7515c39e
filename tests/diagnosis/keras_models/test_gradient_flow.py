import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import rnnexp
from rnnexp.diagnosis.keras_models import GradientFlow, GradientFlowMonitor, backward, gradient_flow
from rnnexp.runtime.checks import ArgumentError

B, T, F = 6, 7, 3
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(B, T, F)).astype("float32")
Y = DRAW.normal(size=(B, 1)).astype("float32")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(4, name="rnn"), kl.Dense(1)])


@pytest.fixture
def traces(monkeypatch):
    """The number of measured passes that were traced or run eagerly."""
    made = []
    differentiate = backward.BackwardPass.differentiate

    def counting(self, *leaves):
        made.append("traced or eager")
        return differentiate(self, *leaves)

    monkeypatch.setattr(backward.BackwardPass, "differentiate", counting)
    return made


def log_norms(flow):
    return flow.layers["rnn"]["h"].log_norms


# Of all reductions of a loss the factor to that of a sample is tested in test_objective.
LOSSES = {
    "mean": (keras.losses.MeanSquaredError(), 1),
    "sum": (keras.losses.MeanSquaredError(reduction="sum"), 1),
    "callable, five times": (lambda y, prediction: 5 * tf.reduce_mean(tf.square(y - prediction)), 5),
}


def test_the_norms_are_of_the_loss_of_each_sample(model):
    alone = [log_norms(gradient_flow(model, X[b : b + 1], Y[b : b + 1], loss="mse"))[:, 0] for b in range(3)]
    for name, (loss, factor) in LOSSES.items():
        found = log_norms(gradient_flow(model, X, Y, loss=loss))
        np.testing.assert_allclose(found[:, :3].T - np.log(factor), alone, atol=1e-5, err_msg=name)


def test_the_compiled_loss_is_the_one_of_training(model):
    model.compile("sgd", "mae")
    flow = gradient_flow(model, X, Y)
    assert flow.loss == pytest.approx(np.mean(np.abs(Y - model(X))), rel=1e-6)
    np.testing.assert_allclose(log_norms(flow), log_norms(gradient_flow(model, X, Y, loss="mae")), rtol=1e-6)


def test_the_losses_of_all_outputs_count_by_their_weights(traces):
    inputs = keras.Input((T, F))
    hidden = kl.SimpleRNN(4, name="rnn")(inputs)
    model = keras.Model(inputs, {"a": kl.Dense(1, name="a")(hidden), "b": kl.Dense(1, name="b")(hidden)})
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 3.0, "b": 0.5})
    flow = gradient_flow(model, X, {"a": Y, "b": Y})
    assert len(traces) == 1  # Keras' running mean of each loss asks for no second one

    def by_hand(y, prediction):
        return 3 * tf.square(y["a"] - prediction["a"]) + 0.5 * tf.abs(y["b"] - prediction["b"])

    with tf.GradientTape() as tape:
        state = model.get_layer("rnn")(X)
        tape.watch(state)
        prediction = {name: model.get_layer(name)(state) for name in "ab"}
        loss = tf.reduce_sum(by_hand({"a": Y, "b": Y}, prediction))
    expected = np.linalg.norm(tape.gradient(loss, state).numpy(), axis=1)
    np.testing.assert_allclose(np.exp(log_norms(flow)[-1]), expected, rtol=1e-5)
    assert flow.loss == pytest.approx(float(loss) / B, rel=1e-5)


def test_float16_gradients_are_scaled_as_in_training():
    policy = keras.DTypePolicy("mixed_float16")
    model = keras.Sequential([
        keras.Input((T, F)),
        kl.SimpleRNN(4, name="rnn", dtype=policy, recurrent_initializer=keras.initializers.Identity(0.1)),
        kl.Dense(1, dtype=policy),
    ])  # fmt: skip
    twin = keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(4, name="rnn"), kl.Dense(1)])
    twin.set_weights(model.get_weights())
    exact = log_norms(gradient_flow(twin, X, Y, loss="mse"))
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "mse")
    np.testing.assert_allclose(log_norms(gradient_flow(model, X, Y)), exact, atol=0.1)
    model.compile(keras.optimizers.SGD(), "mse", auto_scale_loss=False)
    assert np.abs(log_norms(gradient_flow(model, X, Y)) - exact).max() > 0.5


def test_the_like_is_not_traced_again(model, traces):
    model.compile("sgd", "mse")
    for _ in range(3):
        gradient_flow(model, X, Y)
        model.train_on_batch(X, Y)
    assert len(traces) == 1
    before = gradient_flow(model, X, Y)
    model.set_weights([2 * weight for weight in model.get_weights()])
    assert gradient_flow(model, X, Y).loss != before.loss
    assert len(traces) == 1


def test_new_shape_loss_or_mode_retraces_and_keeps_old_traces(model, traces):
    model.compile("sgd", "mse")
    calls = [
        lambda: gradient_flow(model, X, Y),
        lambda: gradient_flow(model, X[:2], Y[:2]),
        lambda: gradient_flow(model, X, Y, training=True),
        lambda: gradient_flow(model, X, Y, loss="mae"),
    ]
    values = [call().loss for call in calls]
    assert [call().loss for call in calls] == values
    assert len(traces) == 4
    model.compile("sgd", "mae")
    assert calls[0]().loss == calls[3]().loss


def test_a_batch_that_cannot_be_taken_costs_later_ones_nothing(traces):
    model = keras.Sequential(
        [keras.Input((T,)), kl.Embedding(5, 2), kl.SimpleRNN(3, name="rnn"), kl.Dense(1)]
    )
    good = gradient_flow(model, np.zeros((B, T), int), Y, loss="mse")
    with pytest.raises(tf.errors.InvalidArgumentError, match="not in"):
        gradient_flow(model, np.full((B, T), 99), Y, loss="mse")
    assert len(traces) == 3  # a second trace and the eager attempt, whose message is raised
    again = gradient_flow(model, np.zeros((B, T), int), Y, loss="mse")
    np.testing.assert_array_equal(log_norms(again), log_norms(good))
    assert len(traces) == 3


class OwnSquares(keras.Sequential):
    """A model that is compiled with a method of its own."""

    def squares(self, y, prediction):
        return tf.square(y - prediction)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_model_is_collected_after_a_look(compiled):
    model = OwnSquares([keras.Input((T, F)), kl.SimpleRNN(4), kl.Dense(1)])
    if compiled:
        model.compile("sgd", model.squares)
    gradient_flow(model, X, Y, loss=None if compiled else "mse")
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_the_package_hands_the_names_out():
    assert rnnexp.gradient_flow is gradient_flow
    assert rnnexp.GradientFlow is GradientFlow
    assert rnnexp.GradientFlowMonitor is GradientFlowMonitor


def test_names_are_paths_and_calls_are_numbered():
    inputs = keras.Input((T, F))
    layer = kl.SimpleRNN(F, return_sequences=True, name="twice")
    inner = keras.Sequential([kl.LSTM(3, name="lstm")], name="inner")
    model = keras.Model(inputs, kl.Dense(1)(inner(layer(layer(inputs)))))
    flow = gradient_flow(model, X, Y, loss="mse")
    assert list(flow.layers) == ["twice", "twice/1", "inner/lstm"]
    assert [list(states) for states in flow.layers.values()] == [["h"], ["h"], ["h", "c"]]
    assert [state.read_at_every_step for state in flow.states] == [True, True, False, False]


def test_inputs_and_targets_may_be_nested():
    inputs = {"a": keras.Input((T, F), name="a"), "b": keras.Input((T, 2), name="b")}
    merged = kl.concatenate([kl.SimpleRNN(3)(inputs["a"]), kl.SimpleRNN(3, name="rnn")(inputs["b"])])
    model = keras.Model(inputs, kl.Dense(1)(merged))
    flow = gradient_flow(model, {"a": X, "b": X[..., :2]}, Y, loss="mse")
    assert [state.log_norms.shape for state in flow.states] == [(T, B), (T, B)]


def test_arrays_of_doubles_are_taken_as_fit_takes_them(model):
    def by_hand(y, prediction):
        return tf.reduce_mean(tf.square(y - prediction))  # fails if the two differ in type

    wide = gradient_flow(model, X.astype("float64"), Y.astype("float64"), loss=by_hand)
    np.testing.assert_array_equal(log_norms(wide), log_norms(gradient_flow(model, X, Y, loss=by_hand)))


def test_a_loss_that_the_model_adds_itself_needs_no_targets():
    class Reconstructing(keras.Model):
        def __init__(self):
            super().__init__()
            self.rnn = kl.SimpleRNN(F, return_sequences=True, name="rnn")

        def call(self, inputs):
            outputs = self.rnn(inputs)
            self.add_loss(tf.reduce_mean(tf.square(outputs - inputs)))
            return outputs

    model = Reconstructing()
    model.compile("sgd")
    model(X)
    flow = gradient_flow(model, X, None)
    assert flow.loss == pytest.approx(float(np.mean((model(X) - X) ** 2)), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda model: {"model": model.layers[0]}, r"^model: expected a keras.Model, received 'SimpleRNN'$"),
        (lambda model: {"model": keras.Sequential([kl.LSTM(2)], name="new")}, r"^model: .* built .* 'new'$"),
        (lambda model: {"loss": None}, r"^loss: expected a Keras loss or a callable, .* not compiled"),
        (lambda model: {"training": 1}, r"^training: expected true or false, received 1$"),
        (lambda model: {"decades": 0}, r"^decades: expected a finite number above 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(model, change, text):
    with pytest.raises(ArgumentError, match=text):
        gradient_flow(**{"model": model, "x": X, "y": Y, "loss": "mse", **change(model)})


def test_no_loss_or_no_recurrent_layer_is_refused(model):
    model.compile("sgd")
    with pytest.raises(ArgumentError, match="compiled with none"):
        gradient_flow(model, X, Y)
    dense = keras.Sequential([keras.Input((T, F)), kl.Flatten(), kl.Dense(1)])
    with pytest.raises(ArgumentError, match="holds and calls a keras.layers.RNN"):
        gradient_flow(dense, X, Y, loss="mse")


def test_remat_scope_does_not_change_the_log_norms():
    with keras.RematScope(mode="full"):
        model = keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(3, name="rnn"), kl.Dense(1)])
    twin = keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(3, name="rnn"), kl.Dense(1)])
    twin.set_weights(model.get_weights())
    found, expected = (log_norms(gradient_flow(each, X, Y, loss="mse")) for each in (model, twin))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_layer_under_recompute_grad_is_refused():
    class Recomputing(keras.Model):
        def __init__(self):
            super().__init__()
            self.rnn = kl.SimpleRNN(3, name="again")
            self.rnn.build((None, T, F))

        def call(self, inputs):
            return tf.recompute_grad(self.rnn)(inputs)

    model = Recomputing()
    model(X)
    with pytest.raises(ArgumentError, match="again runs in a graph of its own, or unrecorded"):
        gradient_flow(model, X, Y, loss="mse")


def test_a_layer_out_of_sight_is_named_in_the_log(caplog, traces):
    class Mapped(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.rnn = kl.SimpleRNN(2, name="hidden", unroll=True)

        def build(self, shape):
            self.rnn.build(shape)

        def call(self, inputs):
            return tf.vectorized_map(lambda x: self.rnn.call(x[tf.newaxis])[0], inputs)

    seen = kl.SimpleRNN(3, return_sequences=True)
    model = keras.Sequential([keras.Input((2, F)), seen, Mapped(), kl.Dense(1)])
    flow = gradient_flow(model, X[:, :2], Y, loss="mse")
    assert len(traces) == 2  # a graph, and the eager pass
    assert len(flow.layers) == 1
    (warning,) = flow.warnings
    assert "hidden runs in a graph of its own, or unrecorded" in warning
    assert warning in caplog.text
    assert warning in repr(flow)
