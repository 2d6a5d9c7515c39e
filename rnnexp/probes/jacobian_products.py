"""The Jacobian products dh_T/dh_t of every lag: their singular values."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from rnnexp.probes.graded_svd import GradedMatrix, log_singular_values
from rnnexp.probes.jacobians import Jacobians
from rnnexp.probes.orthonormal_frame import Frame
from rnnexp.probes.probe import Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.checks import ArgumentError, integer
from rnnexp.runtime.mean_intervals import mean_interval
from rnnexp.runtime.threads import one_blas_thread

_DEFAULT_LAGS = 32
_SAMPLES = 8
"""Of a batch: fewer have a wide interval, and the Jacobians of an LSTM take 4 T H^2 numbers a sample."""
_DISORDER = 2.0
"""Nats by which a row of the product may exceed the one before it."""


@dataclasses.dataclass(frozen=True, eq=False)
class JacobianProducts:
    """The singular values of dh_T/dh_{T-lag}, sample by sample.

    Attributes:
        lags: L lags, ascending, (L,); the last is T-1 if it was asked for.
        log_sigma: ln of the singular values, the largest first, (L, B, H), nats. -inf is 0; nan where the
            Jacobians of the sample were not finite.
        log_gain: ln(||J_t||_F / sqrt(H)) of every step, (T, B), nats: the root mean square growth of a random
            direction; the mean field's rate is its expected value.
    """

    lags: np.ndarray
    log_sigma: np.ndarray
    log_gain: np.ndarray

    @property
    def log10_sigma_max(self) -> float:
        """log10 of the largest singular value at the largest lag, the mean over samples, decades."""
        return mean_interval(self._largest)[0]

    @property
    def sigma_max_interval(self) -> tuple[float, float]:
        """Ends of its 95 % interval: Student's, of as many samples as there are.

        nan where a sample has no singular value above 0 or was not finite; infinite of one sample.
        """
        mean, half_width = mean_interval(self._largest)
        return mean - half_width, mean + half_width

    @property
    def _largest(self) -> np.ndarray:
        return self.log_sigma[-1, :, 0] / np.log(10)

    @property
    def log10_sigma_median(self) -> float:
        """log10 of the median singular value at the largest lag, the mean over samples, decades."""
        return mean_interval(np.median(self.log_sigma[-1], axis=1) / np.log(10))[0]


class JacobianProbe(Probe[JacobianProducts]):
    """The singular values of dS_T/dS_1 of the first samples, S being all states side by side."""

    name = "jacobian"
    page = "jacobian"
    metric_table: ClassVar = {
        "jacobian/log10_sigma_max": Metric(
            f"largest singular value of dh_T/dh_1, mean of {_SAMPLES} sequences", "decades"
        ),
        "jacobian/log10_sigma_max_low": Metric("lower end of its 95 % interval", "decades"),
        "jacobian/log10_sigma_max_high": Metric("upper end of its 95 % interval", "decades"),
        "jacobian/log10_sigma_median": Metric(
            f"median singular value of dh_T/dh_1, mean of the same {_SAMPLES}", "decades"
        ),
    }

    def measure(self, trajectory: Trajectory) -> JacobianProducts:
        """Return the singular values at the largest lag."""
        # A full decomposition costs H^3 a step and sample.
        return measure_jacobian(trajectory.first_jacobians(_SAMPLES), lags=[len(trajectory.x) - 1])

    def metrics(self, result: JacobianProducts) -> dict[str, float]:
        """Return the largest singular value with its interval, and the median one."""
        low, high = result.sigma_max_interval
        return {
            "jacobian/log10_sigma_max": result.log10_sigma_max,
            "jacobian/log10_sigma_max_low": low,
            "jacobian/log10_sigma_max_high": high,
            "jacobian/log10_sigma_median": result.log10_sigma_median,
        }


def measure_jacobian(jacobians: Jacobians, lags: Sequence[int] | None = None) -> JacobianProducts:
    """Measure the singular values of the Jacobian products.

        dh_T/dh_{T-k} = J_T J_{T-1} ... J_{T-k+1},   J_t = dh_t/dh_{t-1},   k = 0 ... T-1

    The product grows step by step as orthonormal vectors times a matrix whose rows keep their sizes apart
    from their directions, so that at no length anything over- or underflows, and so that the small singular
    values do not drown in the rounding of the large ones.

    Accuracy: the largest ln sigma to 1e-12 and the smallest to 1e-8 a step of lag, against exact arithmetic;
    mostly far better (1e-10 for a product of 1,000 Jacobians with known singular values over 2,500 decades).
    It does not depend on the span of the singular values, but on the condition of single Jacobians: up to
    e^16 they are taken as they are; beyond, a saturated slope, a small entry of a diagonal factor, costs no
    digits, while what the dense factor shrinks by 1e-15 H against its largest stretch is not told from 0. A
    structured kernel whose exact zeros line vectors up with units of slopes under 1e-8 can lose digits too.

    Args:
        jacobians: Of T steps.
        lags: Lags k in any order; about 32 from 1 to T-1, evenly spaced in their logarithms, where None.

    Raises:
        ArgumentError: A lag is not an integer from 0 to T-1, or there is none.

    >>> from rnnexp.probes.jacobians import GivenJacobians
    >>> halves = GivenJacobians(np.broadcast_to(np.diag([0.5, 2.0]), (5001, 1, 2, 2)))
    >>> measure_jacobian(halves, lags=[5000]).log_sigma.round(3)
    array([[[ 3465.736, -3465.736]]])
    """
    time_steps, samples, states = jacobians.shape
    chosen = _default_lags(time_steps) if lags is None else _checked(lags, time_steps)
    product = GradedMatrix.identity(samples, states)
    frame = Frame(jacobians.backward(), product.rows)
    log_sigma = []
    with one_blas_thread():
        for lag in chosen:
            for stretch in frame.advance(lag):
                product = _graded(frame, product.multiplied(stretch.transfer))
            log_sigma.append(log_singular_values(product))
    measured = np.where(jacobians.finite[:, np.newaxis], log_sigma, np.nan)
    return JacobianProducts(np.array(chosen), measured, jacobians.log_gain())


def _graded(frame: Frame, product: GradedMatrix) -> GradedMatrix:
    """Put the rows of the product, and the frame with them, in falling order if they have left it."""
    with np.errstate(invalid="ignore"):
        rises = np.diff(product.log_scale, axis=1) > _DISORDER
    if not rises.any():
        return product
    order = product.descending()
    frame.reorder(order)
    return product.reordered(order)


def _checked(lags: Sequence[int], time_steps: int) -> list[int]:
    chosen = sorted({integer("lags", lag, 0, time_steps - 1) for lag in lags})
    if not chosen:
        raise ArgumentError("lags", "at least one lag", lags)
    return chosen


def _default_lags(time_steps: int) -> list[int]:
    if time_steps == 1:
        return [0]
    return sorted({round(lag) for lag in np.geomspace(1, time_steps - 1, _DEFAULT_LAGS)})
