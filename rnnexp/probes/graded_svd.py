"""Matrices whose rows span thousands of decades, and their singular values."""

import dataclasses
from collections.abc import Iterator

import numpy as np

_MARGIN = 18.0
"""Nats between the sizes of two rows beyond which they change each other's singular values by e^-36 only."""
_WIDEST = 300.0
"""Nats that one block spans at most, so that squares of its entries are float64 numbers."""
_EVEN = 14.0
"""Nats up to which a plain singular value decomposition has 9 digits of the smallest value."""


@dataclasses.dataclass(frozen=True, eq=False)
class GradedMatrix:
    """A matrix per sample, A = diag(exp(log_scale)) rows.

    Attributes:
        log_scale: (B, K), nats; -inf is a row of zeros.
        rows: (B, K, K), each with the largest |entry| 1, or all 0.
    """

    log_scale: np.ndarray
    rows: np.ndarray

    @classmethod
    def identity(cls, samples: int, size: int) -> "GradedMatrix":
        """Return the identity matrix for each of B samples."""
        rows = np.broadcast_to(np.eye(size), (samples, size, size))
        return cls(np.zeros((samples, size)), rows)

    def multiplied(self, transfer: np.ndarray) -> "GradedMatrix":
        """Return transfer A, for `transfer` (B, K, K)."""
        # Every row of the product is a sum of rows of A; the largest of them is factored out.
        scale = np.broadcast_to(self.log_scale[:, np.newaxis], transfer.shape)
        shift = np.max(scale, axis=2, where=transfer != 0, initial=-np.inf)
        shift = np.where(np.isneginf(shift), 0.0, shift)
        weights = np.exp(np.minimum(scale - shift[:, :, np.newaxis], 0.0))
        product = (transfer * weights) @ self.rows
        sizes = np.abs(product).max(axis=2)
        with np.errstate(divide="ignore"):
            log_scale = shift + np.log(sizes)
        return GradedMatrix(log_scale, product / np.where(sizes > 0, sizes, 1.0)[:, :, np.newaxis])

    def descending(self) -> np.ndarray:
        """Return the order of the rows by size, the largest first, (B, K)."""
        return np.argsort(-self.log_scale, axis=1, kind="stable")

    def reordered(self, order: np.ndarray) -> "GradedMatrix":
        """Return the matrix with its rows in another order, (B, K)."""
        log_scale = np.take_along_axis(self.log_scale, order, axis=1)
        return GradedMatrix(log_scale, np.take_along_axis(self.rows, order[:, :, np.newaxis], axis=1))


def log_singular_values(matrix: GradedMatrix) -> np.ndarray:
    """Return ln sigma of every sample, (B, K), the largest first; -inf is an exact zero.

    With the rows sorted by size, D = diag(exp(log_scale)) and rows^T = Q R, the singular values of A = D rows
    are those of R D, a triangle whose columns decrease. Where two neighbouring columns differ by e^18, the
    entries that couple them change no singular value by more than a factor 1 + e^-36, and the blocks on both
    sides are decomposed separately. A block is decomposed by one-sided Jacobi rotations, which find the small
    singular values of a matrix with graded columns to as many digits as the large ones (Demmel and Veselic
    1992, https://doi.org/10.1137/0613074; LAPACK's dgejsv, Drmac and Veselic 2008,
    https://doi.org/10.1137/050639193), or by a plain decomposition if it spans less than e^14.

    Accuracy: the error of ln sigma_i is about 1e-15 kappa + 1e-9, kappa the condition of `rows`, whatever the
    grading. A sigma_i below 1e-15 K of the i-th row's size cannot be distinguished from 0.
    """
    matrix = matrix.reordered(matrix.descending())
    triangle = np.linalg.qr(matrix.rows.swapaxes(1, 2), mode="r")
    return np.stack([_log_sigma(*sample) for sample in zip(matrix.log_scale, triangle, strict=True)])


def _log_sigma(log_scale: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    """Return ln of the singular values of triangle diag(exp(log_scale)), with `log_scale` decreasing."""
    log_sigma = np.full(len(log_scale), -np.inf)
    rank = int(np.sum(np.isfinite(log_scale)))
    log_scale, triangle = log_scale[:rank], triangle[:rank, :rank]
    with np.errstate(divide="ignore"):
        diagonal = log_scale + np.log(np.abs(np.diagonal(triangle)))
        columns = log_scale + np.log(np.abs(triangle).max(axis=0, initial=0.0))
    for start, stop, low, high in _blocks(diagonal, columns):
        shift = log_scale[start]
        block = triangle[low:high, low:high] * np.exp(log_scale[low:high] - shift)
        log_sigma[start:stop] = shift + _log_sigma_of_block(block)[start - low : stop - low]
    lost = log_sigma[:rank] < log_scale + np.log(1e-15 * len(log_sigma))
    return np.where(np.pad(lost, (0, len(log_sigma) - rank)), -np.inf, log_sigma)


def _blocks(diagonal: np.ndarray, columns: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start, stop, low, high): the values of rows start:stop are computed from the rows low:high.

    `diagonal` and `columns` are ln |R_ii D_ii| and the ln of the largest entry of every column of R D.
    """
    size = len(diagonal)
    # Rows before i and columns from j are independent if floor[i] - ceiling[j] is at least the margin.
    floor = np.concatenate([[np.inf], np.minimum.accumulate(diagonal)])
    ceiling = np.concatenate([np.maximum.accumulate(columns[::-1])[::-1], [np.finfo(np.float64).min]])
    apart = floor[:-1] - ceiling[:-1] >= _MARGIN
    start = 0
    while start < size:
        ends = np.flatnonzero(apart | (columns[start] - columns > _WIDEST))
        stop = int(next(iter(ends[ends > start]), size))
        low = np.flatnonzero(floor[: start + 1] - ceiling[start] >= _MARGIN)[-1]
        touched = np.flatnonzero(floor[stop] - ceiling[stop:-1] < _MARGIN)
        high = stop + (touched[-1] + 1 if touched.size else 0)
        yield start, stop, low, high
        start = stop


def _log_sigma_of_block(block: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        if len(block) == 1:
            return np.log(np.abs(block[0]))
        sizes = np.log(np.abs(np.diagonal(block)))
        if sizes.max() - sizes.min() <= _EVEN:
            return np.log(np.linalg.svd(block, compute_uv=False))
        from scipy.linalg import lapack  # not above, as no command line should wait for it

        sigma, _, _, work, _, info = lapack.dgejsv(block, joba=0, jobu=3, jobv=3)
        if info != 0:
            raise np.linalg.LinAlgError(f"dgejsv did not converge: info = {info}")
        return np.sort(np.log(sigma) + np.log(work[0] / work[1]))[::-1]
