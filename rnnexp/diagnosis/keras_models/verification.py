"""dl/dh_t beside a central difference of the loss."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

_PLACES = 3
_TOLERANCE = 0.02
"""Of the gradient: what the curvature of the loss may make between the two."""


class Checked(NamedTuple):
    """One comparison, along the gradient's own direction.

    Attributes:
        where: Layer, state and step.
        gradient: ||dL/dh_t|| over the batch.
        difference: (L(h_t + e v) - L(h_t - e v)) / 2 e, v the direction of the gradient.
        noise: What the rounding of L may make of the difference.
    """

    where: str
    gradient: float
    difference: float
    noise: float

    @property
    def agrees(self) -> bool:
        """Whether the two are one within 2 % and the noise."""
        return abs(self.gradient - self.difference) <= _TOLERANCE * self.gradient + self.noise


class Place(NamedTuple):
    """A step of a state: which tap, which step of it, what it is called."""

    tap: int
    step: int
    where: str


def places(names: Sequence[tuple[str, int]]) -> list[Place]:
    """Choose three steps of every state: the first, the middle one and the last.

    Args:
        names: For every tap the name of its state and T; taps of one name are one sequence, in its order.
    """
    found = []
    for name in dict.fromkeys(name for name, _ in names):
        steps = [
            (tap, step) for tap, (each, length) in enumerate(names) if each == name for step in range(length)
        ]
        chosen = sorted({round(each) for each in np.linspace(0, len(steps) - 1, _PLACES)})
        found += [Place(steps[each][0], steps[each][1], f"{name}, step {each + 1}") for each in chosen]
    return found


def check_step(
    place: Place,
    norm: float,
    gradients: Sequence[np.ndarray],
    loss_with: Callable[[list[np.ndarray]], Any],
) -> Checked | None:
    """Compare ||dL/dh_t|| with a central difference; None where the gradient is an exact zero.

    Args:
        place: Which step.
        norm: ||dL/dh_t|| over the batch, as it was measured.
        gradients: dL/de of all taps e, (B, T, ...).
        loss_with: L where some values, shaped as the gradients, are added to the states.
    """
    gradient = gradients[place.tap][:, place.step].astype(np.float64)
    length = float(np.linalg.norm(gradient))
    if not np.isfinite(length) or length == 0:
        return None
    rounding = float(np.finfo(gradients[place.tap].dtype).eps)
    size = rounding ** (1 / 3) * math.sqrt(len(gradient))
    losses = []
    for sign in (1, -1):
        values = [np.zeros_like(each) for each in gradients]
        values[place.tap][:, place.step] = sign * size * gradient / length
        losses.append(float(loss_with(values)))
    noise = 4 * rounding * max(map(abs, losses)) / size
    return Checked(place.where, norm, (losses[0] - losses[1]) / (2 * size), noise)
