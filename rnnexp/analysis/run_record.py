"""The record of one run, from a store or a folder."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """The record of a run in a store or a folder.

    Attributes:
        run_id: The id of the run.
        run_name: Its name.
        status: FINISHED, FAILED, KILLED or RUNNING.
        start: When it began, milliseconds since 1970.
        end: When it ended; None while it runs.
        params: Configuration and chosen groups, as text.
        tags: Verdicts, hashes, source, versions.
        metrics: The last value of each metric.
        artifacts: The folder or address of its files.
        link: The page of the run in MLflow's pages; None for a folder.
        errors: (step, error) of every validation, in the order of steps; only for a run that solved its task.
    """

    run_id: str
    run_name: str
    status: str
    start: int
    end: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    artifacts: str
    link: str | None
    errors: tuple[tuple[int, float], ...] = ()


def is_run(tags: Mapping[str, str]) -> bool:
    """Return whether the tags are those of a run of this project, which the parent of a sweep is not."""
    return "config_hash" in tags


def is_solved(tags: Mapping[str, str]) -> bool:
    """Return whether the run solved its task."""
    return tags.get("verdict.learning") == "solved"
