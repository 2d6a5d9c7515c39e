"""What earlier runs of a configuration mean for the next: done, at work, to be gone on with, or nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rnnexp.runs.run_folder import RunFolder
from rnnexp.tracking.address import without_login
from rnnexp.tracking.find_runs import is_known

Next = Literal["skip", "busy", "resume", "run"]


class Earlier(NamedTuple):
    """What to do with a job, and the folder of the earlier run that is the reason (None: to run it anew)."""

    next: Next
    folder: RunFolder | None = None


def earlier(runs: Sequence[RunFolder], uri: str | None) -> Earlier:
    """Decide what to do with a configuration.

    A run that finished, and that its store still has, is not repeated. One that a process is at work on is
    left to it. Else the newest run decides: interrupted, it goes on in its folder, from its checkpoint or,
    where there is none yet, from its start; failed, another begins.

    Args:
        runs: All runs of the configuration, the newest first.
        uri: The store that is to hold the run, None without MLflow. Runs of other stores do not count.
    """
    store = "none" if uri is None else without_login(uri)
    states = [(folder, state) for folder in runs if (state := folder.state()).get("store") == store]
    for folder, state in states:
        if state["status"] == "FINISHED" and _is_kept(state, uri):
            return Earlier("skip", folder)
        if state["status"] == "RUNNING" and folder.is_held():
            return Earlier("busy", folder)
    if states and states[0][1]["status"] in ("RUNNING", "KILLED") and _is_kept(states[0][1], uri):
        return Earlier("resume", states[0][0])
    return Earlier("run")


def _is_kept(state: Mapping[str, Any], uri: str | None) -> bool:
    """Whether the store still has the run; one that was killed before it noted its id is looked for later."""
    run_id = state.get("run_id")
    return uri is None or run_id is None or is_known(uri, run_id)


def runs_below(root: Path) -> dict[str, list[str]]:
    """Return the run folders below `root` by the `config_hash` of their runs, the newest first.

    The paths are absolute: a worker of another machine, or of Ray, has another working folder.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(root.absolute().glob("*/*/run.json"), reverse=True):
        folder = RunFolder(path.parent)
        found.setdefault(folder.state().get("config_hash", ""), []).append(str(folder.path))
    return found


def runs_of(hashes: Sequence[str], runs: Mapping[str, Sequence[str]]) -> list[RunFolder]:
    """Return the runs of a configuration, the newest first, of those that `runs_below` found.

    Args:
        hashes: What identifies the configuration, and what did so before.
        runs: As `runs_below` returns them.
    """
    paths = {path for name in hashes for path in runs.get(name, ())}
    return [RunFolder(Path(path)) for path in sorted(paths, reverse=True)]
