"""The record of training steps, and of a whole run."""

import dataclasses
from collections.abc import Sequence

import numpy as np

SCALARS = ("loss", "global_norm", "clipped_norm", "clipped")
"""The scalars that are recorded of every training step, beside the norms over time."""

SKIPPED = 2.0
"""What stands under `clipped` where the clip kept a lost gradient from the weights; else 0 or 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recorded:
    """The record of N training steps, in their order.

    Attributes:
        train_steps: Training-step numbers, int64 (N,), counted from 0.
        log_norms: ln rms_b ||dl_b/dh_t||, nats, float32 (N, T), first h_1; l_b is the loss of sample b.
        scalars: float64 (N, 4), in the order of `SCALARS`.
        upper: As `log_norms`, of the layers above the lowest, whose norms those are; from layer 2 on.
    """

    train_steps: np.ndarray
    log_norms: np.ndarray
    scalars: np.ndarray
    upper: tuple[np.ndarray, ...] = ()

    def series(self, name: str) -> np.ndarray:
        """Return the scalar of that name for every step, (N,).

        Raises:
            ValueError: `name` is not one of `SCALARS`.
        """
        return self.scalars[:, SCALARS.index(name)]

    def where(self, wanted: np.ndarray) -> "Recorded":
        """Return the steps at which `wanted` (N,) is true."""
        upper = tuple(norms[wanted] for norms in self.upper)
        return Recorded(self.train_steps[wanted], self.log_norms[wanted], self.scalars[wanted], upper)

    def every(self, interval: int) -> "Recorded":
        """Return the steps that are multiples of `interval`, at least 1."""
        return self.where(self.train_steps % interval == 0)

    @classmethod
    def joined(cls, parts: Sequence["Recorded"]) -> "Recorded":
        """Return one record of all `parts`, of which there is at least one, in their order."""
        return cls(
            np.concatenate([part.train_steps for part in parts]),
            np.concatenate([part.log_norms for part in parts]),
            np.concatenate([part.scalars for part in parts]),
            tuple(np.concatenate(of_layer) for of_layer in zip(*(part.upper for part in parts), strict=True)),
        )

    @classmethod
    def empty(cls, time_steps: int, layers: int = 1) -> "Recorded":
        """Return a record of no training step, for T = `time_steps` and L = `layers`."""
        lowest, *upper = (np.zeros((0, time_steps), np.float32) for _ in range(layers))
        return cls(np.zeros(0, np.int64), lowest, np.zeros((0, len(SCALARS))), tuple(upper))


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """The history of the training steps of a run.

    Attributes:
        kept: The record of every `Plan.record_every`-th step.
        clipped: Updates that were clipped.
        seconds: Training time, including the compilation of the first step, without the hooks.
        diverged_at: The first training step with a non-finite loss or gradient, or None. `kept` and `clipped`
            end with this step.
    """

    kept: Recorded
    clipped: int
    seconds: float
    diverged_at: int | None = None

    @classmethod
    def empty(cls, time_steps: int, layers: int = 1) -> "History":
        """Return the history of a run that has not begun, for T = `time_steps` and L = `layers`."""
        return cls(Recorded.empty(time_steps, layers), 0, 0.0)
