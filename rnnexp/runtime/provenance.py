"""Where a result comes from: its configuration, its source, its machine and packages."""

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rnnexp.runtime.config_keys import UNSCIENTIFIC

UNKNOWN = "unknown"
"""The git sha where there is no git, no work tree or no commit."""

_HASH_LENGTH = 12
_DIFF_LIMIT = 1_000_000
_GIT_SECONDS = 5
_MAIN = ("tensorflow", "keras", "numpy", "mlflow", "hydra-core")


class GitState(NamedTuple):
    """The state of the source.

    Attributes:
        sha: The commit, or `UNKNOWN`.
        dirty: Whether tracked files differ from the commit, or there are files that git neither tracks nor
            ignores, since a new module can change results too.
        diff: The output of `git diff HEAD`, and the names of untracked files; empty unless `dirty`.
    """

    sha: str
    dirty: bool
    diff: str


def config_hash(config: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of `config` without its `UNSCIENTIFIC` keys.

    Two configurations of the same numbers agree: the order of keys does not matter, and 1 is 1.0.

    >>> config_hash({"units": 64, "name": "a"}) == config_hash({"name": "b", "units": 64.0})
    True
    """
    scientific = {key: value for key, value in config.items() if key not in UNSCIENTIFIC}
    text = json.dumps(_canonical(scientific), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def group_hash(config: Mapping[str, Any]) -> str:
    """Return the `config_hash` of `config` without its seed: equal for repetitions of one experiment.

    >>> group_hash({"units": 64, "seed": 0}) == group_hash({"units": 64, "seed": 1})
    True
    """
    return config_hash({key: value for key, value in config.items() if key != "seed"})


def git_state(root: Path) -> GitState:
    """Return the state of the git work tree at `root`; never raises.

    A `diff` of more than a million characters is cut, with a note.
    """
    sha = _git(root, "rev-parse", "--verify", "HEAD")
    status = _git(root, "status", "--porcelain", "--untracked-files=all", "-z")
    if sha is None or status is None:
        return GitState(UNKNOWN, False, "")
    if status == "":
        return GitState(sha.strip(), False, "")
    diff = _git(root, "diff", "--no-ext-diff", "--no-color", "--submodule=short", "HEAD")
    if diff is None:
        diff = "(git diff did not answer)\n"
    elif len(diff) > _DIFF_LIMIT:
        diff = diff[:_DIFF_LIMIT] + f"\n(cut: {len(diff)} characters)\n"
    untracked = [entry.removeprefix("?? ") for entry in status.split("\0") if entry.startswith("?? ")]
    return GitState(sha.strip(), True, diff + "".join(f"Untracked: {name}\n" for name in untracked))


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the version of Python, of the main packages that are installed, and of this one."""
    found = {"python": platform.python_version()}
    for name in (*_MAIN, "rnnexp"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def environment() -> str:
    """Return Python, system, processor and every installed distribution as `name==version`, a line each."""
    head = [
        f"# python {platform.python_version()} ({platform.python_implementation()})",
        f"# system {platform.platform()}",
        f"# processor {_processor()}, {os.cpu_count()} logical cores",
    ]
    return "\n".join([*head, *sorted(set(_distributions()), key=str.lower)]) + "\n"


def _canonical(value: Any) -> Any:
    """Return `value` with whole floats as integers: `threshold=1` and `threshold=1.0` are one experiment."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _git(root: Path, *arguments: str) -> str | None:
    """Return the output of git, or None if there is no git, no work tree or no answer in time."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _distributions() -> Iterator[str]:
    for distribution in importlib.metadata.distributions():
        metadata = distribution.metadata
        if metadata["Name"] is not None:
            yield f"{metadata['Name']}=={metadata['Version']}"
