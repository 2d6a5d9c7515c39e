"""Keras' own loop over time, with a tap on every state that a step passes to the next.

    h_t = cell(x_t, h_{t-1}) + e_t,   e_t = 0,   so that   dl/de_t = dl/dh_t

The gradient with respect to the tap e is the total derivative through everything that reads h_t: the layer's
outputs, all later steps, and later computations of the same step, such as the upper cells of a stack. Of
several states of one cell each is varied alone: c with h held constant. Only zeros are added, so no value
changes.
"""

import types
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from rnnexp.nn.step_derivatives import is_float
from rnnexp.nn.tapped_step import TappedStep
from rnnexp.nn.taps import unrecorded


class _Sliced(NamedTuple):
    """Sequences, taps and cuts in one structure, so that Keras' loop slices and reverses them alike."""

    sequences: Any
    taps: Any
    cuts: Any

    @property
    def shape(self):
        """Shape of the sequences; the loop reads T from it."""
        return self.sequences.shape


def tapped_loop(
    layer: keras.layers.RNN,
    taps: Sequence[tf.Tensor | None],
    sequences: tf.Tensor,
    initial_state: Any,
    mask: tf.Tensor | None,
    training: bool,
    truncate: int | None = None,
) -> tuple[tuple, TappedStep]:
    """Run the recurrence of `layer` in Keras' loop, never in a fused kernel, with a tap on its states.

    Args:
        layer: Any `keras.layers.RNN`. It is not changed.
        taps: e of every floating state, like those of `zero_taps`, in the order of the inputs' time; None
            adds nothing to that state.
        sequences: x, (B, T, ...).
        initial_state: h_0, as the layer passes it to its `inner_loop`.
        mask: (B, T) or None. A masked step passes the previous state on: its tap gets the gradient zero.
        training: Passed to the cell if it takes it.
        truncate: K: no gradient goes from a chunk of K steps, counted from the end, to the one before; None:
            it goes back to the first step.

    Returns:
        Last output, outputs and last states, as `keras.layers.RNN.inner_loop` returns them, and the step as
        traced, which knows the names of the states (`TappedStep.names`).
    """
    states = list(initial_state) if keras.tree.is_nested(initial_state) else [initial_state]
    # The state of a stateful layer is a variable, which holds h_T by the time of the backward pass: copy it.
    states = keras.tree.map_structure(tf.convert_to_tensor, states)
    step = TappedStep(layer.cell, training)
    probes = [True]

    def advance(inputs, states):
        given = iter(inputs.taps)
        each = [None if tap is None else next(given) for tap in taps]
        states = _cut(states, *inputs.cuts)
        if not probes:
            return step(inputs.sequences, states, each)
        # Keras calls the step once before the loop, only for the shape of its output.
        probes.clear()
        with unrecorded():
            return step(inputs.sequences, states, each)

    like_layer = types.SimpleNamespace(
        cell=advance,
        stateful=layer.stateful,
        go_backwards=layer.go_backwards,
        unroll=False,
        zero_output_for_mask=layer.zero_output_for_mask,
        return_sequences=layer.return_sequences,
    )
    # Keras' own loop, on a stand-in for the layer whose cell is the function `advance`.
    cuts = [] if truncate is None else [_cuts(sequences, truncate, layer.go_backwards)]
    sliced = _Sliced(sequences, [tap for tap in taps if tap is not None], cuts)
    initial = [*states, step.initial_flags(states)]
    last, outputs, last_states = keras.layers.RNN.inner_loop(like_layer, sliced, initial, mask)
    step.finish(last_states[-1])
    return (last, outputs, last_states[:-1]), step


def _cuts(sequences: tf.Tensor, truncate: int, go_backwards: bool) -> tf.Tensor:
    """Return before which steps the gradient is cut, bool (B, T, 1), in the order of the inputs' time."""
    sizes = zip(sequences.shape[:2], tf.unstack(tf.shape(sequences)[:2]), strict=True)
    batch_size, time_steps = (dynamic if static is None else static for static, dynamic in sizes)
    left = tf.range(1, time_steps + 1) if go_backwards else tf.range(time_steps, 0, -1)
    return tf.broadcast_to((left % truncate == 0)[:, tf.newaxis], (batch_size, time_steps, 1))


def _cut(states: Any, cut: tf.Tensor | None = None) -> Any:
    """Return the states, without a way back for the gradient where `cut` (B, 1) is true."""
    if cut is None:
        return states
    return keras.tree.map_structure(
        lambda state: tf.where(cut[0, 0], tf.stop_gradient(state), state) if is_float(state) else state,
        states,
    )


def zero_taps(sequences: tf.Tensor, initial_state: Any) -> list[tf.Tensor]:
    """Return e = 0 for every floating state, (B, T, ...), with the static shape as far as it is known."""
    return [_zeros(sequences, state) for state in keras.tree.flatten(initial_state) if is_float(state)]


def _zeros(sequences: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    # The states of a loop must not lose the static shape that is known.
    shapes = ((sequences.shape[:2], tf.shape(sequences)[:2]), (state.shape[1:], tf.shape(state)[1:]))
    sizes = [
        dynamic[axis] if size is None else size
        for static, dynamic in shapes
        for axis, size in enumerate(static)
    ]
    return tf.zeros(sizes, state.dtype)
