"""What is measured, one file a quantity: arrays in, a frozen dataclass of numbers out."""

from rnnexp.probes.autonomous import autonomous_jacobians
from rnnexp.probes.gradient import GradientProfile, measure_gradient
from rnnexp.probes.jacobian import JacobianProducts, measure_jacobian
from rnnexp.probes.lyapunov import LyapunovSpectrum, kaplan_yorke_dimension, measure_lyapunov
from rnnexp.probes.spectrum import Spectrum, measure_spectrum
from rnnexp.probes.tangent import ElmanJacobians, GivenJacobians, Jacobians, step_sigma_max
from rnnexp.probes.units import Units, measure_units

__all__ = [
    "ElmanJacobians",
    "GivenJacobians",
    "GradientProfile",
    "JacobianProducts",
    "Jacobians",
    "LyapunovSpectrum",
    "Spectrum",
    "Units",
    "autonomous_jacobians",
    "kaplan_yorke_dimension",
    "measure_gradient",
    "measure_jacobian",
    "measure_lyapunov",
    "measure_spectrum",
    "measure_units",
    "step_sigma_max",
]
