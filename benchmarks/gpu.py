"""The contestants on a GPU: those of `benchmarks.contestants`, with cuDNN wherever a library has it.

Where TensorFlow allows TensorFloat-32 (it does by default), PyTorch's cuDNN does so by default, too.
"""

import tensorflow as tf

from benchmarks.contestants import Shape, Train, keras_fit, rnnexp_fit, torch_loop
from rnnexp import activations, fused

RECORDING = "rnnexp, recording"
FUSED = "rnnexp, recording, cuDNN"
KERAS = "Keras fit"
KERAS_XLA = "Keras fit, XLA"
TORCH = "torch nn.RNN, cuDNN"


def contestants(shape: Shape) -> dict[str, Train]:
    """Return those that can run here, by name: rnnexp recording under XLA first.

    rnnexp on cuDNN is among them where `rnnexp.fused` finds no obstacle, and PyTorch where it is installed
    and sees the GPU.
    """
    found = {RECORDING: rnnexp_fit(shape, record=True)}
    projected = tf.TensorSpec((shape.steps, shape.batch_size, shape.units), tf.float32)
    if fused.obstacle(activations.by_name("tanh"), projected) is None:
        found[FUSED] = rnnexp_fit(shape, record=True, jit=False)
    found[KERAS] = keras_fit(shape, jit=False)
    found[KERAS_XLA] = keras_fit(shape, jit=True)
    if _torch_sees_a_gpu():
        found[TORCH] = torch_loop(shape, device="cuda")
    return found


def _torch_sees_a_gpu() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()
