"""The folder of a run: its files, its state (`run.json`) and its lock."""

import contextlib
import datetime
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnnexp.runtime import lock
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile

_STATE = "run.json"
_LOCK = "run.lock"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST = 100


class RunFolder:
    """A folder that holds one run.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(cls, root: Path, name: str) -> "RunFolder":
        """Make `root`/<date>/<time with microseconds>_<name>; `_` replaces characters unsafe in file names.

        Raises:
            ArgumentError: It cannot be made.
        """
        now = datetime.datetime.now()
        path = root / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S-%f}_{file_name(name)}"
        with can_be_written(root):
            path.mkdir(parents=True)
        return cls(path)

    def remove(self) -> None:
        """Remove the folder with its content, and the folder of its day if that is empty then."""
        shutil.rmtree(self.path)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()

    @property
    def checkpoint(self) -> Path:
        """The path of the checkpoint."""
        return self.path / "checkpoint.npz"

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint, and the temporary file of one whose writing was interrupted."""
        for path in (self.checkpoint, self.checkpoint.with_suffix(".partial")):
            path.unlink(missing_ok=True)

    @property
    def arrays(self) -> Path:
        """The path of the raw arrays."""
        return self.path / "gradient_flow.npz"

    @property
    def log(self) -> Path:
        """The path of the log."""
        return self.path / "run.log"

    @property
    def figures(self) -> Path:
        """The folder of the figures, made when first asked for."""
        path = self.path / "figures"
        path.mkdir(exist_ok=True)
        return path

    def state(self) -> dict[str, Any]:
        """Return what is known of the run; empty if nothing is."""
        return StateFile(self.path / _STATE).read()

    def update(self, **values: object) -> None:
        """Update the state with `values`; the file is replaced as a whole."""
        StateFile(self.path / _STATE).update(**values)

    def held(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder against a second process.

        Raises:
            ArgumentError: Another process holds it.
        """
        expected = "a run that no other process is at work on"
        return lock.held(self.path / _LOCK, ArgumentError("resume", expected, str(self.path)))

    def is_held(self) -> bool:
        """Return whether a process is at work on the run."""
        try:
            with self.held():
                return False
        except ArgumentError:
            return True


def file_name(name: str) -> str:
    """Return the name of a run as in its folder's name: `_` replaces characters unsafe in file names.

    >>> file_name("a b: c")
    'a_b__c'
    """
    return _UNSAFE.sub("_", name)[:_LONGEST]


def name_in(path: Path) -> str:
    """Return the `file_name` in the path of a run's folder.

    >>> name_in(Path("outputs/2026-01-31/09-00-00-000000_tanh-T100_s0"))
    'tanh-T100_s0'
    """
    return path.name.partition("_")[2]


def check_root(root: Path) -> None:
    """Raise `ArgumentError` if no run folder can be made below `root`, without making one."""
    places = (root.absolute(), *root.absolute().parents)
    with can_be_written(root):
        there = next(path for path in places if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        expected = f"a folder that can be written, which {there} is not"
        raise ArgumentError("output_dir", expected, str(root))


@contextlib.contextmanager
def can_be_written(root: Path) -> Iterator[None]:
    """Say that nothing can be written below `root` (ArgumentError) where the system does (OSError)."""
    try:
        yield
    except OSError as error:
        expected = f"a folder that can be written ({error.strerror})"
        raise ArgumentError("output_dir", expected, str(root)) from error
