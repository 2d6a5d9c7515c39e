"""The folder of a run: who holds it, how it ended, and which one to go on with."""

import contextlib
import datetime
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnnexp.checks import ArgumentError

_STATE = "run.json"
_LOCK = "run.lock"


class RunFolder:
    """A folder that holds one run.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(cls, root: Path, name: str) -> "RunFolder":
        """Make `root`/<date>/<time with microseconds>_<name>."""
        now = datetime.datetime.now()
        path = root / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S-%f}_{name}"
        path.mkdir(parents=True)
        return cls(path)

    @property
    def checkpoint(self) -> Path:
        """Where the state of an interrupted run lies."""
        return self.path / "checkpoint.npz"

    @property
    def figures(self) -> Path:
        """The folder of the figures, made when first asked for."""
        path = self.path / "figures"
        path.mkdir(exist_ok=True)
        return path

    def state(self) -> dict[str, Any]:
        """Return what is known of the run; empty if nothing is."""
        try:
            return json.loads((self.path / _STATE).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def update(self, **values: object) -> None:
        """Write `values` over the state, as a whole."""
        beside = self.path / f"{_STATE}.partial"
        beside.write_text(json.dumps(self.state() | values, indent=1) + "\n", encoding="utf-8")
        beside.replace(self.path / _STATE)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against a second process.

        Raises:
            ArgumentError: Another process holds it.
        """
        with (self.path / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                expected = "a run that no other process is at work on"
                raise ArgumentError("resume", expected, str(self.path)) from None
            yield


def unfinished(root: Path, config_hash: str) -> RunFolder | None:
    """Return the newest run of that configuration below `root` that has a checkpoint and did not finish."""
    for state in sorted(root.glob(f"*/*/{_STATE}"), reverse=True):
        folder = RunFolder(state.parent)
        known = folder.state()
        if (
            known.get("config_hash") == config_hash
            and known.get("status") != "FINISHED"
            and folder.checkpoint.is_file()
        ):
            return folder
    return None
