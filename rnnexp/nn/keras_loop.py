"""Keras' own loop over time, with a tap on every state that a step hands on.

    h_t = cell(x_t, h_{t-1}) + e_t,   e_t = 0,   so that   dl/de_t = dl/dh_t

The tape's gradient with respect to the tap e is the total derivative through everything that reads h_t after
it is computed: the layer's outputs, all later steps, and whatever else of the same step is made from it, such
as the upper cells of a stack. Only the states of one and the same cell are varied one at a time: c with h
held. Nothing but zeros is added, so no value changes.
"""

import types
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from rnnexp.nn.step_derivatives import is_float
from rnnexp.nn.tapped_step import TappedStep
from rnnexp.nn.taps import unrecorded


class Tapped(NamedTuple):
    """What a tapped loop hands out.

    Attributes:
        result: Last output, outputs and last states, as `keras.layers.RNN.inner_loop` returns them.
        step: The step as it was traced: it names the states, see `TappedStep.names`.
    """

    result: tuple
    step: TappedStep


class _Sliced(NamedTuple):
    """Sequences, taps and cuts side by side: Keras' loop slices (and reverses) them alike."""

    sequences: Any
    taps: Any
    cuts: Any

    @property
    def shape(self):
        """Shape of the sequences, where the loop looks for T."""
        return self.sequences.shape


def tapped_loop(
    layer: keras.layers.RNN,
    taps: Sequence[tf.Tensor | None],
    sequences: tf.Tensor,
    initial_state: Any,
    mask: tf.Tensor | None,
    training: bool,
    truncate: int | None = None,
) -> Tapped:
    """Run the recurrence of `layer` in Keras' loop, never in a fused kernel, with a tap on its states.

    Args:
        layer: Any `keras.layers.RNN`. It is only read.
        taps: e of every floating state, like those of `zero_taps`, in the order of the inputs' time; None
            adds nothing to that state.
        sequences: x, (B, T, ...).
        initial_state: h_0, as the layer passes it to its `inner_loop`.
        mask: (B, T) or None. A masked step hands the previous state on: its tap gets the gradient zero.
        training: Passed to the cell, where it asks for it.
        truncate: K: no gradient goes from a chunk of K steps, counted from the end, to the one before; None:
            it goes back to the first step.
    """
    states = list(initial_state) if keras.tree.is_nested(initial_state) else [initial_state]
    # That of a stateful layer comes as a variable, which holds h_T by the time of the backward pass.
    states = keras.tree.map_structure(tf.convert_to_tensor, states)
    step = TappedStep(layer.cell, training)
    probes = [True]

    def advance(inputs, states):
        given = iter(inputs.taps)
        each = [None if tap is None else next(given) for tap in taps]
        states = _cut(states, *inputs.cuts)
        if not probes:
            return step(inputs.sequences, states, each)
        # Keras calls the step once more before the loop, for the shape of its output alone.
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
    # Keras' function, but not its layer: its cell may be anything that is called like one.
    cuts = [] if truncate is None else [_cuts(sequences, truncate, layer.go_backwards)]
    sliced = _Sliced(sequences, [tap for tap in taps if tap is not None], cuts)
    initial = [*states, step.initial_flags(states)]
    last, outputs, last_states = keras.layers.RNN.inner_loop(like_layer, sliced, initial, mask)
    step.finish(last_states[-1])
    return Tapped((last, outputs, last_states[:-1]), step)


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
    """Return e = 0 of every floating state, each (B, T, ...) of the static shape that is known."""
    return [_zeros(sequences, state) for state in keras.tree.flatten(initial_state) if is_float(state)]


def _zeros(sequences: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    # A loop's states must keep the static shape that is known.
    shapes = ((sequences.shape[:2], tf.shape(sequences)[:2]), (state.shape[1:], tf.shape(state)[1:]))
    sizes = [
        dynamic[axis] if size is None else size
        for static, dynamic in shapes
        for axis, size in enumerate(static)
    ]
    return tf.zeros(sizes, state.dtype)
