"""Checks of a measured pass: its loss against a plain pass, dl/dh_t against a central difference."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

_PLACES = 3
_TOLERANCE = 0.02
"""Share of the gradient by which the two may differ, since the loss is curved."""


class Checked(NamedTuple):
    """One comparison, along the gradient's own direction.

    Attributes:
        where: Layer, state and step.
        gradient: ||dL/dh_t|| over the batch.
        difference: (L(h_t + e v) - L(h_t - e v)) / 2 e, v the direction of the gradient.
        noise: Error of the difference that the rounding of L can cause.
    """

    where: str
    gradient: float
    difference: float
    noise: float

    @property
    def agrees(self) -> bool:
        """Whether the two differ by no more than 2 % and the noise."""
        return abs(self.gradient - self.difference) <= _TOLERANCE * self.gradient + self.noise

    @property
    def warning(self) -> str:
        """The sentence that reports a comparison that does not agree."""
        return (
            f"||dL/dh|| of {self.where} is {self.gradient:.4g}, "
            f"a central difference gives {self.difference:.4g}: do not trust it"
        )


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
        loss_with: Returns L with values of the gradients' shapes added to the states.
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


def same_loss(loss: float, other: float, model: keras.Model) -> bool:
    """Return whether two losses are equal to the rounding of the model's coarsest type."""
    dtypes = {tf.as_dtype(layer.compute_dtype or "float32") for layer in model._flatten_layers()}
    ieee = [dtype.as_numpy_dtype for dtype in dtypes if dtype in (tf.float16, tf.float32, tf.float64)]
    coarse = max((float(np.sqrt(np.finfo(dtype).eps)) for dtype in ieee), default=3e-4)
    coarse = 0.1 if tf.bfloat16 in dtypes else coarse
    both_nan = math.isnan(loss) and math.isnan(other)
    return loss == other or both_nan or math.isclose(loss, other, rel_tol=coarse)
