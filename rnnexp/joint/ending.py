"""The end of several replicas: one table in the terminal and with their parent run."""

import collections
from collections.abc import Sequence

from rnnexp.joint.parent_run import JointRun
from rnnexp.report import terminal
from rnnexp.report.terminal import numbers
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder


def show(
    found: Sequence[terminal.Line], before: Sequence[tuple[Job, RunFolder]], parent: JointRun, seconds: float
) -> None:
    """Print what all replicas found, and let their parent run keep it.

    Args:
        found: Of those that were trained now.
        before: Those that had finished before.
        parent: The run of all.
        seconds: Duration of all.
    """
    lines = sorted([*found, *(_known(*run) for run in before)], key=lambda line: line.seed)
    terminal.print_side_by_side(
        terminal.SideBySide(parent.name, lines, seconds, parent.where, parent.open_command)
    )
    verdicts = collections.Counter(line.found.learning_verdict for line in lines)
    parent.found({f"replicas.{verdict}": count for verdict, count in verdicts.items()}, _markdown(lines))


def _known(job: Job, folder: RunFolder) -> terminal.Line:
    verdicts = folder.state().get("verdicts", {})
    found = terminal.Summary(
        configuration=job.name,
        gradient_verdict=verdicts.get("verdict.gradient"),
        learning_verdict=verdicts.get("verdict.learning"),
        notes=("had finished earlier",),
    )
    return terminal.Line(job.plan.seed, folder.path, found)


def _markdown(lines: Sequence[terminal.Line]) -> str:
    rows = ["| seed | gradient | learning | loss |", "|---|---|---|---|"]
    for line in lines:
        found = line.found
        loss = "" if found.loss is None else numbers.loss(found.loss)
        rows.append(f"| {line.seed} | {found.gradient_verdict} | {found.learning_verdict} | {loss} |")
    return "\n".join(rows)
