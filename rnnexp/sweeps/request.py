"""What a command line asks for: one run or a sweep."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence

from rnnexp.runs import heuristics
from rnnexp.runs.job import Job
from rnnexp.runs.menu import MENU, Menu
from rnnexp.runtime.config_keys import UNSCIENTIFIC, key_of

_COUNTED = ("seq_len", "units", "batch_size", "steps", "layers")
"""The keys of what a run's time follows from, in the order of `rnnexp.runs.heuristics.expected_seconds`."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Attributes:
        sweeping: Whether it is a sweep; else it is one run.
        typed: What was typed, without flags.
        jobs: The overrides of each job, in Hydra's order.
        first: The first job.
        launcher: Name of the launcher.
        workers: Jobs at the same time; None where a cluster says that.
        folder: The folder of the sweep, where the command line names one.
        menu: Where its configuration is composed from.
    """

    sweeping: bool
    typed: tuple[str, ...]
    jobs: tuple[tuple[str, ...], ...]
    first: Job
    launcher: str
    workers: int | None
    folder: str | None = None
    menu: Menu = MENU

    @property
    def swept(self) -> tuple[str, ...]:
        """The keys that differ between jobs, in the order of the command line."""
        columns = zip(*self.jobs, strict=True)
        return tuple(key_of(column[0]) for column in columns if len(set(column)) > 1)

    @property
    def signature(self) -> str:
        """The hash that all calls of one sweep share (see `signature`)."""
        return signature([*self.menu.flags, *self.typed], self.first.tracking.store)

    @property
    def name(self) -> str:
        """The name that the user gives, else the experiment's, else the swept keys; for one run, its name."""
        if not self.sweeping:
            others = len(self.jobs) - 1
            return f"{self.first.name} and {others} more" if others > 0 else self.first.name
        given = self.first.config.get("name") or self.first.choices.get("experiment")
        return str(given or f"sweep {', '.join(self.swept)}".rstrip())

    def costs(self) -> list[float]:
        """Return what each job takes by the rule of `rnnexp.runs.heuristics`, seconds."""
        return [heuristics.expected_seconds(*self._counts(overrides)) for overrides in self.jobs]

    def _counts(self, overrides: Sequence[str]) -> list[int]:
        values = {key: int(self.first.config[key]) for key in _COUNTED}
        for override in overrides:
            key, _, value = override.partition("=")
            if key in values and value.isdecimal():
                values[key] = int(value)
        return list(values.values())


def signature(overrides: Sequence[str], store: str) -> str:
    """Return the hash that all calls of one sweep share: of the store and the overrides of scientific keys.

    >>> signature(["seed=0,1", "launcher=joblib"], "none") == signature(["seed=0,1"], "none")
    True
    """
    keys = {override: key_of(override).partition(".")[0] for override in overrides}
    kept = sorted(override for override, key in keys.items() if key.partition("/")[0] not in UNSCIENTIFIC)
    return hashlib.sha256(json.dumps([kept, store]).encode()).hexdigest()[:12]
