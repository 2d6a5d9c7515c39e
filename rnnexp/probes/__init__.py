"""Probes: one file for each measured quantity, from arrays to a frozen dataclass of numbers.

`catalogue` lists the probes of a run; each measures a `rnnexp.probes.trajectory.Trajectory`. The growth rate
of the gradient and its interval are in `gradient`.
"""

from rnnexp.probes.gradient import GradientProfile, measure_gradient
from rnnexp.probes.jacobian_products import JacobianProducts, measure_jacobian
from rnnexp.probes.jacobians import (
    ElmanJacobians,
    GivenJacobians,
    Jacobians,
    autonomous_jacobians,
    step_sigma_max,
)
from rnnexp.probes.lags import LagContributions, measure_lags
from rnnexp.probes.lyapunov import LyapunovSpectrum, kaplan_yorke_dimension, measure_lyapunov
from rnnexp.probes.spectrum import Spectrum, measure_spectrum
from rnnexp.probes.states import States, measure_states
from rnnexp.probes.units import Units, measure_units

__all__ = [
    "ElmanJacobians",
    "GivenJacobians",
    "GradientProfile",
    "JacobianProducts",
    "Jacobians",
    "LagContributions",
    "LyapunovSpectrum",
    "Spectrum",
    "States",
    "Units",
    "autonomous_jacobians",
    "kaplan_yorke_dimension",
    "measure_gradient",
    "measure_jacobian",
    "measure_lags",
    "measure_lyapunov",
    "measure_spectrum",
    "measure_states",
    "measure_units",
    "step_sigma_max",
]
