"""The figures of a run: arrays in, one figure file out. The suffix of the path decides the format."""

from rnnexp.plotting.gradient_heatmap import gradient_heatmap
from rnnexp.plotting.gradient_profile import gradient_profile
from rnnexp.plotting.lags import lag_contributions
from rnnexp.plotting.loss import loss_curve
from rnnexp.plotting.spectrum import spectrum
from rnnexp.plotting.spectrum_history import spectrum_history
from rnnexp.plotting.states import hidden_states

__all__ = [
    "gradient_heatmap",
    "gradient_profile",
    "hidden_states",
    "lag_contributions",
    "loss_curve",
    "spectrum",
    "spectrum_history",
]
