"""ZClip: a gradient whose norm stands out from those before it is brought down to what they say."""

import dataclasses

import numpy as np

from rnnexp.optim.clipping.base import Limited, SkippingClip, State, Tensors, shrink
from rnnexp.runtime import checks
from rnnexp.runtime.deferred import tf

_EPSILON = 1e-6


@dataclasses.dataclass(frozen=True)
class ZClip(SkippingClip):
    """g <- g * (mu + z^2 sigma / s) / ||g||_2 where s = (||g||_2 - mu) / (sigma + 1e-6) exceeds z.

    mu and sigma^2 are moving averages of the norms n after clipping:

        mu <- decay mu + (1 - decay) n,   sigma^2 <- decay sigma^2 + (1 - decay) (n - mu)^2

    that begin as mean and variance of the first `warm_up` norms, during which nothing is clipped. A step
    whose norm is not finite is skipped.

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

    def _init(self, weights: Tensors) -> State:
        """Return mu, sigma^2 and the number of norms they are made of: three zeros."""
        return tuple(tf.zeros((), tf.float64) for _ in range(3))

    def _limit(self, gradients: Tensors, weights: Tensors, norm: "tf.Tensor", memory: State) -> Limited:
        mean, variance, taken = memory
        sigma = tf.sqrt(variance)
        score = (norm - mean) / (sigma + _EPSILON)
        spike = (taken >= self.warm_up) & (score > self.z)
        limit = mean + self.z**2 * sigma / score
        kept, exceeds = shrink(gradients, tf.where(spike, limit, tf.constant(np.inf, tf.float64)))
        moments = self._moments(mean, variance, taken, tf.where(spike, limit, norm))
        return kept, exceeds, (*moments, taken + 1)

    def _moments(
        self, mean: "tf.Tensor", variance: "tf.Tensor", taken: "tf.Tensor", norm: "tf.Tensor"
    ) -> "tuple[tf.Tensor, tf.Tensor]":
        """Return mean and variance with another norm: those of all in the warm-up, moving averages later."""
        share = tf.where(taken < self.warm_up, 1 / (taken + 1), tf.constant(1 - self.decay, tf.float64))
        later = mean + share * (norm - mean)
        # Of all norms alike, the deviation counts from the old mean and from the new one (Welford).
        other = tf.where(taken < self.warm_up, norm - mean, norm - later)
        return later, variance + share * ((norm - later) * other - variance)
