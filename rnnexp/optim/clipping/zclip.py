"""ZClip: a gradient whose norm stands out from those before it is brought down to what they say."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnexp.optim.clipping.base import Clip, Clipped, State, global_norm, shrink
from rnnexp.runtime import checks

if TYPE_CHECKING:
    import tensorflow as tf

_EPSILON = 1e-6


@dataclasses.dataclass(frozen=True)
class ZClip(Clip):
    """g <- g * (mu + z^2 sigma / s) / ||g||_2 where s = (||g||_2 - mu) / (sigma + 1e-6) exceeds z.

    mu and sigma^2 are moving averages of the norms n after clipping:

        mu <- decay mu + (1 - decay) n,   sigma^2 <- decay sigma^2 + (1 - decay) (n - mu)^2

    that begin as mean and variance of the first `warm_up` norms, during which nothing is clipped. A gradient
    whose norm is not finite is skipped: the optimizer is given zeros, mu and sigma^2 stay, and it is counted.

    Args:
        decay: Weight of the past, in [0, 1).
        z: Standard deviations above the mean beyond which a norm is clipped, a finite number above 0.
        warm_up: Training steps whose norms mu and sigma begin with, at least 2.

    Raises:
        ArgumentError: An argument is outside its domain.

    Source: Kumar et al. 2025, https://arxiv.org/abs/2504.02507, algorithm 1, with the published defaults.
    """

    decay: float = 0.97
    z: float = 2.5
    warm_up: int = 25

    def __post_init__(self) -> None:
        checks.fraction("decay", self.decay)
        checks.positive("z", self.z)
        checks.integer("warm_up", self.warm_up, minimum=2)

    def init(self, weights: "Sequence[tf.Tensor]") -> State:
        """Return mu, sigma^2, the norms that were taken, and the gradients that were skipped: four zeros."""
        import tensorflow as tf

        return tuple(tf.zeros((), tf.float64) for _ in range(4))

    def update(
        self, gradients: "Sequence[tf.Tensor]", weights: "Sequence[tf.Tensor]", state: State
    ) -> tuple[Clipped, State]:
        """Return the clipped gradients, and the state with the norm after clipping.

        Raises:
            ArgumentError: There are no gradients.
        """
        import tensorflow as tf

        mean, variance, taken, skipped = state
        norm_before = global_norm(gradients)
        finite, norm = tf.math.is_finite(norm_before), tf.cast(norm_before, tf.float64)
        sigma = tf.sqrt(variance)
        score = (norm - mean) / (sigma + _EPSILON)
        spike = finite & (taken >= self.warm_up) & (score > self.z)
        limit = mean + self.z**2 * sigma / score
        kept, exceeds = shrink(gradients, tf.where(spike, limit, tf.constant(np.inf, tf.float64)))
        kept = [tf.where(finite, gradient, tf.zeros_like(gradient)) for gradient in kept]
        norm_after = tf.where(exceeds | ~finite, global_norm(kept), norm_before)
        moments = self._moments(mean, variance, taken, tf.where(spike, limit, norm))
        mean, variance = (tf.where(finite, *pair) for pair in zip(moments, (mean, variance), strict=True))
        counted = tf.cast(finite, tf.float64)
        clipped = Clipped(kept, norm_before, norm_after, exceeds | ~finite, skipped=~finite)
        return clipped, (mean, variance, taken + counted, skipped + 1 - counted)

    def metrics(self, state: Sequence[np.ndarray]) -> Mapping[str, float]:
        """Return the number of gradients that were skipped."""
        return {"grad/skipped": float(state[3])}

    def _moments(
        self, mean: "tf.Tensor", variance: "tf.Tensor", taken: "tf.Tensor", norm: "tf.Tensor"
    ) -> "tuple[tf.Tensor, tf.Tensor]":
        """Return mean and variance with another norm: those of all in the warm-up, moving averages later."""
        import tensorflow as tf

        share = tf.where(taken < self.warm_up, 1 / (taken + 1), tf.constant(1 - self.decay, tf.float64))
        later = mean + share * (norm - mean)
        # Of all norms alike, the deviation counts from the old mean and from the new one (Welford).
        other = tf.where(taken < self.warm_up, norm - mean, norm - later)
        return later, variance + share * ((norm - later) * other - variance)
