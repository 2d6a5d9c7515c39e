"""The biases of the gates of a cell, at the start of training."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rnnexp.runtime import checks, random


class GateBiases:
    """b = (b_1, ..., b_n), the blocks of n gates side by side, b_k = constants_k + factors_k ln u.

        u ~ U(1, T_max - 1) for every unit, the same u in all of its gates

    A gate sigma(ln u) = u / (1 + u) keeps a state for about 1 + u steps: from 2 to T_max over the units.
    With `longest` T_max and a factor of 1 for the gate that keeps the state and -1 for the one that admits,
    this is the chrono initialisation.

    The numbers depend on the arguments and on the shape only, as those of `rnnexp.initializers`.

    Args:
        constants: One finite number a gate.
        factors: One finite number a gate.
        longest: T_max, an integer of at least 3; None: no u, b = constants.
        seed: An integer of at least 0.

    Call arguments:
        shape: (nH,), or (2, nH) of a GRU whose recurrent product has a bias of its own, which is 0.
        dtype: The name or NumPy dtype of the result; None is float32.

    Raises:
        ArgumentError: An argument is outside its domain, or `shape` has no n equal blocks.

    Source: Tallec and Ollivier 2018, https://arxiv.org/abs/1804.11188.
    """

    def __init__(
        self, constants: Sequence[float], factors: Sequence[float], longest: int | None = None, seed: int = 0
    ):
        self.constants = [checks.finite("constants", each) for each in constants]
        self.factors = [checks.finite("factors", each) for each in factors]
        if len(self.factors) != len(self.constants):
            raise checks.ArgumentError("factors", f"{len(self.constants)} numbers", self.factors)
        self.longest = None if longest is None else checks.integer("longest", longest, 3)
        self.seed = checks.integer("seed", seed, 0)

    def __call__(self, shape: Sequence[int], dtype: npt.DTypeLike | None = None) -> np.ndarray:
        """Return b as an array of `shape` and `dtype`."""
        units, rest = divmod(shape[-1], len(self.constants))
        if rest:
            raise checks.ArgumentError("shape", f"{len(self.constants)} equal blocks", tuple(shape))
        drawn = np.zeros(units)
        if self.longest is not None:
            # The blocks of the recurrent kernel, which may have the same seed, take the numbers before.
            generator = random.generator(self.seed, "weights", len(self.constants))
            drawn = np.log(generator.uniform(1, self.longest - 1, units))
        biases = np.zeros(shape)
        pairs = zip(self.constants, self.factors, strict=True)
        biases.reshape(-1, shape[-1])[0] = np.concatenate([add + factor * drawn for add, factor in pairs])
        return biases.astype(np.float32 if dtype is None else dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as Keras saves them."""
        return {
            "constants": self.constants,
            "factors": self.factors,
            "longest": self.longest,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the initialiser that `get_config` described."""
        return cls(**config)
