"""How far back a network looks: the derivative of its last output with respect to every input."""

import dataclasses
from typing import ClassVar

import numpy as np

from rnnexp.probes.lags import ByLag
from rnnexp.probes.log_rms import log_rms, unit_vectors
from rnnexp.probes.probe import Array, Metric, Probe
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.checks import ArgumentError, integer
from rnnexp.runtime.threads import one_blas_thread

_SAMPLES = 16
"""Samples of a batch that are measured; the cost is samples times outputs."""


@dataclasses.dataclass(frozen=True, eq=False)
class InputSensitivity(ByLag):
    """The sensitivity of the last output to the input, by lag k = T - t: the first entry is lag 0, t = T.

    Attributes:
        log_norm: ln rms_b ||dy_T/dx_{T-k}||_F, (T,), nats; -inf is an exact zero, nan where a sample was not
            finite.
    """

    @property
    def lag_95(self) -> float:
        """The smallest lag within which 95 % of the norms lie, in steps."""
        return self.lag_within(0.95)

    @property
    def log10_ratio(self) -> float:
        """log10 of the norm at lag T-1 over that at lag 0, decades; -inf where x_1 has no effect at all."""
        with np.errstate(invalid="ignore"):
            return float((self.log_norm[-1] - self.log_norm[0]) / np.log(10))


class SensitivityProbe(Probe[InputSensitivity]):
    """||dy_T/dx_t|| over the lags, and the lag within which 95 % of it lies."""

    name = "sensitivity"
    page = "sensitivity"
    has_figure = True
    metric_table: ClassVar = {
        "sensitivity/lag_95": Metric(
            "lag within which 95 % of the norms of dy_T/dx_t lie", "steps", "one layer"
        ),
        "sensitivity/log10_ratio": Metric("norm of dy_T/dx_1 over that of dy_T/dx_T", "decades", "one layer"),
    }
    array_table: ClassVar = {
        "sensitivity_log_norm": Array(
            "ln rms_b ||dy_T/dx_t||_F, lag 0 first", "(T,)", "nats", "one layer", "log_norm"
        ),
        "sensitivity_lag_95": Array("sensitivity/lag_95", "()", "steps", "one layer", "lag_95"),
    }

    def measure(self, trajectory: Trajectory) -> InputSensitivity | None:
        """Return the sensitivity of the first samples, None below another layer."""
        return measure_sensitivity(trajectory) if trajectory.read_at_end else None


def measure_sensitivity(trajectory: Trajectory, samples: int = _SAMPLES) -> InputSensitivity:
    """Measure how the last output changes with every input.

        dy_T/dx_t = W_hy^T dh_T/dS_t dS_t/dx_t,   log_norm_k = 1/2 ln mean_b ||dy_{T,b}/dx_{T-k,b}||_F^2

    Unlike dl/dh_t it does not depend on the loss: after a task is solved the gradient is small, but the
    network still depends on its inputs. Gradients are represented by unit vectors and the logarithms of their
    norms, so that nothing over- or underflows at any T.

    Args:
        trajectory: Of the network.
        samples: How many of its samples to take, at least 1.

    Raises:
        ArgumentError: `samples` is below 1, or the layer is one below another.
    """
    samples = integer("samples", samples, 1)
    if trajectory.readout_kernel is None:
        raise ArgumentError("trajectory", "that of the highest layer", "that of a layer below another")
    time_steps, batch, states = trajectory.before.shape
    readout = trajectory.readout_kernel.T
    vectors = np.zeros((min(samples, batch), len(readout), states))
    vectors[:, :, : readout.shape[1]] = readout
    if trajectory.read_slopes is not None:
        vectors[:, :, : readout.shape[1]] *= trajectory.read_slopes[: len(vectors), np.newaxis]
    log_scale, found = np.zeros(len(vectors)), np.empty((time_steps, len(vectors)))
    with one_blas_thread(), np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for lag in range(time_steps):
            by_state, by_input = trajectory.pull_back(time_steps - 1 - lag, vectors)
            found[lag] = log_scale + unit_vectors(by_input, axis=(1, 2)).log_norms
            vectors, growth = unit_vectors(by_state, axis=(1, 2))
            log_scale = log_scale + growth
        return InputSensitivity(log_rms(found))
