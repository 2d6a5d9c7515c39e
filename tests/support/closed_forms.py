"""Activations and their slopes, written down once more than in the package: what tests compare with."""

import math

import numpy as np
from scipy import special

from rnnexp.theory import Elementwise

SMOOTH: dict[str, tuple[Elementwise, Elementwise]] = {
    "tanh": (np.tanh, lambda a: np.cosh(a) ** -2.0),
    "sigmoid": (special.expit, lambda a: special.expit(a) * special.expit(-a)),
    "softplus": (lambda a: np.logaddexp(0, a), special.expit),
    "silu": (lambda a: a * special.expit(a), lambda a: special.expit(a) * (1 + a * special.expit(-a))),
    "gelu": (
        lambda a: a * special.ndtr(a),
        lambda a: special.ndtr(a) + a * np.exp(-(a**2) / 2) / math.sqrt(2 * math.pi),
    ),
}
TANH = SMOOTH["tanh"]
RELU: tuple[Elementwise, Elementwise] = (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0)
