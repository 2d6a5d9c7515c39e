"""One run with everything around it: its folder, its records, its end."""

import dataclasses
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnnexp import tracking
from rnnexp.runs.identity import former_identity, identity
from rnnexp.runs.run_folder import check_root
from rnnexp.runtime import provenance
from rnnexp.runtime.device import check_device
from rnnexp.runtime.places import COMMAND
from rnnexp.runtime.secrets import without_login
from rnnexp.training.config import Plan


@dataclasses.dataclass(frozen=True)
class TrackingSettings:
    """Where the records go.

    Attributes:
        uri: Address of the MLflow store; None writes files into the run folder.
        experiment: Name of the MLflow experiment.
        every: Training steps between points of a curve.
        model: Whether the trained model is kept.
        diff: Whether the changes of the source that are not committed are kept.
        patience: Seconds that an MLflow that does not answer is waited for.
    """

    uri: str | None
    experiment: str
    every: int
    model: bool
    diff: bool
    patience: float

    @property
    def store(self) -> str:
        """The address without a login, `"none"` without MLflow."""
        return "none" if self.uri is None else without_login(self.uri)


class Membership(NamedTuple):
    """The sweep that a job belongs to: its id, its folder, and its run in MLflow (None without MLflow)."""

    id: str
    folder: Path
    run_id: str | None


class Together(NamedTuple):
    """The command that several replicas share: its overrides, and its run in MLflow.

    The run is None without MLflow, and before it is opened.
    """

    replicas: int
    overrides: tuple[str, ...]
    run_id: str | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """A plan and how to record it.

    Attributes:
        plan: The plan of the training run.
        config: The resolved configuration, nested.
        choices: Group -> chosen name.
        overrides: What the user typed.
        name: Name of the run.
        project: Folder whose git state is recorded.
        output_dir: Folder of the run folders.
        tracking: Where the records go.
        resume: Outside a sweep: whether to resume the newest unfinished run of this configuration. In a
            sweep: False runs finished jobs again. None is the default: False outside a sweep, True in one.
        sweep: The sweep of the job; None outside a sweep.
        together: The command that the replicas share; None for a job that is trained alone.
        flags: Hydra's flags that make the command compose from other folders than the package's.
        figure_format: The format of its figures, such as png; none: they are not drawn.
    """

    plan: Plan
    config: Mapping[str, Any]
    choices: Mapping[str, str]
    overrides: tuple[str, ...]
    name: str
    project: Path
    output_dir: Path
    tracking: TrackingSettings
    resume: bool | None
    sweep: Membership | None = None
    together: Together | None = None
    figure_format: str = "png"
    flags: tuple[str, ...] = ()

    @property
    def config_hash(self) -> str:
        """The hash of the configuration without paths, names and tracking."""
        return provenance.config_hash(identity(self.config))

    @property
    def hashes(self) -> tuple[str, str]:
        """`config_hash` in its present and in its former form; earlier runs are found by both."""
        return self.config_hash, provenance.config_hash(former_identity(self.config))

    @property
    def group_hash(self) -> str:
        """The hash that the repetitions of one experiment over seeds share."""
        return provenance.group_hash(identity(self.config))

    def command(self, overrides: Sequence[str]) -> str:
        """Return the command with these overrides, to be pasted where this one was typed.

        It composes from the same folders. With plugins, the place of packages that was set for this one
        (`PYTHONPATH`) is set again.
        """
        packages = os.environ.get("PYTHONPATH") if self.config.get("plugins") else None
        setting = f"PYTHONPATH={shlex.quote(_from_here(packages))} " if packages else ""
        parts = (flag.partition("=") for flag in self.flags)
        flags = [f"{name}={_from_here(value)}" for name, _, value in parts]
        return f"{setting}{COMMAND} {shlex.join([*flags, *overrides])}"


def _from_here(places: str) -> str:
    """Return paths, with a colon between them, as they are typed in the working folder."""
    here = f"{Path.cwd()}{os.sep}"
    return os.pathsep.join(place.removeprefix(here) for place in places.split(os.pathsep))


def check_job(job: Job) -> None:
    """Check what lies outside the configuration: the device, the folder of the runs, the tracking store.

    Raises:
        ArgumentError: There is no such device, or one of the others cannot be used.
    """
    check_machine(job)
    if job.tracking.uri is not None:
        tracking.check_store(job.tracking.uri)


def check_machine(job: Job) -> None:
    """Check what lies outside the configuration on this machine: a job of a sweep needs no MLflow to begin.

    Raises:
        ArgumentError: There is no such device, or the folder cannot be used.
    """
    check_device(job.plan.device)
    check_root(job.output_dir)
