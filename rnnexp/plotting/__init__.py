"""The figures of a run: arrays in, one figure file out. The suffix of the path decides the format."""

from rnnexp.plotting.eigenvalues import spectrum
from rnnexp.plotting.heatmap import gradient_heatmap
from rnnexp.plotting.loss import loss_curve
from rnnexp.plotting.profile import gradient_profile

__all__ = ["gradient_heatmap", "gradient_profile", "loss_curve", "spectrum"]
