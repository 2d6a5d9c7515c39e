"""Initial weights, drawn with NumPy from a counter; Keras layers take these objects as initialisers."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from rnnexp.runtime import checks, random
from rnnexp.runtime.deferred import keras


class Initializer(abc.ABC):
    """Draws W = gain * U, a weight matrix of shape (fan_in, fan_out).

    `W[i, j]` is the weight from input i to unit j, as in Keras' `a = x @ W`; of a `recurrent_kernel` (H, H),
    row i holds what leaves unit i and column j what enters unit j. U is drawn and scaled in float64 and cast
    once, at the end.

    The numbers depend on the arguments and on the shape only: an object that is called twice draws the same
    matrix twice, so each weight of a model needs an initialiser with a seed of its own.

    Args:
        gain: The scale, a finite number above 0.
        seed: An integer of at least 0. `Identity` takes it and does not use it.

    Call arguments:
        shape: (fan_in, fan_out), each at least 1.
        dtype: The name or NumPy dtype of the result; None is float32.

    Attributes:
        independent: Whether every entry is drawn independently of all others.
        mean_field: Whether a wide W has the rates of independent entries of its variance, so that mean-field
            theory may speak of it.

    Raises:
        ArgumentError: An argument is outside its domain, or `shape` is not one that the initialiser can fill.
    """

    independent: ClassVar[bool] = False
    mean_field: ClassVar[bool] = False

    def __init__(self, gain: float = 1.0, seed: int = 0):
        self.gain = checks.positive("gain", gain)
        self.seed = checks.integer("seed", seed, 0)

    def __call__(self, shape: Sequence[int], dtype: npt.DTypeLike | None = None) -> np.ndarray:
        """Return W as an array of `shape` and `dtype`."""
        unit = self._draw(*_matrix_shape(shape), random.generator(self.seed, "weights"))
        return (self.gain * unit).astype(np.float32 if dtype is None else dtype)

    @abc.abstractmethod
    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        """Return U, float64 (fan_in, fan_out)."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as Keras saves them."""
        return {"gain": self.gain, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the initialiser that `get_config` described."""
        return cls(**config)

    def apart(self, distance: int) -> Self:
        """Return the same initialiser with a seed that is larger by `distance`: other numbers of one law."""
        config = self.get_config()
        return self.from_config(config | {"seed": config["seed"] + distance})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Initializer) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"

    def _identity(self) -> tuple[object, ...]:
        return (type(self), *self.get_config().items())


class GlorotUniform(Initializer):
    """W_ij ~ U(-a, a) with a = gain * sqrt(6 / (fan_in + fan_out)).

    The variance of an entry is gain^2 * 2 / (fan_in + fan_out): gain^2 / H for a (H, H) matrix.
    Source: Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html, equation 16.
    """

    independent = mean_field = True

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        limit = np.sqrt(6 / (fan_in + fan_out))
        return generator.uniform(-limit, limit, (fan_in, fan_out))


class Orthogonal(Initializer):
    """W = gain * Q with Q^T Q = I, or Q Q^T = I where fan_in < fan_out: every singular value is `gain`.

    Q comes from A = Q R, where A is Gaussian and R has a positive diagonal; that sign makes the factorisation
    unique and Q uniform over the orthogonal matrices (Mezzadri 2007, https://arxiv.org/abs/math-ph/0609050).
    Source: Saxe, McClelland and Ganguli 2013, https://arxiv.org/abs/1312.6120.
    """

    mean_field = True

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        tall = (max(fan_in, fan_out), min(fan_in, fan_out))
        q, r = np.linalg.qr(generator.standard_normal(tall))
        q *= np.copysign(1.0, np.diag(r))
        return q if fan_in >= fan_out else q.T


class Identity(Initializer):
    """W = gain * I, for square shapes only.

    Source: Le, Jaitly and Hinton 2015, https://arxiv.org/abs/1504.00941.
    """

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        return np.eye(_square(fan_in, fan_out))


class Gaussian(Initializer):
    """W_ij ~ N(0, gain^2 / fan_in), where gain^2 / fan_in is the variance: gain^2 / H for a (H, H) matrix.

    As H grows the eigenvalues fill the disc of radius `gain` (Ginibre 1965, https://doi.org/10.1063/1.1704292)
    and the largest singular value of a (H, H) matrix tends to 2 * gain.
    """

    independent = mean_field = True

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        return generator.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)


class Normal(Initializer):
    """W_ij ~ N(0, gain^2): the gain is the standard deviation of an entry, whatever the shape.

    Le, Jaitly and Hinton 2015 (https://arxiv.org/abs/1504.00941) draw W_xh so with gain 0.001; the "basic
    tanh" of Pascanu, Mikolov and Bengio 2013 (https://arxiv.org/abs/1211.5063) has gain 0.1.
    """

    independent = mean_field = True

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        return generator.standard_normal((fan_in, fan_out))


class Henaff(Initializer):
    """W = gain * exp(S), S skew-symmetric with blocks [[0, -s], [s, 0]], s ~ U(-pi, pi), on its diagonal.

    exp(S) rotates the plane of every two units by an angle s, so W is orthogonal times `gain` and its
    eigenvalues are gain * exp(+-i s). The last unit of an odd H has the eigenvalue `gain`.
    Source: Henaff, Szlam and LeCun 2016, https://arxiv.org/abs/1602.06662; as blocks in the code of
    Lezcano-Casado and Martinez-Rubio 2019, https://arxiv.org/abs/1901.08428.
    """

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        matrix = np.eye(_square(fan_in, fan_out))
        for first, angle in zip(
            range(0, fan_in - 1, 2), generator.uniform(-np.pi, np.pi, fan_in // 2), strict=True
        ):
            cosine, sine = np.cos(angle), np.sin(angle)
            matrix[first : first + 2, first : first + 2] = [[cosine, -sine], [sine, cosine]]
        return matrix


class Antisymmetric(Initializer):
    """W = gain * (A - A^T) / sqrt(2), A_ij ~ N(0, 1 / H): the variance of an entry is gain^2 / H.

    Every eigenvalue is imaginary, and W is normal: the largest |eigenvalue| is the largest singular value. As
    H grows the eigenvalues fill the interval from -2 i gain to 2 i gain with the density of a semicircle.
    Source: the matrix of Chang et al. 2019, https://arxiv.org/abs/1902.09689, as the start of W_hh.
    """

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        units = _square(fan_in, fan_out)
        matrix = generator.standard_normal((units, units)) / np.sqrt(2 * units)
        return matrix - matrix.T


class Sparse(Initializer):
    """W = gain * S / rho(S), S with `nonzero` Gaussian entries a row, rho the largest |eigenvalue|.

    So the spectral radius of W is `gain`. The places of a row's entries are drawn without replacement from
    the whole row, diagonal included. A row is what leaves a unit: each unit feeds exactly `nonzero` units and
    is fed by `nonzero` on average. Pascanu, Mikolov and Bengio 2013 (https://arxiv.org/abs/1211.5063) draw
    their "smart tanh" so, with nonzero=15 and gain=0.95 (https://github.com/pascanur/trainingRNNs, `RNN.py`).
    Martens 2010 limits what *enters* a unit: the transpose, whose eigenvalues follow the same law.

    Args:
        nonzero: Entries a row, an integer of at least 1, and at most H when called.
        gain: The spectral radius, a finite number above 0.
        seed: An integer of at least 0.
    """

    mean_field = True

    def __init__(self, nonzero: int = 15, gain: float = 1.0, seed: int = 0):
        super().__init__(gain, seed)
        self.nonzero = checks.integer("nonzero", nonzero, 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as Keras saves them."""
        return {"nonzero": self.nonzero, **super().get_config()}

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        units = _square(fan_in, fan_out)
        if self.nonzero > units:
            raise checks.ArgumentError("nonzero", f"at most {units}, the units of a row", self.nonzero)
        places = generator.permuted(np.tile(np.arange(units), (units, 1)), axis=1)[:, : self.nonzero]
        matrix = np.zeros((units, units))
        np.put_along_axis(matrix, places, generator.standard_normal(places.shape), axis=1)
        return matrix / self._spectral_radius(matrix)

    def _spectral_radius(self, matrix: np.ndarray) -> float:
        radius = np.abs(np.linalg.eigvals(matrix)).max()
        # A row is never empty, so the graph of S has a cycle and rho(S) > 0 almost surely; entries that
        # underflow could still leave none.
        if radius == 0:
            raise checks.ArgumentError("seed", "a draw with an eigenvalue other than 0", self.seed)
        return float(radius)


class PerBlock(Initializer):
    """W = (W_1, ..., W_n), n square blocks side by side, each drawn from numbers of its own.

    For the recurrent kernel (H, nH) of a gated cell. Block `first` is what `block` draws alone.

    Args:
        block: The initialiser of a block.
        blocks: n, an integer of at least 1.
        first: Which block is drawn from the initialiser's first numbers, an integer from 0 to n - 1.
    """

    def __init__(self, block: Initializer, blocks: int, first: int = 0):
        super().__init__(block.gain, block.seed)
        self.block = block
        self.blocks = checks.integer("blocks", blocks, 1)
        self.first = checks.integer("first", first, 0, self.blocks - 1)

    def _draw(self, fan_in: int, fan_out: int, generator: np.random.Generator) -> np.ndarray:
        if fan_out != self.blocks * fan_in:
            expected = f"{self.blocks} square blocks side by side"
            raise checks.ArgumentError("shape", expected, (fan_in, fan_out))
        places = (np.arange(self.blocks) - self.first) % self.blocks
        generators = [random.generator(self.seed, "weights", int(place)) for place in places]
        return np.concatenate([self.block._draw(fan_in, fan_in, each) for each in generators], axis=1)

    def apart(self, distance: int) -> Self:
        """Return the same with a block whose seed is larger by `distance`."""
        return self.from_config(self.get_config() | {"block": self.block.apart(distance)})

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as Keras saves them."""
        return {"block": self.block, "blocks": self.blocks, "first": self.first}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the initialiser that `get_config` described, `block` perhaps as Keras serialised it."""
        block, kinds = config["block"], {kind.__name__: kind for kind in CATALOGUE.values()}
        if not isinstance(block, Initializer) and block["class_name"] in kinds:
            block = kinds[block["class_name"]].from_config(block["config"])
        elif not isinstance(block, Initializer):
            block = keras.saving.deserialize_keras_object(block)
        return cls(**{**config, "block": block})


def _matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) != 2:
        raise checks.ArgumentError("shape", "two sizes (fan_in, fan_out)", tuple(shape))
    fan_in, fan_out = (checks.integer("shape", size, 1) for size in shape)
    return fan_in, fan_out


def _square(fan_in: int, fan_out: int) -> int:
    if fan_in != fan_out:
        raise checks.ArgumentError("shape", "a square matrix", (fan_in, fan_out))
    return fan_in


CATALOGUE: dict[str, type[Initializer]] = {
    "glorot_uniform": GlorotUniform,
    "orthogonal": Orthogonal,
    "identity": Identity,
    "gaussian": Gaussian,
    "sparse": Sparse,
    "normal": Normal,
    "henaff": Henaff,
    "antisymmetric": Antisymmetric,
}
"""The initialisers by their names in the configuration."""
