"""Gradient clipping: every clip by its name in the configuration."""

from rnnexp.optim.clipping.base import Clip, Clipped, State, StatelessClip, global_norm
from rnnexp.optim.clipping.thresholds import GlobalNorm, NoClip, Norm, Value
from rnnexp.optim.clipping.zclip import ZClip

CATALOGUE: dict[str, type[Clip]] = {
    "none": NoClip,
    "value": Value,
    "norm": Norm,
    "global_norm": GlobalNorm,
    "zclip": ZClip,
}
"""The clips by their names in the configuration."""

__all__ = [
    "CATALOGUE",
    "Clip",
    "Clipped",
    "GlobalNorm",
    "NoClip",
    "Norm",
    "State",
    "StatelessClip",
    "Value",
    "ZClip",
    "global_norm",
]
