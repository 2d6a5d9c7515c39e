"""What mathematics predicts of the gradient: rates, bounds, exponents, one file a theory."""

from rnnexp.theory.bounds import Conditions, pascanu_conditions, rate_bound, slope_bound
from rnnexp.theory.chaos import chaotic_exponent, free_field, subcritical_exponents
from rnnexp.theory.closure import closure_profile, closure_rate
from rnnexp.theory.diagonal_kernel import decoupled_exponent, decoupled_rate, decoupled_rates
from rnnexp.theory.gaussian import Elementwise, gaussian_mean
from rnnexp.theory.kernel_ensemble import rates_over_kernels
from rnnexp.theory.linear import Sensitivity, effective_width, glorot_growth, glorot_time_scale, sensitivity
from rnnexp.theory.mean_field import MeanField, critical_gain, mean_field
from rnnexp.theory.measured_statistics import exponent_of_slopes, rate_at_variance, rate_of_slopes

__all__ = [
    "Conditions",
    "Elementwise",
    "MeanField",
    "Sensitivity",
    "chaotic_exponent",
    "closure_profile",
    "closure_rate",
    "critical_gain",
    "decoupled_exponent",
    "decoupled_rate",
    "decoupled_rates",
    "effective_width",
    "exponent_of_slopes",
    "free_field",
    "gaussian_mean",
    "glorot_growth",
    "glorot_time_scale",
    "mean_field",
    "pascanu_conditions",
    "rate_at_variance",
    "rate_bound",
    "rate_of_slopes",
    "rates_over_kernels",
    "sensitivity",
    "slope_bound",
    "subcritical_exponents",
]
