"""A laboratory for the trainability of recurrent networks.

Importing the package imports neither TensorFlow nor MLflow: the public names are loaded on first use.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnexp import clipping, initializers, tasks, theory
    from rnnexp.analysis import load_runs
    from rnnexp.cells import ElmanCell
    from rnnexp.flow import GradientFlow, GradientFlowMonitor, gradient_flow
    from rnnexp.recurrent import RNN

_HOMES = {
    "ElmanCell": "rnnexp.cells",
    "GradientFlow": "rnnexp.flow",
    "GradientFlowMonitor": "rnnexp.flow",
    "RNN": "rnnexp.recurrent",
    "gradient_flow": "rnnexp.flow",
    "load_runs": "rnnexp.analysis",
}
_MODULES = ("tasks", "clipping", "initializers", "theory")

__all__ = [
    "RNN",
    "ElmanCell",
    "GradientFlow",
    "GradientFlowMonitor",
    "clipping",
    "gradient_flow",
    "initializers",
    "load_runs",
    "tasks",
    "theory",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"rnnexp.{name}")
    raise AttributeError(f"module 'rnnexp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
