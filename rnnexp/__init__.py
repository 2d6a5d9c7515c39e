"""A laboratory for the trainability of recurrent networks.

Importing the package imports neither TensorFlow nor MLflow: the public names are loaded on first use.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from rnnexp.runtime.extras import explained

if TYPE_CHECKING:
    from rnnexp import tasks, theory
    from rnnexp.analysis import load_runs
    from rnnexp.diagnosis.keras_models import GradientFlow, GradientFlowMonitor
    from rnnexp.diagnosis.keras_models.cells import jacobian, lyapunov
    from rnnexp.diagnosis.keras_models.floors import floors
    from rnnexp.diagnosis.keras_models.gradient_flow import gradient_flow
    from rnnexp.diagnosis.keras_models.sensitivity import sensitivity
    from rnnexp.nn import initializers
    from rnnexp.nn.elman_cell import ElmanCell
    from rnnexp.nn.recurrent import RNN
    from rnnexp.optim import clipping
    from rnnexp.python.calls import run, sweep

__version__ = "0.1.0"

_HOMES = {
    "ElmanCell": "rnnexp.nn.elman_cell",
    "GradientFlow": "rnnexp.diagnosis.keras_models",
    "GradientFlowMonitor": "rnnexp.diagnosis.keras_models",
    "RNN": "rnnexp.nn.recurrent",
    "floors": "rnnexp.diagnosis.keras_models",
    "gradient_flow": "rnnexp.diagnosis.keras_models",
    "jacobian": "rnnexp.diagnosis.keras_models",
    "load_runs": "rnnexp.analysis",
    "run": "rnnexp.python.calls",
    "sweep": "rnnexp.python.calls",
    "lyapunov": "rnnexp.diagnosis.keras_models",
    "sensitivity": "rnnexp.diagnosis.keras_models",
}
_MODULES = {
    "clipping": "rnnexp.optim.clipping",
    "initializers": "rnnexp.nn.initializers",
    "tasks": "rnnexp.tasks",
    "theory": "rnnexp.theory",
}

__all__ = [
    "RNN",
    "ElmanCell",
    "GradientFlow",
    "GradientFlowMonitor",
    "clipping",
    "floors",
    "gradient_flow",
    "initializers",
    "jacobian",
    "load_runs",
    "lyapunov",
    "run",
    "sensitivity",
    "sweep",
    "tasks",
    "theory",
]


class _PublicModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes `import rnnexp.clipping` import the module `rnnexp.optim.clipping`, and others likewise."""

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a public module that lies in a subpackage, None for any other name."""
        package, _, name = fullname.rpartition(".")
        home = _MODULES.get(name, fullname) if package == "rnnexp" else fullname
        return None if home == fullname else importlib.machinery.ModuleSpec(fullname, self, origin=home)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the module of the subpackage itself, so that its classes exist once."""
        module = importlib.import_module(str(spec.origin))
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module has been executed under its own name."""
        module.__spec__ = self._own_spec


sys.meta_path.append(_PublicModules())


def __getattr__(name: str) -> object:
    with explained():
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        if name in _MODULES:
            return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'rnnexp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
