"""The contestants on a GPU: those of `benchmarks.contestants`, with cuDNN wherever a library has it.

Where TensorFlow allows TensorFloat-32 (it does by default), PyTorch's cuDNN does so by default, too.
"""

import functools

from benchmarks.apart import Apart
from benchmarks.contestants import keras_fit, rnnexp_fit
from benchmarks.torch_loop import sees_gpu, torch_graph, torch_loop
from benchmarks.work import Shape, Train

RECORDING, SILENT = "rnnexp, recording", "rnnexp, not recording"
KERAS, KERAS_XLA = "Keras fit", "Keras fit, XLA"
TORCH, TORCH_GRAPH = "torch nn.RNN, cuDNN", "torch nn.RNN, cuDNN, CUDA graph"

SHAPES = (Shape(200, 32, 32), Shape(200, 128, 128), Shape(1000, 256, 64))
UNROLLS = (16,)
"""Of JAX's loop: the longest of those that are tried on a CPU is the fastest one by far."""


def contestants(shape: Shape) -> dict[str, Train]:
    """Return those that can run here, by name: rnnexp recording under XLA first.

    PyTorch is among them where it is installed and sees the GPU.
    """
    found = {RECORDING: rnnexp_fit(shape, record=True), SILENT: rnnexp_fit(shape, record=False)}
    found[KERAS] = keras_fit(shape, jit=False)
    found[KERAS_XLA] = keras_fit(shape, jit=True)
    apart = _apart()
    if apart.answer(sees_gpu):
        found[TORCH] = apart.contestant(torch_loop, shape, "cuda")
        found[TORCH_GRAPH] = apart.contestant(torch_graph, shape)
    else:
        print("PyTorch is not installed, or sees no GPU; its columns are left out.")
    return found


@functools.cache
def _apart() -> Apart:
    """One process for PyTorch, which brings a CUDA of its own."""
    return Apart()
