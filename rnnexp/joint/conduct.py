"""A joint trial under observation: one progress for all, records, figures and verdicts of each."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec

from rnnexp.joint.job import OpenRun
from rnnexp.joint.trial import JointTrial, Member
from rnnexp.report import terminal
from rnnexp.runs import metrics, run_context
from rnnexp.runs.callbacks import keep_arrays, observer
from rnnexp.runs.finish import conclude
from rnnexp.runtime.signals import Interruption
from rnnexp.tracking import points
from rnnexp.training import checkpoint
from rnnexp.training.replica import Observer, Result, Subject

_P = ParamSpec("_P")


def conduct(runs: Sequence[OpenRun], signals: Interruption, *, started: float) -> list[terminal.Line]:
    """Run the plans together, record what is found and close the records of each run as it is concluded.

    Whatever ends them early, the arrays recorded so far are in their folders.

    Raises:
        Killed: A signal came.
    """
    for run in runs:
        run.tracker.metrics(points(metrics.constants(run.job.plan), step=0))
    subjects, results = _run_trial(runs, signals)
    lines = []
    for run, subject, result in zip(runs, subjects, results, strict=True):
        with run_context.said_in(run.folder.log):
            network = subject.network
            found = conclude(run.job, run.folder, run.tracker, network, result, run.artist, started)
        run.records.close()
        lines.append(terminal.Line(run.job.plan.seed, run.folder.path, found))
    return lines


def _run_trial(runs: Sequence[OpenRun], signals: Interruption) -> tuple[Sequence[Subject], Sequence[Result]]:
    start = min(checkpoint.steps_in(run.folder.checkpoint) if run.resumed else 0 for run in runs)
    of = f"median of {len(runs)}: "
    with terminal.progress(runs[0].job.plan.steps, start=start, of=of) as progress:
        medians = terminal.Medians(progress)
        members = [_member(run, medians.of(place)) for place, run in enumerate(runs)]
        trial = JointTrial(members, signals, on_return=medians.show)
        try:
            return trial.subjects, trial.run([run.resumed for run in runs])
        except BaseException:
            for run, subject in zip(runs, trial.subjects, strict=True):
                keep_arrays(run.folder, subject)
            raise


def _member(run: OpenRun, progress: terminal.Progress) -> Member:
    told = observer(run.job, run.folder, run.tracker, progress, run.artist)
    hooks = {field.name: _in(run.folder.log, getattr(told, field.name)) for field in dataclasses.fields(told)}
    return Member(run.job.plan, run.folder.checkpoint, Observer(**hooks))


def _in(log: Path, hook: Callable[_P, None]) -> Callable[_P, None]:
    """Return the hook with what it logs sent to that file alone."""

    def told(*arguments: _P.args, **keywords: _P.kwargs) -> None:
        with run_context.said_in(log):
            hook(*arguments, **keywords)

    return told
