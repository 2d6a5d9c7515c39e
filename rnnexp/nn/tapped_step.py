"""One step of any Keras cell, with a tap on each of its new states.

A tap e_i on the state s_i gets

    dl/de_i = dl/ds_i (later steps) + sum_r (dr/ds_i)^T dl/dr,   r: what the same step computes from s_i

where r runs over the output and over the states of other cells of the step, and the other states of the same
cell are held constant. If the output *is* the state, that is one addition; else the derivatives inside the
step come from its own graph. If no tape can record how the output is computed (in a `tf.function`), the
output counts as the state that it equals at every step.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from rnnexp.nn.step_derivatives import Inner, is_float
from rnnexp.nn.taps import inside_step


class Group(NamedTuple):
    """The states of one cell of a step.

    Attributes:
        prefix: "", or the path to the cell in a stack, such as cell_0/.
        places: Their places among the floating states.
        handed_on: Which of them is the cell's output; None if none is, or if that is known at run time only.
        names: The cell's own names for them (`state_names`), if it has any.
    """

    prefix: str
    places: list[int]
    handed_on: int | None
    names: list[str] | None


class TappedStep:
    """Calls a cell, or the cells of a stack one by one, and taps the new states.

    Args:
        cell: Any cell of a `keras.layers.RNN`.
        training: Passed to the cell if it takes it.

    Attributes:
        groups: The cells of the last call with their states.
        linked: Whether every output is a state, or is computed from states as far as a tape records.
        additive: Whether the value of a tap is added to the state, so that a nonzero tap changes it.
    """

    def __init__(self, cell: Any, training: bool):
        self.groups: list[Group] = []
        self.linked = True
        self.additive = True
        self.same: Any = None
        self._cell = cell
        self._training = training
        self._flags: Any = None

    def __call__(self, inputs: Any, states: Sequence[Any], taps: Sequence[tf.Tensor | None]) -> tuple:
        """Return the output, the new states and, as the last of these, the flags of `initial_flags`."""
        *states, self._flags = states
        self.groups, self.linked, self.additive = [], True, True
        with inside_step():
            output, new_states = self._call(self._cell, "", None, inputs, states, _Taps(taps))
        if not keras.tree.is_nested(new_states):
            new_states = [new_states]
        return output, [*new_states, self._flags]

    def once(self, call: Callable, inputs: Any, states: Any, taps: Sequence[tf.Tensor | None]) -> tuple:
        """Take a single step through `call`, a function of inputs and states; return what it returns."""
        self._flags = self.initial_flags(states)
        with inside_step():
            result = self._call(self._cell, "", call, inputs, states, _Taps(taps))
        self.finish(self._flags)
        return result

    def initial_flags(self, states: Any) -> tf.Tensor:
        """Return ones (B, N): whether the output has equalled the state so far, for the N floating states."""
        flat = keras.tree.flatten(states)
        batch = flat[0].shape[0] or tf.shape(flat[0])[0]
        return tf.ones((batch, sum(map(is_float, flat))), tf.float32)

    def finish(self, flags: tf.Tensor) -> None:
        """Store the flags after the last step."""
        self.same = tf.reduce_all(flags > 0, axis=0)

    def names(self, same: Sequence[bool]) -> tuple[list[str], list[int]]:
        """Return the names of the floating states, and which of them are outputs.

        A cell may name its states itself (`state_names`). Otherwise an only state, and the state that is the
        output, is h; the other one of two is c; all others are state_0, ... by their place in the cell.

        Args:
            same: The value of `same`, (N,).
        """
        names: dict[int, str] = {}
        outputs = []
        for group in self.groups:
            handed_on = _handed_on(group, same) if group.handed_on is None else group.handed_on
            names |= _names(group, handed_on)
            outputs += [] if handed_on is None else [handed_on]
        return [names[place] for place in sorted(names)], outputs

    def _call(self, cell, prefix, call, inputs, states, taps: "_Taps"):
        if call is None and _is_plain_stack(cell):
            return self._call_stack(cell, prefix, inputs, states, taps)
        asks = isinstance(cell, keras.layers.Layer) and cell._call_has_training_arg
        given = {"training": self._training} if asks and call is None else {}
        with tf.GradientTape(persistent=True) as tape, _calls_of_members(cell) as members:
            tape.watch([each for each in keras.tree.flatten((inputs, states)) if is_float(each)])
            output, new_states = (call or cell)(inputs, states, **given)
        plain = keras.tree.flatten(new_states)
        places, own_taps = taps.take([is_float(state) for state in plain])
        floats = [state for state in plain if is_float(state)]
        inner = Inner(tape, output, floats, _cells_of(floats, members), _own_names(cell, plain))
        output, tapped = self._tap(inner, prefix, places, own_taps)
        remaining = iter(tapped)
        merged = [next(remaining) if is_float(state) else state for state in plain]
        return output, keras.tree.pack_sequence_as(new_states, merged)

    def _call_stack(self, cell, prefix, inputs, states, taps):
        """Call the cells of a stack like Keras does, but tap each state before the next cell reads it."""
        new_states = []
        for number, (member, state) in enumerate(zip(cell.cells, states, strict=True)):
            state = list(state) if keras.tree.is_nested(state) else [state]
            inputs, new_state = self._call(member, f"{prefix}cell_{number}/", None, inputs, state, taps)
            new_states.append(new_state)
        return inputs, new_states

    def _tap(self, inner: "Inner", prefix: str, places: list[int], taps: list[tf.Tensor | None]) -> tuple:
        """Return the tapped output and states, and store their group."""
        direct = _index(inner.states, inner.output)
        several = len(set(inner.cells)) > 1
        for cell in sorted(set(inner.cells)):
            mine = [place for place, each in enumerate(inner.cells) if each == cell]
            handed_on = inner.handed_on(mine, direct)
            name = f"{prefix}cell_{cell}/" if several else prefix
            place = None if handed_on is None else places[handed_on]
            names = None if inner.names is None else [inner.names[each] for each in mine]
            self.groups.append(Group(name, [places[each] for each in mine], place, names))
        if direct is not None and not several:
            states = [_add(state, tap) for state, tap in zip(inner.states, taps, strict=True)]
            return states[direct], states
        self.additive = False
        same = None if direct is not None or inner.is_linked() else self._compare(inner, places)
        return inner.attached(taps, same)

    def _compare(self, inner: "Inner", places: list[int]) -> Callable[[int], tf.Tensor]:
        """Compare the states with the output; return a function that gives the result after the loop."""
        self.linked = False
        flags = tf.unstack(self._flags, axis=1)
        for place, state in zip(places, inner.states, strict=True):
            flags[place] = flags[place] * _equal(inner.output, state)
        self._flags = tf.stack(flags, axis=1)

        def same(number: int) -> tf.Tensor:
            """Whether the output was this state at all steps, and no earlier state of the cell was."""
            earlier = [tf.logical_not(self.same[place]) for place in places[:number]]
            return tf.reduce_all(tf.stack([self.same[places[number]], *earlier]))

        return same


class _Taps:
    """The taps of the floating states, taken cell by cell."""

    def __init__(self, taps: Sequence[tf.Tensor | None]):
        self._taps = list(taps)
        self._next = 0

    def take(self, floating: Sequence[bool]) -> tuple[list[int], list[tf.Tensor | None]]:
        """Return the places of the next states that are floating, and their taps."""
        places = list(range(self._next, self._next + sum(floating)))
        self._next += len(places)
        return places, [self._taps[place] for place in places]


@contextlib.contextmanager
def _calls_of_members(cell: Any) -> Iterator[list[list[tf.Tensor]]]:
    """Collect the new states of every call of a cell inside `cell`, in the order of the calls."""
    noted: list[list[tf.Tensor]] = []
    with contextlib.ExitStack() as covers:
        for member in _members(cell):
            covers.enter_context(covered(member, "call", _noting(member.call, noted)))
        yield noted


def _noting(call: Callable, noted: list[list[tf.Tensor]]) -> Callable:
    def noting(*args, **kwargs):
        result = call(*args, **kwargs)
        if isinstance(result, tuple) and len(result) == 2:
            noted.append([state for state in keras.tree.flatten(result[1]) if tf.is_tensor(state)])
        return result

    return noting


def _members(cell: Any) -> list[keras.layers.Layer]:
    inside = cell._flatten_layers(include_self=False) if isinstance(cell, keras.layers.Layer) else ()
    return [each for each in inside if hasattr(each, "state_size") and not isinstance(each, keras.layers.RNN)]


def _cells_of(states: list[tf.Tensor], members: list[list[tf.Tensor]]) -> list[int]:
    """Return the number of the cell that computed each state; the outer cell computed all others."""
    calls = [
        next((n for n, made in enumerate(members) if _index(made, state) is not None), -1) for state in states
    ]
    order = sorted(set(calls) - {-1}) + ([-1] if -1 in calls else [])
    return [order.index(call) for call in calls]


@contextlib.contextmanager
def covered(instance: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute of one instance by `value` inside the block, without Keras' tracking."""
    attributes = vars(instance)
    own, before = name in attributes, attributes.get(name)
    attributes[name] = value
    try:
        yield
    finally:
        if own:
            attributes[name] = before
        else:
            attributes.pop(name, None)


def _is_plain_stack(cell: Any) -> bool:
    stack = keras.layers.StackedRNNCells
    return isinstance(cell, stack) and type(cell).call is stack.call


def _index(tensors: Sequence[tf.Tensor], wanted: tf.Tensor) -> int | None:
    return next((place for place, each in enumerate(tensors) if each is wanted), None)


def _equal(output: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Return 1 for every sample whose output is the state, (B,)."""
    if not output.shape.is_compatible_with(state.shape) or output.shape.rank != state.shape.rank:
        return tf.zeros(tf.shape(state)[:1])
    alike = tf.equal(output, tf.cast(state, output.dtype))
    return tf.cast(tf.reduce_all(alike, axis=list(range(1, alike.shape.rank))), tf.float32)


def _add(state: tf.Tensor, tap: tf.Tensor | None) -> tf.Tensor:
    if tap is None:
        return state
    tapped = state + tf.cast(tap, state.dtype)
    tapped.set_shape(state.shape)
    return tapped


def _handed_on(group: Group, same: Sequence[bool]) -> int | None:
    return next((place for place in group.places if same[place]), None)


def _own_names(cell: Any, states: list[tf.Tensor]) -> list[str] | None:
    names = getattr(cell, "state_names", None)
    if names is None or len(names) != len(states):
        return None
    return [name for name, state in zip(names, states, strict=True) if is_float(state)]


def _names(group: Group, handed_on: int | None) -> dict[int, str]:
    if group.names is not None:
        return {place: group.prefix + name for place, name in zip(group.places, group.names, strict=True)}
    if len(group.places) == 1:
        return {group.places[0]: f"{group.prefix}h"}
    names = {place: f"{group.prefix}state_{number}" for number, place in enumerate(group.places)}
    if handed_on is not None:
        if len(group.places) == 2:
            names = dict.fromkeys(group.places, f"{group.prefix}c")
        names[handed_on] = f"{group.prefix}h"
    return names
