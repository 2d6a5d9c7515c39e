"""The piece of work that all contestants do, for those who do without TensorFlow, too."""

from collections.abc import Callable
from typing import NamedTuple

from rnnexp import tasks

Train = Callable[[int], None]
"""Takes that many training steps, a multiple of ten, and returns when the last update is done."""


class Shape(NamedTuple):
    """T, H and B of a piece of work."""

    steps: int
    units: int
    batch_size: int


def batch_of(shape: Shape) -> tasks.Batch:
    """Return the batch that all of them train on."""
    return tasks.Adding(shape.steps).batch(0, "train", 0, shape.batch_size)
