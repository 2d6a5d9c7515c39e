"""cuDNN's recurrence over all time steps, one call forward and one backward.

    h_t = phi(p_t + W_hh^T h_{t-1}),   phi = tanh or relu,   t = 1 .. T       forward
    delta_t = dL/da_t = phi'(a_t) * g_t,   t = T .. 1                         backward

cuDNN is told to skip the input's product: what it takes for the input x_t is added to the pre-activation as
it is. So p is its input, and the gradient that it returns for its input is delta.

The weights go in as one vector: W_hh^T row by row, then the two biases, zeros. TensorFlow has an op that lays
them out, `CudnnRNNCanonicalToParams`, but it is not safe to call: where a size differs from what it expects,
it ends the process instead of raising (https://github.com/tensorflow/tensorflow/issues/16042), and since
cuDNN 8.1 TensorFlow's sources take the offsets, and the sizes of the biases, from the wrong variables. Keras'
LSTM and GRU do without it, too. The layout is not taken on trust either: `misfit` compares its size with what
cuDNN asks for, and `rnnexp.fused` compares the numbers of a small problem with those of the scan before the
first use.

TensorFlow computes dL/dparams in the same call and cannot be told not to; it is not used, since to read it
would need the op's counterpart. TensorFloat-32 rounds the products in float32 where TensorFlow allows it (it
does by default), as it does those of the scan.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

MODES = {"tanh": "rnn_tanh", "relu": "rnn_relu"}
"""cuDNN's names of the activations that it knows."""

DTYPES = ("float32", "float64")
"""Those of its types that the scan has, too, in numbers of their own width."""


class Kept(NamedTuple):
    """What the forward pass leaves for the backward pass; shapes with B, T, H."""

    mode: str
    projected: tf.Tensor  # p, (T, B, H)
    initial_state: tf.Tensor  # h_0, (1, B, H)
    params: tf.Tensor
    lengths: tf.Tensor  # T for every sample, (B,)
    states: tf.Tensor  # h_1 .. h_T, (T, B, H)
    last: tf.Tensor  # h_T, (1, B, H)
    no_cell: tf.Tensor  # the cell state that only an LSTM has
    reserve: tf.Tensor
    host_reserve: tf.Tensor


class Kernel(NamedTuple):
    """A recurrence as a pair of functions.

    forward: p (T, B, H), W_hh (H, H), h_0 (B, H) and the activation's name -> h (T, B, H), and anything that
        the other one needs.
    backward: that, the direct terms dL/dh_t (T, B, H) without those that come from later steps, and dL/dh_T
        (B, H), to be added to the direct term of the last step -> delta (T, B, H).
    """

    forward: Callable
    backward: Callable


def misfit(name: str, units: int, dtype: str) -> str | None:
    """Say how the vector of weights differs from what cuDNN asks for, or None. Needs a GPU."""
    size = tf.raw_ops.CudnnRNNParamsSize(
        num_layers=1,
        num_units=units,
        input_size=units,
        T=tf.as_dtype(dtype),
        S=tf.int32,
        rnn_mode=MODES[name],
        input_mode="skip_input",
    )
    asked, given = int(tf.squeeze(size)), int(tf.size(_params(tf.zeros((units, units), dtype))))
    return None if asked == given else f"cuDNN asks for {asked} weights where {given} were expected"


def _params(recurrent_kernel: tf.Tensor) -> tf.Tensor:
    """Return W_hh^T and the zero biases of input and state as one vector, (H^2 + 2H,)."""
    units = recurrent_kernel.shape[0]
    weights = tf.reshape(tf.transpose(recurrent_kernel), [-1])
    return tf.concat([weights, tf.zeros(2 * units, recurrent_kernel.dtype)], axis=0)


def _forward(
    projected: tf.Tensor, recurrent_kernel: tf.Tensor, initial_state: tf.Tensor, name: str
) -> tuple[tf.Tensor, Kept]:
    initial_state = initial_state[tf.newaxis]
    params = _params(recurrent_kernel)
    shape = tf.shape(projected)
    lengths = tf.fill(shape[1:2], shape[0])
    # It keeps what the gradient needs even if nobody asks for one: a layer cannot know.
    states, last, no_cell, reserve, host_reserve = tf.raw_ops.CudnnRNNV3(
        input=projected,
        input_h=initial_state,
        input_c=tf.zeros((), projected.dtype),
        params=params,
        sequence_lengths=lengths,
        rnn_mode=MODES[name],
        input_mode="skip_input",
    )
    states = tf.ensure_shape(states, projected.shape)
    kept = Kept(
        MODES[name],
        projected,
        initial_state,
        params,
        lengths,
        states,
        last,
        no_cell,
        reserve,
        host_reserve,
    )
    return states, kept


def _backward(kept: Kept, direct: tf.Tensor, from_future: tf.Tensor) -> tf.Tensor:
    deltas, *_ = tf.raw_ops.CudnnRNNBackpropV3(
        input=kept.projected,
        input_h=kept.initial_state,
        input_c=tf.zeros((), direct.dtype),
        params=kept.params,
        sequence_lengths=kept.lengths,
        output=kept.states,
        output_h=kept.last,
        output_c=kept.no_cell,
        output_backprop=direct,
        output_h_backprop=from_future[tf.newaxis],
        output_c_backprop=tf.zeros((), direct.dtype),
        reserve_space=kept.reserve,
        host_reserved=kept.host_reserve,
        rnn_mode=kept.mode,
        input_mode="skip_input",
    )
    return tf.ensure_shape(deltas, kept.projected.shape)


KERNEL = Kernel(_forward, _backward)
"""The pair for a GPU."""
