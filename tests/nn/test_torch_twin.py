"""dL/dh_t at every step, three times: our tap, TensorFlow's tape over a loop of cells, PyTorch's autograd."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording

torch = pytest.importorskip("torch")

B, T, F, H = 6, 50, 3, 16
RTOL = 1e-5


GAINS = {"tanh": 1.0, "relu": 1.4}
"""With these, gradients neither vanish nor explode much within T steps: float32 keeps their digits."""


@pytest.fixture(params=GAINS)
def layer(request):
    layer = RNN(ElmanCell(H, activation=request.param), name="rnn")
    layer.build((B, T, F))
    generator = np.random.default_rng(0)
    orthogonal, _ = np.linalg.qr(generator.standard_normal((H, H)))
    layer.set_weights([
        0.3 * generator.standard_normal((F, H)),
        GAINS[request.param] * orthogonal,
        0.1 * np.abs(generator.standard_normal(H)),
    ])  # fmt: skip
    return layer


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).standard_normal((B, T, F)).astype("float32")


@pytest.fixture(scope="module")
def form():
    """L = sum(form * h_T)."""
    return np.random.default_rng(2).standard_normal((B, H)).astype("float32")


def tapped(layer, x, form, per_sample):
    """ln ||dL/dh_t|| as our layer hands it out, from one backward pass."""
    with tf.GradientTape() as tape, recording(tape, per_sample) as record:
        loss = tf.reduce_sum(form * layer(x))
    return tape.gradient(loss, record.taps)["rnn"].numpy()


def by_tensorflow(layer, x, form):
    """dL/dh_t, (T, B, H), of the cell in a plain loop; the weights' gradients."""
    states = [layer.cell.get_initial_state(batch_size=B)[0]]
    with tf.GradientTape() as tape:
        for step in tf.unstack(tf.constant(x), axis=1):
            states.append(layer.cell(step, states[-1])[0])
        loss = tf.reduce_sum(form * states[-1])
    gradients, weights = tape.gradient(loss, (states[1:], [weight.value for weight in layer.weights]))
    return np.array(gradients), [weight.numpy() for weight in weights]


def by_torch(layer, x, form):
    """The same from `torch.nn.RNNCell`, its weights transposed and its second bias zero."""
    kernel, recurrent_kernel, bias = layer.get_weights()
    cell = torch.nn.RNNCell(F, H, nonlinearity=layer.cell.activation.__name__)
    ours = {"weight_ih": kernel.T, "weight_hh": recurrent_kernel.T, "bias_ih": bias, "bias_hh": 0 * bias}
    cell.load_state_dict({name: torch.tensor(value) for name, value in ours.items()})
    states = [torch.zeros(B, H)]
    for step in torch.tensor(x).unbind(1):
        states.append(cell(step, states[-1]))
        states[-1].retain_grad()
    (torch.tensor(form) * states[-1]).sum().backward()
    weights = [cell.weight_ih.grad.T, cell.weight_hh.grad.T, cell.bias_ih.grad]
    return np.array([state.grad.numpy() for state in states[1:]]), [weight.numpy() for weight in weights]


@pytest.mark.parametrize("twin", [by_tensorflow, by_torch])
def test_the_tap_equals_the_gradient_at_every_step(layer, x, form, twin):
    gradients, _ = twin(layer, x, form)
    assert gradients.shape == (T, B, H)
    assert gradients.any(axis=2).all()
    total, per_sample = (np.exp(tapped(layer, x, form, each)) for each in (False, True))
    np.testing.assert_allclose(total, np.linalg.norm(gradients, axis=(1, 2)), rtol=RTOL)
    np.testing.assert_allclose(per_sample, np.linalg.norm(gradients, axis=2), rtol=RTOL)


def test_the_twins_agree(layer, x, form):
    pairs = zip(
        keras.tree.flatten(by_tensorflow(layer, x, form)),
        keras.tree.flatten(by_torch(layer, x, form)),
        strict=True,
    )
    for got, expected in pairs:
        np.testing.assert_allclose(got, expected, rtol=RTOL, atol=RTOL * np.abs(expected).max())


@pytest.mark.parametrize("twin", [by_tensorflow, by_torch])
def test_the_weights_get_the_same_gradients(layer, x, form, twin):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(form * layer(x))
    weights = tape.gradient(loss, [weight.value for weight in layer.weights])
    for got, expected in zip(weights, twin(layer, x, form)[1], strict=True):
        np.testing.assert_allclose(got, expected, rtol=RTOL, atol=RTOL * np.abs(expected).max())
