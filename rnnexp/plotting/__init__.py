"""The figures of a run: arrays in, one figure file out. The suffix of the path decides the format."""

from rnnexp.plotting.gradient_profile import gradient_profile
from rnnexp.plotting.lags import lag_contributions
from rnnexp.plotting.spectrum import draw as spectrum
from rnnexp.plotting.spectrum_history import draw as spectrum_history
from rnnexp.plotting.states import hidden_states

__all__ = ["gradient_profile", "hidden_states", "lag_contributions", "spectrum", "spectrum_history"]
