"""The outcome of one job of a sweep."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from rnnexp.runtime.checks import one_line

Status = Literal["WAITING", "RUNNING", "FINISHED", "SKIPPED", "FAILED", "KILLED"]

ENDED = ("FINISHED", "SKIPPED", "FAILED", "KILLED")
"""The states after which nothing more happens to a job."""

NOT_SENT = "its records are not in MLflow yet; the same command sends them"
"""What is noted of a job that finished and whose records MLflow did not take."""

BAD = ("FAILED", "KILLED")
"""The states from which the same command tries again."""


class Outcome(NamedTuple):
    """A job of a sweep and how far it has come.

    Attributes:
        number: Its place in the sweep, from 0.
        overrides: The command line that it would have alone.
        status: WAITING, RUNNING, FINISHED (a run that diverged too), SKIPPED (it had finished earlier, or is
            at work elsewhere), FAILED (a fault of code or machine) or KILLED (a signal).
        name: Name of the run.
        config_hash: What identifies its configuration.
        run_folder: Folder of its run.
        run_id: Id of its run.
        gradient: Verdict on the gradient, of a run that finished.
        learning: Verdict on learning, of a run that finished.
        note: Why it failed, was killed or skipped; "" otherwise.
        resumed: Whether it went on from a checkpoint.
        seconds: Wall-clock time in this call of the sweep.
        tries: How often it began in this call of the sweep.
    """

    number: int
    overrides: tuple[str, ...]
    status: Status = "WAITING"
    name: str | None = None
    config_hash: str | None = None
    run_folder: str | None = None
    run_id: str | None = None
    gradient: str | None = None
    learning: str | None = None
    note: str = ""
    resumed: bool = False
    seconds: float | None = None
    tries: int = 1

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status in ENDED

    @property
    def bad(self) -> bool:
        """Whether it ended without a result."""
        return self.status in BAD

    @property
    def result(self) -> str:
        """The verdict on learning, or, where there is none, what became of the job, in small letters."""
        verdict = self.learning if self.status in ("FINISHED", "SKIPPED") else None
        return verdict or self.status.lower()

    @property
    def unsent(self) -> bool:
        """Whether MLflow did not take its records."""
        return self.note.startswith(NOT_SENT)

    def without_process(self, stopped: bool) -> "Outcome":
        """Return the outcome after its process has disappeared: killed if it was running, else waiting."""
        if self.status != "RUNNING":
            return self._replace(status="WAITING")
        note = "ended by force" if stopped else "its process is gone; the same command goes on with it"
        return self._replace(status="KILLED", note=note)

    def failed(self, error: Exception) -> "Outcome":
        """Return the outcome of a job that raised `error`."""
        return self._replace(status="FAILED", note=one_line(error))

    def of(self, state: Mapping[str, Any]) -> "Outcome":
        """Return the outcome with id and verdicts from the state of the run's folder (`run.json`)."""
        verdicts = state.get("verdicts", {})
        return self._replace(
            run_id=state.get("run_id"),
            gradient=verdicts.get("verdict.gradient"),
            learning=verdicts.get("verdict.learning"),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Outcome":
        """Return the outcome whose fields, by their names, went through JSON."""
        return cls(**dict(values, overrides=tuple(values["overrides"])))
