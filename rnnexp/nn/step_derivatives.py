"""The derivatives inside one step of a cell: how its output and its states depend on each other."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class Inner:
    """Output and new states of one call of a cell, and the derivatives between them.

    Args:
        tape: A persistent tape over the call.
        output: The output.
        states: The new floating states.
        cells: For each state the number of the cell that computed it.
        names: The cell's own names for the states, if it has any.
    """

    def __init__(
        self,
        tape: tf.GradientTape,
        output: tf.Tensor,
        states: list[tf.Tensor],
        cells: list[int],
        names: list[str] | None,
    ):
        self.tape, self.output, self.states, self.cells, self.names = tape, output, states, cells, names

    def is_linked(self) -> bool:
        """Whether the output depends on any of the states, as far as the tape records."""
        return any(self._depends(self.output, state) for state in self.states)

    def handed_on(self, mine: list[int], direct: int | None) -> int | None:
        """Return which state of a cell is its output, or the only one that its output depends on directly."""
        if direct is not None and len(set(self.cells)) == 1:
            return direct
        read = [place for place in mine if self._is_read(place)]
        last = [
            i for i in read if not any(j != i and self._depends(self.states[j], self.states[i]) for j in read)
        ]
        return last[0] if len(last) == 1 else None

    def attached(self, taps: list[tf.Tensor | None], same: Callable[[int], tf.Tensor] | None) -> tuple:
        """Return output and states, unchanged in value, so that the taps receive their total gradients."""
        wanted = [place for place, tap in enumerate(taps) if tap is not None]
        size = len(self.states)

        @tf.custom_gradient
        def attach(*values):
            def adjoint(*upstream):
                direct, *carried = upstream
                found = _Adjoints(self, direct, carried)
                gradients = [carried[place] + found.within(place) for place in wanted]
                if same is not None:
                    gradients = [
                        g + tf.where(same(i), tf.cast(direct, g.dtype), tf.zeros_like(g))
                        if g.shape.is_compatible_with(direct.shape)
                        else g
                        for i, g in zip(wanted, gradients, strict=True)
                    ]
                return (*upstream, *gradients)

            return [tf.identity(value) for value in values[: size + 1]], adjoint

        output, *states = attach(self.output, *self.states, *(taps[place] for place in wanted))
        return output, states

    def _is_read(self, place: int) -> bool:
        others = [s for s, cell in zip(self.states, self.cells, strict=True) if cell != self.cells[place]]
        return any(self._depends(target, self.states[place]) for target in [self.output, *others])

    def _depends(self, target: tf.Tensor, source: tf.Tensor) -> bool:
        return target is source or (is_float(target) and self.tape.gradient(target, source) is not None)


class _Adjoints:
    """The gradients inside a step, for one gradient that comes from outside."""

    def __init__(self, inner: Inner, direct: tf.Tensor, carried: list[tf.Tensor]):
        self._inner, self._direct, self._carried = inner, direct, carried
        self._found: dict[int, tf.Tensor] = {}

    def within(self, place: int) -> tf.Tensor:
        """Return sum_r (dr/ds)^T dl/dr over all r of the step that depend on s, its cell's other states held.

        The tape's derivative D includes the paths through the held states, which are subtracted:

            held_i = D_i [output and states of other cells] - sum_k (D_i s_k)^T held_k,   k: the held states
        """
        if place not in self._found:
            inner, state = self._inner, self._inner.states[place]
            others = [i for i, cell in enumerate(inner.cells) if cell != inner.cells[place]]
            targets = [inner.output, *(inner.states[i] for i in others)]
            seeds = [self._direct, *(self._carried[i] for i in others)]
            total = inner.tape.gradient(targets, state, seeds, unconnected_gradients="zero")
            for mate, cell in enumerate(inner.cells):
                if mate != place and cell == inner.cells[place]:
                    total = self._without(total, state, mate, place)
            self._found[place] = total
        return self._found[place]

    def _without(self, total: tf.Tensor, state: tf.Tensor, mate: int, place: int) -> tf.Tensor:
        held = self._inner.states[mate]
        if held is state:  # one tensor under two names: the first gets it all
            return total if place < mate else tf.zeros_like(total)
        if not self._inner._depends(held, state):
            return total
        through = self._inner.tape.gradient(held, state, self.within(mate))
        return total - through


def is_float(value: Any) -> bool:
    """Whether a value is a tensor (or variable, or array) of real floating numbers."""
    return hasattr(value, "dtype") and tf.as_dtype(value.dtype).is_floating
