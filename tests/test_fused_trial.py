import logging

import numpy as np
import pytest
import tensorflow as tf
from recurrence import LOOP, backward, forward

from rnnexp import activations, cudnn, fused
from rnnexp.cells import ElmanCell
from rnnexp.recurrent import RNN

H = 4


@pytest.fixture
def trial():
    """The trial of cuDNN's kernel, with nothing remembered before or after."""
    trial = fused._trial
    trial.cache_clear()
    yield trial
    trial.cache_clear()


WRONG = {
    "its states differ from those of the scan": {
        "forward": lambda p, kernel, h, name: forward(p, tf.transpose(kernel), h, name)
    },
    "its dL/dp differ from those of the scan": {"backward": lambda *given: 2 * backward(*given)},
}


def test_a_kernel_of_nans_fails_its_trial():
    kernel = LOOP._replace(backward=lambda *given: np.nan * backward(*given))
    assert fused._difference("tanh", H, "float32", kernel) == "its dL/dp differ from those of the scan"


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("units", [2, 64])
def test_a_kernel_that_is_wrong_fails_its_trial(wrong, units):
    for name in cudnn.MODES:
        for dtype in cudnn.DTYPES:
            assert fused._difference(name, units, dtype, LOOP) is None
            assert fused._difference(name, units, dtype, LOOP._replace(**WRONG[wrong])) == wrong


def test_the_trial_tolerates_the_rounding_of_tensor_float_32():
    def rounded(array):
        # To 11 binary digits, as the factors of a product are.
        mantissa, exponent = np.frexp(array)
        return tf.constant(np.ldexp(np.round(mantissa * 2**11) / 2**11, exponent).astype("float32"))

    kernel = LOOP._replace(
        forward=lambda p, kernel, h, name: forward(p, rounded(kernel), rounded(h), name),
    )
    for name in cudnn.MODES:
        for units in (4, 512):
            assert fused._difference(name, units, "float32", kernel) is None


def test_a_kernel_that_is_wrong_is_not_taken_and_the_log_says_so_once(trial, monkeypatch, caplog):
    asked = []

    def misfit(*of):
        asked.append(of)
        return "cuDNN asks for 8"

    monkeypatch.setattr(cudnn, "misfit", misfit)
    caplog.set_level(logging.WARNING, logger="rnnexp")
    for _ in range(2):
        assert trial("tanh", H, "float32") == "cuDNN asks for 8"
    assert asked == [("tanh", H, "float32")]
    assert [record.getMessage() for record in caplog.records] == [
        "the scan runs without cuDNN's kernel: cuDNN asks for 8"
    ]


def test_the_trial_is_passed_inside_a_graph_and_a_tape(trial, monkeypatch):
    monkeypatch.setattr(cudnn, "misfit", lambda *of: None)
    monkeypatch.setattr(cudnn, "KERNEL", LOOP)
    results = []

    @tf.function
    def graph(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            results.append(trial("relu", H, "float64"))
        return x

    graph(tf.constant(0.0))
    assert results == [None]


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a GPU has the kernel")
def test_where_the_op_cannot_run_the_layer_scans(trial, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    assert (
        fused.obstacle(activations.by_name("tanh"), tf.TensorSpec((5, 3, H), "float32")) or ""
    ).startswith("cuDNN fails: ")
    layer = RNN(ElmanCell(H))
    assert layer(np.ones((3, 5, 2), "float32")).shape == (3, H)
