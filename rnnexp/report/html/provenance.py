"""How to make the runs of a sweep again."""

import dataclasses
import math
import shlex
from collections.abc import Sequence

import pandas as pd

from rnnexp.analysis.columns import shown, sorted_values
from rnnexp.report.html import words
from rnnexp.runtime.config_keys import key_of
from rnnexp.runtime.places import COMMAND

_VERSION = "version."


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What the runs were made from.

    Attributes:
        command: The command line that makes them.
        note: In what the runs differ from what the command makes; empty where they are the same.
        commits: Commits of the source, with a note where it had changes that were not committed.
        versions: Package -> versions.
    """

    command: str
    note: str
    commits: list[str]
    versions: dict[str, str]


def recipe(runs: pd.DataFrame, keys: Sequence[str], overrides: Sequence[str]) -> Recipe:
    """Return how the runs are made.

    Args:
        runs: From `load_runs`.
        keys: From `analysis.varying`.
        overrides: What was typed for the first of the runs; empty where that is not known.
    """
    values = {key: _values(runs, key) for key in [*keys, "seed"]}
    grid, there = math.prod(len(texts) for texts in values.values()), runs["config_hash"].nunique()
    note = "" if grid == there else f"It makes {words.count(grid, 'run')}; {there:,} of them are here."
    return Recipe(
        command=_command(values, overrides, there > 1),
        note=note,
        commits=_commits(runs),
        versions=_versions(runs),
    )


def _command(values: dict[str, list[str]], overrides: Sequence[str], several: bool) -> str:
    typed = [override.replace("\\:", ":") for override in overrides]
    given = {key_of(override) for override in typed}
    added = [f"{key}=" for key in values if key not in given]
    spelled = []
    for override in [*typed, *added]:
        key = key_of(override)
        spelled.append(f"{key}={','.join(values[key])}" if key in values else override)
    return shlex.join([*COMMAND.split(), *(["-m"] if several else []), *spelled])


def _values(runs: pd.DataFrame, key: str) -> list[str]:
    return [shown(value) for value in sorted_values(runs[key]) if shown(value) != "-"]


def _commits(runs: pd.DataFrame) -> list[str]:
    if "git.sha" not in runs:
        return []
    pairs = runs[["git.sha", "git.dirty"]].drop_duplicates().itertuples(index=False)
    return [
        f"{sha} with changes that were not committed" if dirty is True else str(sha) for sha, dirty in pairs
    ]


def _versions(runs: pd.DataFrame) -> dict[str, str]:
    found = [column for column in runs.columns if column.startswith(_VERSION)]
    return {
        column.removeprefix(_VERSION): ", ".join(runs[column].dropna().astype(str).unique())
        for column in found
    }
