"""One run with everything around it: its folder, its records, its end."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rnnexp.runs.identity import former_identity, identity
from rnnexp.runtime import provenance
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
    """The command that a job shares with those trained beside it: what was typed, and its run in MLflow.

    The run is None without MLflow, and before it is opened.
    """

    replicas: int
    overrides: tuple[str, ...]
    run_id: str | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """A plan and how it is to be recorded.

    Attributes:
        plan: What to do.
        config: The resolved configuration, nested.
        choices: Group -> chosen name.
        overrides: What the user typed.
        name: Name of the run.
        project: Folder whose git state is recorded.
        output_dir: Folder of the run folders.
        tracking: Where the records go.
        resume: Alone: whether to go on with the newest unfinished run of this configuration. In a sweep:
            False runs what has finished again. None is the default, False alone and True in a sweep.
        sweep: What the runs of one sweep share; None outside a sweep.
        together: What the replicas of one command share; None of a job that is trained alone.
        figure_format: In which its figures are written, such as png; none: they are not drawn.
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

    @property
    def config_hash(self) -> str:
        """What identifies the configuration: paths, names and tracking left out."""
        return provenance.config_hash(identity(self.config))

    @property
    def hashes(self) -> tuple[str, str]:
        """`config_hash`, and what it was while it held module paths: earlier runs are found by both."""
        return self.config_hash, provenance.config_hash(former_identity(self.config))

    @property
    def group_hash(self) -> str:
        """What the repetitions of one experiment over seeds share."""
        return provenance.group_hash(identity(self.config))
