import sys
import types

import pytest

from benchmarks import gpu
from benchmarks.contestants import Shape, torch_loop

SHAPE = Shape(5, 4, 3)


@pytest.fixture
def built(monkeypatch):
    """What the contestants are built from, in place of building them."""

    def record(name):
        return lambda shape, **options: (name, shape, options)

    for name in ("rnnexp_fit", "keras_fit", "torch_loop"):
        monkeypatch.setattr(gpu, name, record(name))


def on_machine(monkeypatch, obstacle, cuda):
    monkeypatch.setattr(gpu.fused, "obstacle", lambda activation, projected: obstacle)
    torch = types.SimpleNamespace(cuda=types.SimpleNamespace(is_available=lambda: cuda))
    monkeypatch.setitem(sys.modules, "torch", None if cuda is None else torch)


def test_on_a_gpu_every_library_has_its_ways(built, monkeypatch):
    on_machine(monkeypatch, None, cuda=True)
    assert gpu.contestants(SHAPE) == {
        "rnnexp, recording": ("rnnexp_fit", SHAPE, {"record": True}),
        "rnnexp, recording, cuDNN": ("rnnexp_fit", SHAPE, {"record": True, "jit": False}),
        "Keras fit": ("keras_fit", SHAPE, {"jit": False}),
        "Keras fit, XLA": ("keras_fit", SHAPE, {"jit": True}),
        "torch nn.RNN, cuDNN": ("torch_loop", SHAPE, {"device": "cuda"}),
    }


@pytest.mark.parametrize("cuda", [False, None])
def test_what_cannot_run_is_left_out(built, monkeypatch, cuda):
    on_machine(monkeypatch, "TensorFlow sees no GPU", cuda)
    assert list(gpu.contestants(SHAPE)) == ["rnnexp, recording", "Keras fit", "Keras fit, XLA"]


def test_the_contestants_train_where_there_is_no_gpu_either():
    for train in gpu.contestants(SHAPE).values():
        train(10)


def test_pytorch_trains_on_a_device_that_is_named():
    pytest.importorskip("torch")
    torch_loop(SHAPE, device="cpu")(1)
    with pytest.raises(RuntimeError, match="meta"):
        torch_loop(SHAPE, device="meta")(1)
