"""What a look and the history of a monitor recommend, in the terms of the user's model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import GradientFlowMonitor, gradient_flow
from rnnexp.diagnosis.keras_models.recommendations import Setup, recommendations, setup_of
from rnnexp.diagnosis.keras_models.training_history import TrainingHistory

CELLS: dict[str, tuple[str, ...]] = {"lstm": ("LSTMCell",), "gru": ("GRUCell",), "rnn": ("SimpleRNNCell",)}
NORMS = np.r_[np.linspace(1, 2, 99), 500.0]
HISTORY = TrainingHistory(np.ones(100), NORMS)


def said(layer, verdict, training=None, state="h", clips=None):
    setup = Setup(CELLS, "Adam", clips or {})
    return "\n".join(recommendations([(layer, state, verdict)], {layer: 101}, setup, training))


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        ("lstm", "second quarter of cell.bias"),
        ("gru", "first third of cell.bias"),
        ("rnn", "keras.layers.LSTM or GRU"),
    ],
)
def test_a_gradient_that_vanishes_asks_for_a_memory(layer, part):
    text = said(layer, "vanishing")
    assert part in text
    assert "101 steps" in text
    assert ("ln(T - 1) = 4.6" in text) == (layer != "rnn")


def test_an_explosion_gets_a_global_clipnorm_recommendation():
    text = said("rnn", "exploding", HISTORY)
    assert "keras.optimizers.Adam(..., global_clipnorm=2)" in text  # the median before, to one digit
    assert "1% of 100 updates" in text
    calm = TrainingHistory(np.ones(50), NORMS[:50])
    assert f"global_clipnorm={calm.threshold():g})" in said("rnn", "exploding", calm)
    assert "GradientFlowMonitor finds the number" in said("rnn", "exploding")
    assert "per variable" in said("rnn", "exploding", HISTORY, clips={"clipnorm": 1.0})
    assert "is set already" in said("rnn", "exploding", HISTORY, clips={"global_clipnorm": 1.0})


def test_a_spike_is_enough_and_a_calm_history_is_no_reason():
    assert "the norm jumps at update 100" in said("rnn", "stable", HISTORY)
    calm = said("rnn", "stable", TrainingHistory(np.ones(50), NORMS[:50]))
    assert calm == "Nothing to change: no gradient is found to vanish or to explode"


def test_an_lstm_whose_memory_lasts_is_left_alone():
    verdicts = [("lstm", "h", "vanishing"), ("lstm", "c", "stable")]
    (only,) = recommendations(verdicts, {"lstm": 50}, Setup(CELLS, None, {}), None)
    assert only.startswith(
        "Nothing to change: in lstm the gradient vanishes in h and not in c, which is what counts"
    )


def test_without_a_recurrent_layer_nothing_is_said():
    assert recommendations([], {}, Setup(CELLS, None, {}), None) == []


def test_one_step_asks_for_sequences():
    assert "give whole sequences" in said("lstm", "not_measured")


def test_the_history_in_numbers():
    assert HISTORY.spike_step == 100
    assert HISTORY.clipped_share(2.0) == pytest.approx(0.01)
    assert HISTORY.percentiles(50, 100) == [pytest.approx(np.median(NORMS)), 500.0]
    assert HISTORY.clipped_share(HISTORY.threshold(0.1)) == pytest.approx(0.1, abs=0.02)
    assert "spike at update 100: norm 500" in repr(HISTORY)
    assert repr(TrainingHistory(np.zeros(0), np.zeros(0))) == "No updates yet"


def test_norms_and_losses_are_those_of_every_update():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(6, 5, 3)).astype("float32"), np.ones((6, 2), "float32")

    def model_of():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((5, 3)), kl.SimpleRNN(2)])
        model.compile(keras.optimizers.SGD(0.1, global_clipnorm=0.01), "mse")
        return model

    monitor = GradientFlowMonitor(x[:2], y[:2])
    model_of().fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0, callbacks=[monitor])
    model, norms, losses = model_of(), [], []
    for start in [0, 2, 4] * 2:
        with tf.GradientTape() as tape:
            losses.append(tf.reduce_mean(tf.square(model(x[start : start + 2]) - y[start : start + 2])))
        gradients = tape.gradient(losses[-1], model.trainable_variables)
        norms.append(float(tf.linalg.global_norm(gradients)))
        model.optimizer.apply(gradients, model.trainable_variables)
    np.testing.assert_allclose(monitor.training.global_norm, norms, rtol=1e-4)
    np.testing.assert_allclose(monitor.training.loss, losses, rtol=1e-5)
    seen = monitor.history[-1].flow.training
    assert seen is not None
    assert seen.global_norm.shape == (6,)
    assert "apply" not in vars(monitor.model.optimizer)


def test_a_fit_of_another_model_starts_anew():
    x, y = np.ones((4, 6, 3), "float32"), np.ones((4, 5), "float32")
    monitor = GradientFlowMonitor(x, y)
    for fold in range(2):
        keras.utils.set_random_seed(fold)
        model = keras.Sequential([keras.Input((6, 3)), kl.SimpleRNN(5)])
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=2, verbose=0, callbacks=[monitor])
        assert [look[:2] for look in monitor.history] == [(0, 0), (1, 0), (2, 1)]
        assert len(monitor.training.loss) == 2
    assert [len(each) for each in monitor.earlier] == [3]
    assert monitor.earlier[0][0].flow.loss != monitor.history[0].flow.loss


def test_setup_comes_from_the_model_and_html_has_a_figure():
    model = keras.Sequential([keras.Input((6, 3)), kl.LSTM(5, name="lstm"), kl.Dense(1)])
    model.compile(keras.optimizers.RMSprop(clipnorm=1.0), "mse")
    setup = setup_of(model)
    assert (setup.optimizer, setup.clips) == ("RMSprop", {"clipnorm": 1.0})
    assert "LSTMCell" in setup.cells["lstm"]
    flow = gradient_flow(model, np.ones((2, 6, 3)), np.ones((2, 1)), verify=True)
    assert [each.agrees for each in flow.checked] == [True] * len(flow.checked)
    assert len(flow.checked) == 5  # the last c is read by nobody
    shown = flow._repr_html_()
    assert "Gradient flow of" in shown
    assert "data:image/png;base64," in shown
