"""What a run tells whoever keeps its records."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

STATUSES = ("FINISHED", "FAILED", "KILLED")
Status = Literal["FINISHED", "FAILED", "KILLED"]


class Point(NamedTuple):
    """One measured number: `value` of the metric `key` after `step` updates."""

    key: str
    value: float
    step: int


def points(values: Mapping[str, float], step: int) -> list[Point]:
    """Return a point for every metric, all after `step` updates."""
    return [Point(key, value, step) for key, value in values.items()]


class Tracker(Protocol):
    """Keeps the records of one run; `MlflowTracker` and `FileTracker` are its two forms.

    Parameters and steps are written once: a parameter keeps its first value, and a run that is resumed takes
    only points beyond the last step that their key has already (`last_step`), so that no step counts twice.
    """

    @property
    def run_id(self) -> str | None:
        """Return the name by which the run can be reopened, None while MLflow has not answered."""

    @property
    def where(self) -> str:
        """Return, for a human, where the records lie: a path or the address of a page."""

    @property
    def open_command(self) -> str | None:
        """Return the command that shows the records, or None where `where` can be opened as it is."""

    @property
    def page(self) -> str | None:
        """Return the address in MLflow's pages that lists the verdicts; None without MLflow."""

    @property
    def dropped(self) -> int:
        """Return how many points were not kept because their value is not finite."""

    @property
    def complete(self) -> bool:
        """Return whether the records of the run, which has ended, are where they belong."""

    def params(self, config: Mapping[str, Any]) -> None:
        """Record the leaves of a nested `config` under dotted names (see `flatten`)."""

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record or replace tags."""

    def metrics(self, points: Iterable[Point]) -> None:
        """Take points; they are written in batches, the finite ones only."""

    def flush(self) -> None:
        """Write the points that wait."""

    def last_step(self, key: str) -> int | None:
        """Return the largest step taken under `key`, by this attempt or an earlier one; None without any."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a copy of a file or folder, under `folder`."""

    def text(self, name: str, content: str) -> None:
        """Keep `content` as the text file `name`, which may contain folders."""

    def model(self, model: Any) -> None:
        """Keep a Keras model."""

    def end(self, status: Status) -> None:
        """Write what waits and close the run; only the first call that succeeds counts."""
