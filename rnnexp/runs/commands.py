"""Commands that a run prints, to be pasted where it was typed."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnnexp.runtime.places import COMMAND

if TYPE_CHECKING:
    from rnnexp.runs.job import Job


def command(job: "Job", overrides: Sequence[str]) -> str:
    """Return the command with these overrides that composes from the same folders as the job did.

    Where the job has plugins, the place of packages that was set for it (`PYTHONPATH`) is set again.
    """
    packages = os.environ.get("PYTHONPATH") if job.config.get("plugins") else None
    setting = f"PYTHONPATH={shlex.quote(_from_here(packages))} " if packages else ""
    flags = [f"{name}={_from_here(value)}" for name, _, value in (flag.partition("=") for flag in job.flags)]
    return f"{setting}{COMMAND} {shlex.join([*flags, *overrides])}"


def _from_here(places: str) -> str:
    """Return paths, with a colon between them, as they are typed in the working folder."""
    here = f"{Path.cwd()}{os.sep}"
    return os.pathsep.join(place.removeprefix(here) for place in places.split(os.pathsep))
