"""A package that leaves a mark wherever any of its code runs, for tests of what may not run."""

from pathlib import Path

SOURCE = """
import dataclasses
import pathlib

from rnnexp.clipping import Clip, StatelessClip
from rnnexp.initializers import Initializer
from rnnexp.nn.activations import elementwise
from rnnexp.optim.optimizers import Optimizer

MARK = pathlib.Path({mark!r})


def leave(*args, **kwargs):
    MARK.touch()


leave() if {at_import} else None


def plain(a):
    return a


@elementwise
def marked(a):
    return a


class Stranger:
    __init__ = leave


class Abstract(Clip):
    pass


@dataclasses.dataclass(frozen=True)
class Mild(StatelessClip):
    scale: float = 1.0

    def _clip(self, gradients):
        return list(gradients), False


@dataclasses.dataclass(frozen=True)
class Fussy(StatelessClip):
    scale: float = 1.0

    def __post_init__(self):
        raise KeyError("nothing suits")

    def _clip(self, gradients):
        return list(gradients), False


class Diagonal(Initializer):
    def _draw(self, fan_in, fan_out, generator):
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Plain(Optimizer):
    def build(self):
        raise NotImplementedError
"""


def write_package(root: Path, name: str, mark: Path, at_import: bool = True) -> None:
    """Write the package `name` below `root`, with the module `parts`."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "parts.py").write_text(SOURCE.format(mark=str(mark), at_import=at_import))
