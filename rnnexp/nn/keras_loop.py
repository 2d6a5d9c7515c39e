"""Keras' own loop over time, with a tap on every state that a step hands on.

    h_t = cell(x_t, h_{t-1}) + e_t,   e_t = 0,   so that   dl/de_t = dl/dh_t

The tape's gradient with respect to the tap e is the total derivative through everything that reads h_t after
the step: the layer's outputs and all later steps. Nothing but zeros is added, so no value changes.
"""

import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf


class _Tapped(NamedTuple):
    """Sequences and taps side by side: Keras' loop slices (and reverses) both alike."""

    sequences: Any
    taps: Any

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
) -> tuple:
    """Run the recurrence of `layer` in Keras' loop, never in a fused kernel, with a tap on its states.

    Args:
        layer: Any `keras.layers.RNN`. It is only read.
        taps: e of every floating state, like those of `zero_taps`, in the order of the inputs' time; None
            adds nothing to that state.
        sequences: x, (B, T, ...).
        initial_state: h_0, as the layer passes it to its `inner_loop`.
        mask: (B, T) or None. A masked step hands the previous state on: its tap gets the gradient zero.
        training: Passed to the cell, where it asks for it.

    Returns:
        Last output, outputs and last states, as `keras.layers.RNN.inner_loop` does.
    """

    def step(inputs, states):
        given = iter(inputs.taps)
        each = iter([None if tap is None else next(given) for tap in taps])
        return _call(layer.cell, inputs.sequences, states, each, training)

    like_layer = types.SimpleNamespace(
        cell=step,
        stateful=layer.stateful,
        go_backwards=layer.go_backwards,
        unroll=False,
        zero_output_for_mask=layer.zero_output_for_mask,
        return_sequences=layer.return_sequences,
    )
    # Keras' function, but not its layer: its cell may be anything that is called like one.
    tapped = _Tapped(sequences, [tap for tap in taps if tap is not None])
    return keras.layers.RNN.inner_loop(like_layer, tapped, initial_state, mask)


def zero_taps(sequences: tf.Tensor, initial_state: Any) -> list[tf.Tensor]:
    """Return e = 0 of every floating state, each (B, T, ...) of the static shape that is known."""
    return [_zeros(sequences, state) for state in keras.tree.flatten(initial_state) if _is_float(state)]


def _call(cell, inputs, states, taps: Iterator[tf.Tensor | None], training: bool):
    """Call a cell and add a tap to each new state; in a stack, before the next cell reads it."""
    if type(cell) is keras.layers.StackedRNNCells:
        new_states = []
        for member, state in zip(cell.cells, states, strict=True):
            state = list(state) if keras.tree.is_nested(state) else [state]
            inputs, new_state = _call(member, inputs, state, taps, training)
            new_states.append(new_state)
        return inputs, new_states
    asks = isinstance(cell, keras.layers.Layer) and cell._call_has_training_arg
    output, new_states = cell(inputs, states, **({"training": training} if asks else {}))
    plain = keras.tree.flatten(new_states)
    tapped = [_add(state, next(taps)) if _is_float(state) else state for state in plain]
    # Where the output is a state, whoever reads the output reads the state.
    same = {id(before): after for before, after in zip(plain, tapped, strict=True)}
    return same.get(id(output), output), keras.tree.pack_sequence_as(new_states, tapped)


def _add(state: tf.Tensor, tap: tf.Tensor | None) -> tf.Tensor:
    if tap is None:
        return state
    tapped = state + tf.cast(tap, state.dtype)
    tapped.set_shape(state.shape)
    return tapped


def _is_float(state) -> bool:
    return tf.as_dtype(state.dtype).is_floating


def _zeros(sequences: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    # A loop's states must keep the static shape that is known.
    shapes = ((sequences.shape[:2], tf.shape(sequences)[:2]), (state.shape[1:], tf.shape(state)[1:]))
    sizes = [
        dynamic[axis] if size is None else size
        for static, dynamic in shapes
        for axis, size in enumerate(static)
    ]
    return tf.zeros(sizes, state.dtype)


def output_state(names: Sequence[str]) -> int:
    """Return which of the states that `state_names` names is handed on: the first, of a stack's last cell."""
    cell, _, _ = names[-1].rpartition("/")
    return next(place for place, name in enumerate(names) if name.startswith(cell))


def state_names(cell, states: Any) -> list[str]:
    """Name the floating states: h, or h and c of an LSTM, or by number; in a stack after their cell."""
    if type(cell) is keras.layers.StackedRNNCells:
        members = zip(cell.cells, states, strict=True)
        return [
            f"cell_{number}/{name}"
            for number, (member, state) in enumerate(members)
            for name in state_names(member, state)
        ]
    flat = keras.tree.flatten(states)
    if hasattr(cell, "state_names"):
        names = cell.state_names
    elif len(flat) == 1:
        names = ["h"]
    elif len(flat) == 2 and any("LSTM" in kind.__name__ for kind in type(cell).__mro__):
        names = ["h", "c"]
    else:
        names = [f"state_{number}" for number in range(len(flat))]
    return [name for name, state in zip(names, flat, strict=True) if _is_float(state)]
