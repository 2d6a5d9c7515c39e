"""Orthonormal vectors that pass through a chain of Jacobians, orthonormalised before they align."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnnexp.probes.jacobians import Chain, Factor

_STRAIN = 16.0
"""Nats by which the growth of two vectors may differ between two QR factorisations: the smaller vector then
has about 9 of 16 digits."""
_SCALE = 200.0
"""Nats by which a vector may grow or shrink between two factorisations without over- or underflow."""
_LONGEST = 32
_NOISE = 1e-15
"""A QR factorisation cannot distinguish a length below this, times H and the longest vector, from 0."""


class Stretch(NamedTuple):
    """The effect of several Jacobians J of the chain on the vectors: J Q = Q' A.

    Attributes:
        transfer: A, (B, K, K), upper triangular up to the order of its columns.
        log_growth: ln of the diagonal of the triangle, (B, K), nats; -inf is a lost vector.
        order: Which old vector every new one continues, (B, K); None where each continues its own.
    """

    transfer: np.ndarray
    log_growth: np.ndarray
    order: np.ndarray | None


class Frame:
    """K orthonormal vectors per sample that pass through a chain of Jacobians.

    Between two QR factorisations the frame passes several Jacobians: as many as keep the growth of its
    vectors within e^16 of each other, estimated from the growth so far. If the growth differs more, the
    Jacobians are passed again, half as many. If a single Jacobian exceeds the bound, its factors are passed
    one by one, each with the rows of its image sorted by size, which preserves the digits of entries that a
    diagonal factor shrinks (Cox and Higham 1998, "Stability of Householder QR factorization for weighted
    least squares problems"). A vector that a factor maps to 0, or to rounding error in the span of the
    vectors before it, is lost: it is the zero vector from then on.

    Args:
        chain: The Jacobians.
        vectors: The orthonormal start, (B, H, K).
    """

    def __init__(self, chain: Chain, vectors: np.ndarray):
        self.vectors = vectors
        self._chain = chain
        self._step = 0
        self._length = 1  # Jacobians before the next QR factorisation; 0: the factors of one, one by one

    def advance(self, stop: int) -> Iterator[Stretch]:
        """Pass the Jacobians up to the `stop`-th, and yield the effect of each group of them.

        The frame may be reordered between two stretches.
        """
        while self._step < stop:
            if self._length == 0:
                yield from self._pass_factors()
                continue
            length = min(self._length, stop - self._step)
            image = self._chain.apply(self._step, self._step + length, self.vectors)
            vectors, stretch = _orthonormalise(image)
            strain = self._strain(stretch.log_growth)
            if strain > _STRAIN:
                self._length = length // 2
            else:
                self.vectors = vectors
                self._step += length
                self._length = _next_length(length, self._length, strain)
                yield stretch

    def reorder(self, order: np.ndarray) -> None:
        """Put the vectors of every sample into another order, (B, K)."""
        self.vectors = np.take_along_axis(self.vectors, order[:, np.newaxis], axis=2)

    def _strain(self, log_growth: np.ndarray) -> float:
        """Return by how much the growth of live vectors differs, in nats; inf if one was lost."""
        alive = np.any(self.vectors, axis=1)
        if not alive.any():
            return 0.0
        some = alive.any(axis=1)
        highest = np.max(log_growth, axis=1, where=alive, initial=-np.inf)[some]
        lowest = np.min(log_growth, axis=1, where=alive, initial=np.inf)[some]
        if np.isneginf(lowest).any():
            return np.inf
        scale = float(np.max(np.maximum(highest, -lowest)))
        return max(float(np.max(highest - lowest)), scale * _STRAIN / _SCALE)

    def _pass_factors(self) -> Iterator[Stretch]:
        """Pass one Jacobian, factor by factor."""
        strain = 0.0
        for factor in self._chain.factors:
            vectors, stretch = _pass_factor(factor, self._step, self.vectors)
            strain += self._strain(stretch.log_growth)
            self.vectors = vectors
            yield stretch
        self._step += 1
        self._length = 1 if strain <= _STRAIN else 0


def _next_length(taken: int, planned: int, strain: float) -> int:
    affordable = 0.8 * _STRAIN * taken / strain if strain > 0 else np.inf
    return int(max(1, min(affordable, 2 * max(taken, planned), _LONGEST)))


def _orthonormalise(image: np.ndarray) -> tuple[np.ndarray, Stretch]:
    vectors, triangle = np.linalg.qr(image)
    return _without_lost(vectors, triangle), Stretch(triangle, _log_diagonal(triangle), None)


def _pass_factor(factor: Factor, step: int, vectors: np.ndarray) -> tuple[np.ndarray, Stretch]:
    image = factor.apply(step, vectors)
    sizes = np.abs(image).max(axis=1)
    noise = _NOISE * image.shape[1] * sizes.max(axis=1, keepdims=True)
    # The image of a vector that the factor maps almost to 0 is rounding error, so it goes last.
    order = _last_where(sizes <= noise)
    if order is not None:
        image = np.take_along_axis(image, order[:, np.newaxis], axis=2)
    rows = np.argsort(-np.abs(image).max(axis=2), axis=1)[:, :, np.newaxis]
    sorted_vectors, triangle = np.linalg.qr(np.take_along_axis(image, rows, axis=1))
    image_vectors = np.empty_like(sorted_vectors)
    np.put_along_axis(image_vectors, rows, sorted_vectors, axis=1)
    if not factor.diagonal:
        triangle[np.abs(triangle) <= noise[:, :, np.newaxis]] = 0.0
    transfer = triangle
    if order is not None:
        transfer = np.take_along_axis(triangle, np.argsort(order, axis=1)[:, np.newaxis], axis=2)
    return _without_lost(image_vectors, triangle), Stretch(transfer, _log_diagonal(triangle), order)


def _last_where(flags: np.ndarray) -> np.ndarray | None:
    """Return the order that puts the flagged entries of every row last, or None if they are last already."""
    if not np.any(flags[:, :-1] & ~flags[:, 1:]):
        return None
    return np.argsort(flags, axis=1, kind="stable")


def _without_lost(vectors: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    return vectors * np.any(triangle, axis=2)[:, np.newaxis]


def _log_diagonal(triangle: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.abs(np.diagonal(triangle, axis1=1, axis2=2)))
