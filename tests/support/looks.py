"""A look at a network that was never built, of which a test says only what matters to it."""

import numpy as np

from rnnexp.diagnosis.measurement import Measurement
from rnnexp.diagnosis.predictions import Predictions
from rnnexp.probes import (
    ElmanJacobians,
    measure_gradient,
    measure_jacobian,
    measure_lags,
    measure_lyapunov,
    measure_spectrum,
    measure_states,
    measure_units,
)


def look(
    step: int, log_norms: np.ndarray, kernel: np.ndarray, predictions: Predictions | None = None
) -> Measurement:
    """Return a look at `log_norms` (T, B) and W_hh = `kernel` (H, H), all states and slopes being 1."""
    ones = np.ones((*log_norms.shape, len(kernel)))
    jacobians = ElmanJacobians(ones, kernel)
    results = {
        "gradient_profile": measure_gradient(log_norms, bootstrap=10),
        "lags": measure_lags(ones, ones, kernel, ones[0]),
        "jacobian": measure_jacobian(jacobians),
        "lyapunov": measure_lyapunov(jacobians, exponents=1),
        "spectrum": measure_spectrum(kernel),
        "units": measure_units(ones),
        "states": measure_states(ones),
    }
    return Measurement(step, results, predictions or Predictions())
