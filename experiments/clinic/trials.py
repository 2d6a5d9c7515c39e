"""One run of the clinic: trained and judged as `python run.py` does it, without records and figures."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rnnexp.diagnosis.evidence import Evidence
from rnnexp.runs import metrics
from rnnexp.runs.build import compose_job
from rnnexp.runs.evidence import gather
from rnnexp.runtime.device import import_tensorflow
from rnnexp.runtime.signals import interruption


class Trial(NamedTuple):
    """A run and what became of it.

    Attributes:
        overrides: What was typed.
        verdict: `verdict.learning`.
        error: Share of wrong sequences; nan of a run that diverged.
        loss: Of the validation.
        train_steps: Updates.
        seconds: What it took.
        evidence: What the recommendations are made from.
        errors: Share of wrong sequences of every validation.
    """

    overrides: tuple[str, ...]
    verdict: str
    error: float
    loss: float
    train_steps: int
    seconds: float
    evidence: Evidence
    errors: tuple[float, ...]

    @property
    def solved(self) -> bool:
        """Whether the task is solved."""
        return self.verdict == "solved"


def run(overrides: Sequence[str]) -> Trial:
    """Train what `python run.py` with these overrides trains, and judge it."""
    started = time.perf_counter()
    job = compose_job([*overrides, "tracking=none", "checkpoint.every=0", "probe.every=1000000"])
    import_tensorflow(job.plan.device)
    from rnnexp.training.replica import Observer
    from rnnexp.training.trainer import Member, Trainer

    def ignore(*_: object) -> None:
        pass

    with interruption() as signals, tempfile.TemporaryDirectory() as folder:
        member = Member(job.plan, Path(folder) / "none.npz", Observer(ignore, ignore, ignore, ignore))
        (result,) = Trainer([member], signals).run([False])
    verdicts = metrics.judge(job.plan, result)
    evidence = gather(job.plan, job.choices, result, verdicts)
    return Trial(
        tuple(overrides),
        verdicts.learning,
        evidence["val/error"],
        evidence["val/loss"],
        result.steps_taken,
        time.perf_counter() - started,
        evidence,
        tuple(validated.score.error for validated in result.validations),
    )
