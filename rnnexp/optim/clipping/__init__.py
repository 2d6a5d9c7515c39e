"""Gradient clipping: every clip by its name in the configuration."""

from rnnexp.optim.clipping.agc import Agc
from rnnexp.optim.clipping.autoclip import AutoClip
from rnnexp.optim.clipping.base import Clip, Clipped, SkippingClip, State, StatelessClip, global_norm
from rnnexp.optim.clipping.pascanu import Pascanu
from rnnexp.optim.clipping.thresholds import GlobalNorm, NoClip, Norm, Value
from rnnexp.optim.clipping.zclip import ZClip

CATALOGUE: dict[str, type[Clip]] = {
    "none": NoClip,
    "value": Value,
    "norm": Norm,
    "global_norm": GlobalNorm,
    "pascanu": Pascanu,
    "agc": Agc,
    "autoclip": AutoClip,
    "zclip": ZClip,
}
"""The clips by their names in the configuration."""

__all__ = [
    "CATALOGUE",
    "Agc",
    "AutoClip",
    "Clip",
    "Clipped",
    "GlobalNorm",
    "NoClip",
    "Norm",
    "Pascanu",
    "SkippingClip",
    "State",
    "StatelessClip",
    "Value",
    "ZClip",
    "global_norm",
]
