"""What earlier runs of a configuration mean for the next: done, at work, to be gone on with, or nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from rnnexp.run_folder import RunFolder
from rnnexp.tracking.address import without_login
from rnnexp.tracking.known import is_known

Next = Literal["skip", "busy", "resume", "run"]


class Earlier(NamedTuple):
    """What to do with a job, and the folder of the earlier run that is the reason (None: to run it anew)."""

    next: Next
    folder: RunFolder | None = None


def earlier(runs: Sequence[RunFolder], uri: str | None) -> Earlier:
    """Decide what to do with a configuration.

    A run that finished, and that its store still has, is not repeated. One that a process is at work on is
    left to it. Else the newest run decides: interrupted with a checkpoint, it goes on; failed, it begins
    anew.

    Args:
        runs: All runs of the configuration, the newest first.
        uri: The store that is to hold the run, None without MLflow. Runs of other stores do not count.
    """
    store = "none" if uri is None else without_login(uri)
    states = [(folder, state) for folder in runs if (state := folder.state()).get("store") == store]
    for folder, state in states:
        if state["status"] == "FINISHED" and (uri is None or is_known(uri, state["run_id"])):
            return Earlier("skip", folder)
        if state["status"] == "RUNNING" and folder.is_held():
            return Earlier("busy", folder)
    if states and states[0][1]["status"] != "FAILED" and states[0][0].checkpoint.is_file():
        return Earlier("resume", states[0][0])
    return Earlier("run")


def runs_below(root: Path) -> dict[str, list[str]]:
    """Return the run folders below `root` by the `config_hash` of their runs, the newest first."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.glob("*/*/run.json"), reverse=True):
        folder = RunFolder(path.parent)
        found.setdefault(folder.state().get("config_hash", ""), []).append(str(folder.path))
    return found
