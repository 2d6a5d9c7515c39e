"""The scan in one kernel of a GPU, and when it may be taken.

    h = forward(p, W_hh, h_0)                      (T, B, H), one call
    delta = backward(dL/dh)                        (T, B, H), one call
    dL/dW_hh = sum_t h_{t-1} delta_t^T             one product, as in `rnnexp.scan`
    g_t = (direct term of step t) + W_hh delta_{t+1},   dL/dh_0 = W_hh delta_1

The kernel keeps g_t to itself, but hands out delta_t = dL/da_t, from which g_t follows for all steps at once
by one product, with no division by phi'. That product is all that a record costs.

An `rnnexp.RNN` takes it of itself for tanh and relu where TensorFlow sees a GPU and does not compile with
XLA, which has no way to call the kernel. So a run with `device=gpu jit=false` takes it, and a run with
`device=gpu jit=true` takes the scan, compiled; the numbers are the same to rounding. What a run or a caller
compiles is found in the graph that is being traced. A graph that is exported with the kernel needs a GPU.
"""

import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from rnnexp import activations, cudnn
from rnnexp.log_norm import log_norm
from rnnexp.scan import Adjoint, Scanned, differentiable, scan, to_kernel

_logger = logging.getLogger(__name__)

# Of the root mean square: TensorFloat-32 stays below, though it may flip a few slopes of relu.
_TOLERANCE = 0.1


def fused_scan(
    projected: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    initial_state: tf.Tensor,
    activation: Callable[[tf.Tensor], tf.Tensor],
    *,
    kernel: cudnn.Kernel = cudnn.KERNEL,
    **options: Any,
) -> Scanned:
    """Run h_t = phi(p_t + W_hh^T h_{t-1}) as `rnnexp.scan.scan` does, with its arguments and its gradients.

    Args:
        projected: p, (T, B, H).
        recurrent_kernel: W_hh, (H, H).
        initial_state: h_0, (B, H).
        activation: phi, one that the kernel knows.
        kernel: What runs the recurrence; that of cuDNN needs what `obstacle` asks for.
        **options: `return_states` and `tap`.
    """
    steps = functools.partial(_Fused, name=activation.__name__, kernel=kernel)
    return differentiable(steps, (projected, recurrent_kernel, initial_state), **options)


class _Fused:
    """All steps in one call forward and one backward."""

    def __init__(self, projected, recurrent_kernel, initial_state, name: str, kernel: cudnn.Kernel):
        self._recurrent_kernel = recurrent_kernel
        self._initial_state = initial_state
        self._kernel = kernel
        self._states, self._kept = kernel.forward(projected, recurrent_kernel, initial_state, name)

    def states(self) -> tf.Tensor:
        """Return h_1 .. h_T, (T, B, H)."""
        return self._states

    def adjoint(self, states, direct, from_future, taps) -> Adjoint:
        """Go back from the last step to the first; arguments as `Steps.adjoint`."""
        direct = tf.zeros_like(states) if direct is None else direct
        deltas = self._kernel.backward(self._kept, direct, from_future)
        # Without a record only the first step is needed.
        wanted = deltas if taps else deltas[:1]
        to_previous = tf.tensordot(wanted, self._recurrent_kernel, axes=[[2], [1]])
        records = [_record(tap, direct, from_future, to_previous) for tap in taps]
        return Adjoint(deltas, to_kernel(states, self._initial_state, deltas), to_previous[0], records)


def _record(tap: tf.Tensor, direct: tf.Tensor, last: tf.Tensor, to_previous: tf.Tensor) -> tf.Tensor:
    """Return ln ||g_t||, (T,) or (T, B), from `to_previous`, W_hh delta_t of every step."""
    g = direct + tf.concat([to_previous[1:], last[tf.newaxis]], axis=0)
    return log_norm(g, [2] if tap.shape.rank == 2 else [1, 2])


def obstacle(activation: Callable, projected: tf.Tensor | tf.TensorSpec) -> str | None:
    """Say why cuDNN's kernel cannot run here, or None.

    Asked where the layer is called: inside a graph, the answer is for that graph.

    Args:
        activation: phi.
        projected: p, (T, B, H), or its shape and type. T and B may be unknown to the graph.
    """
    if not tf.config.get_visible_devices("GPU"):
        return "TensorFlow sees no GPU"
    if not tf.test.is_built_with_cuda():
        return "TensorFlow is built without CUDA"
    name = getattr(activation, "__name__", None)
    if name not in cudnn.MODES or not activations.is_elementwise(activation):
        return "the activation is neither tanh nor relu"
    if projected.dtype.name not in cudnn.DTYPES:
        return f"the type is {projected.dtype.name}, neither float32 nor float64"
    if 0 in projected.shape[:2]:
        return "there are no steps or no samples"
    if control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        return "the graph is compiled by XLA"
    return _trial(name, projected.shape[2], projected.dtype.name)


@functools.cache
def _trial(name: str, units: int, dtype: str) -> str | None:
    """Say what is wrong with cuDNN's kernel on this machine, or None; found once, before its first use."""
    # A thread of its own knows nothing of the graph that is being traced here, or of the tape that watches.
    with ThreadPoolExecutor(max_workers=1) as thread:
        wrong = thread.submit(_fault, name, units, dtype).result()
    if wrong is not None:
        _logger.warning("the scan runs without cuDNN's kernel: %s", wrong)
    return wrong


def _fault(name: str, units: int, dtype: str) -> str | None:
    try:
        return cudnn.misfit(name, units, dtype) or _difference(name, units, dtype, cudnn.KERNEL)
    except tf.errors.OpError as error:
        return f"cuDNN fails: {error.message}"


def _difference(name: str, units: int, dtype: str, kernel: cudnn.Kernel) -> str | None:
    """Say where `kernel` and the scan differ on a random problem of three steps and two samples, or None."""
    normal = np.random.default_rng(0).standard_normal
    shapes = [(3, 2, units), (units, units), (2, units)]
    inputs = [tf.constant(normal(shape), dtype) for shape in shapes]
    inputs[1] /= np.sqrt(units)
    activation = activations.by_name(name)
    got = _differentiated(functools.partial(fused_scan, kernel=kernel), inputs, activation)
    expected = _differentiated(scan, inputs, activation)
    for quantity, ours, theirs in zip(("states", "dL/dp", "dL/dW_hh", "dL/dh_0"), got, expected, strict=True):
        if not np.linalg.norm(ours - theirs) < _TOLERANCE * np.linalg.norm(theirs):
            return f"its {quantity} differ from those of the scan"
    return None


def _differentiated(run: Callable, inputs: list[tf.Tensor], activation: Callable) -> list[tf.Tensor]:
    """Return h, and the gradients of L = sum_t,b,i h^2 / 2 + sum_b,i h_T by `inputs`."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        states, last = run(*inputs, activation)
        loss = tf.reduce_sum(tf.square(states)) / 2 + tf.reduce_sum(last)
    return [states, *tape.gradient(loss, inputs)]
