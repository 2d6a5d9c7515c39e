"""The gradient with respect to the states beside h, such as the c of an LSTM."""

from typing import ClassVar

import numpy as np

from rnnexp.probes.gradient import GradientProfile, measure_gradient
from rnnexp.probes.probe import Array, Metric, Probe
from rnnexp.probes.trajectory import Trajectory

_WHEN = "a cell with several states"


class FurtherStatesProbe(Probe[dict[str, GradientProfile]]):
    """dl_b/ds_t of every state s but the first, t = 1 .. T-1.

    The path from s_t through h_t of the same step is part of dl/dh_t. So s_T has no gradient of its own, and
    there is nothing to measure at T = 1.
    """

    name = "further_states"
    page = "gradient_profile"
    metric_table: ClassVar = {
        "grad/rate_<state>": Metric(
            "grad/rate of another state than h: `grad/rate_c` of an LSTM", "nats per step of lag", _WHEN
        ),
        "grad/log10_ratio_<state>": Metric(
            "the same of grad/log10_ratio: `grad/log10_ratio_c` of an LSTM", "decades", _WHEN
        ),
    }
    array_table: ClassVar = {
        "log_norm_<state>": Array(
            "ln rms_b ||dl_b/ds_t|| of another state: `start_log_norm_c` of an LSTM",
            "(T-1,)",
            "nats",
            _WHEN,
        ),
    }

    def measure(self, trajectory: Trajectory) -> dict[str, GradientProfile] | None:
        """Return the profile of every further state by its name."""
        _, *further = trajectory.log_norms.items()
        if not further or len(trajectory.x) == 1:
            return None
        return {name: measure_gradient(norms[:-1], trajectory.resamples) for name, norms in further}

    def metrics(self, result: dict[str, GradientProfile]) -> dict[str, float]:
        """Return the rates and ratios."""
        rates = {f"grad/rate_{name}": profile.rate for name, profile in result.items()}
        return rates | {f"grad/log10_ratio_{name}": profile.log10_ratio for name, profile in result.items()}

    def arrays(self, result: dict[str, GradientProfile]) -> dict[str, np.ndarray]:
        """Return the profiles."""
        return {f"log_norm_{name}": profile.log_norm for name, profile in result.items()}
