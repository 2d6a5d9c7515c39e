"""Constraints of weights: every one by its name in the configuration."""

from rnnexp.optim.constraints.base import Bound, Constraint, NoConstraint
from rnnexp.optim.constraints.max_norm import MaxNorm
from rnnexp.optim.constraints.orthogonal import Orthogonal
from rnnexp.optim.constraints.spectral import Spectral

CATALOGUE: dict[str, type[Constraint]] = {
    "none": NoConstraint,
    "orthogonal": Orthogonal,
    "spectral": Spectral,
    "max_norm": MaxNorm,
}
"""The constraints by their names in the configuration."""

__all__ = ["CATALOGUE", "Bound", "Constraint", "MaxNorm", "NoConstraint", "Orthogonal", "Spectral"]
