"""What is measured, one file a quantity: arrays in, a frozen dataclass of numbers out."""

from rnnexp.probes.gradient import GradientProfile, measure_gradient
from rnnexp.probes.spectrum import Spectrum, measure_spectrum
from rnnexp.probes.units import Units, measure_units

__all__ = ["GradientProfile", "Spectrum", "Units", "measure_gradient", "measure_spectrum", "measure_units"]
