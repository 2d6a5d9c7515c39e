import pytest

from benchmarks import gpu
from benchmarks.torch_loop import sees_gpu, torch_graph, torch_loop
from benchmarks.work import Shape

SHAPE = Shape(5, 4, 3)


class Apart:
    """Stands for the other process: says whether PyTorch sees a GPU there, and what it was to build."""

    def __init__(self, cuda):
        self._cuda = cuda

    def answer(self, question):
        assert question is sees_gpu
        return self._cuda

    def contestant(self, build, *arguments):
        return build.__name__, *arguments


@pytest.fixture
def on_machine(monkeypatch):
    """Say whether PyTorch sees a GPU; contestants are noted in place of being built."""

    def record(name):
        return lambda shape, **options: (name, shape, options)

    def answers(cuda):
        for name in ("rnnexp_fit", "keras_fit"):
            monkeypatch.setattr(gpu, name, record(name))
        monkeypatch.setattr(gpu, "_apart", lambda: Apart(cuda))

    return answers


def test_on_a_gpu_every_library_has_its_ways(on_machine):
    on_machine(cuda=True)
    assert gpu.contestants(SHAPE) == {
        "rnnexp, recording": ("rnnexp_fit", SHAPE, {"record": True}),
        "rnnexp, not recording": ("rnnexp_fit", SHAPE, {"record": False}),
        "Keras fit": ("keras_fit", SHAPE, {"jit": False}),
        "Keras fit, XLA": ("keras_fit", SHAPE, {"jit": True}),
        "torch nn.RNN, cuDNN": ("torch_loop", SHAPE, "cuda"),
        "torch nn.RNN, cuDNN, CUDA graph": ("torch_graph", SHAPE),
    }


def test_what_cannot_run_is_left_out_and_said(on_machine, capsys):
    on_machine(cuda=False)
    assert gpu.contestants(SHAPE) == {
        "rnnexp, recording": ("rnnexp_fit", SHAPE, {"record": True}),
        "rnnexp, not recording": ("rnnexp_fit", SHAPE, {"record": False}),
        "Keras fit": ("keras_fit", SHAPE, {"jit": False}),
        "Keras fit, XLA": ("keras_fit", SHAPE, {"jit": True}),
    }
    assert "PyTorch is not installed, or sees no GPU" in capsys.readouterr().out


def test_pytorch_trains_on_a_device_that_is_named():
    pytest.importorskip("torch")
    torch_loop(SHAPE, device="cpu")(1)
    with pytest.raises(RuntimeError, match="meta"):
        torch_loop(SHAPE, device="meta")(1)


def test_a_captured_step_trains():
    apart = gpu._apart()  # not here: on a GPU, PyTorch's CUDA and TensorFlow's end the process that has both
    if not apart.answer(sees_gpu):
        pytest.skip("needs PyTorch and a GPU")
    apart.contestant(torch_graph, SHAPE)(10)
