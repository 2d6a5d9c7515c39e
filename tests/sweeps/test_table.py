import io
from pathlib import Path

import pytest
from jobs import job_of
from rich.console import Console

from rnnexp.sweeps.folder import SweepFolder
from rnnexp.sweeps.outcome import Outcome
from rnnexp.sweeps.request import Request
from rnnexp.sweeps.table import MOST_ROWS, Ending, print_ending
from rnnexp.tracking import Place


@pytest.fixture
def folder():
    return SweepFolder.create(Path("outputs"))


def outcome(number, status, learning=None, gradient=None, **values):
    overrides = (f"activation={('tanh', 'relu')[number % 2]}", f"seed={number}")
    return Outcome(
        number, overrides, status, name=f"job-{number}", learning=learning, gradient=gradient, **values
    )


def printed(folder, outcomes, **values):
    file = io.StringIO()
    jobs = tuple(("tracking=none", *outcome.overrides) for outcome in outcomes)
    first = job_of(("tracking=none", "name=mine"))
    request = Request(True, (), jobs, first, "joblib", workers=2)
    ending = Ending(request, folder, outcomes, seconds=72.0, **values)
    print_ending(ending, Console(file=file, width=80))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    return ending, lines


MIXED = [
    outcome(0, "FINISHED", "solved", "stable", seconds=12.0),
    outcome(1, "FINISHED", "diverged", "non_finite", seconds=3.0),
    outcome(2, "SKIPPED", "at_chance", "vanishing", seconds=0.1),
    outcome(3, "FAILED", note="ZeroDivisionError: of nothing", seconds=1.0),
    outcome(4, "KILLED", note="the process was ended by SIGKILL (out of memory?)", seconds=1.0),
    outcome(5, "WAITING"),
]


def test_every_job_has_a_row_with_what_became_of_it(folder):
    _, lines = printed(folder, MIXED)
    rows = lines[1:8]
    assert rows[0].split() == ["#", "activation", "seed", "result", "gradient", "time"]
    assert [row.split()[:2] for row in rows[1:]] == [[str(n), ("tanh", "relu")[n % 2]] for n in range(6)]
    for row, words in zip(
        rows[1:],
        ["solved", "diverged", "at chance", "failed", "killed", "not begun"],
        strict=True,
    ):
        assert words in row
    assert "non-finite" in rows[2]
    assert rows[1].endswith("12 s")
    assert rows[3].endswith("skipped")


def test_the_counts_are_those_of_the_outcomes(folder):
    ending, lines = printed(folder, MIXED)
    assert ending.counts() == {
        "solved": 1,
        "learning": 0,
        "at_chance": 1,
        "worse_than_chance": 0,
        "diverged": 1,
        "failed": 1,
        "killed": 1,
        "waiting": 1,
        "skipped": 1,
    }
    assert "finished    3 of 6: 1 solved, 1 at chance, 1 diverged" in lines
    assert "skipped     1, which had finished earlier or are at work elsewhere" in lines
    assert {"failed      1", "killed      1", "not begun   1"} <= set(lines)
    assert "time        1 min 12 s, 2 workers" in lines
    assert "again       the same command does the 3 jobs that are not finished, and no other" in lines


def test_what_went_wrong_is_said_with_its_log(folder, tmp_path):
    folder.console(3).parent.mkdir()
    folder.console(3).write_text("Traceback")
    _, lines = printed(folder, MIXED)
    place = lines.index("#3 failed  job-3")
    assert lines[place + 1 : place + 3] == [
        "    ZeroDivisionError: of nothing",
        f"    {folder.console(3)}",
    ]
    assert "    the process was ended by SIGKILL (out of memory?)" in lines


def test_a_job_that_the_user_stopped_is_no_fault(folder):
    _, lines = printed(folder, [outcome(0, "KILLED", note="stopped by SIGINT")])
    assert not any(line.startswith("#0") for line in lines)
    assert "killed      1" in lines


def test_a_sweep_without_fault_asks_for_nothing(folder):
    _, lines = printed(folder, MIXED[:3], place=Place("m.db, run a (b)", "mlflow ui"))
    assert not any(line.startswith(("again", "failed", "killed", "not begun")) for line in lines)
    assert lines[-2:] == ["stored in   m.db, run a (b)", "open with   mlflow ui"]


def test_of_many_jobs_only_what_went_wrong_has_lines(folder):
    many = [outcome(number, "FINISHED", "solved", "stable") for number in range(MOST_ROWS)]
    _, lines = printed(folder, many)
    assert sum("solved" in line for line in lines) == MOST_ROWS + 1
    _, lines = printed(folder, [*many, outcome(MOST_ROWS, "FAILED", note="why")])
    assert sum("solved" in line for line in lines) == 1
    assert f"#{MOST_ROWS} failed  job-{MOST_ROWS}" in lines


def test_why_the_launcher_broke_is_said(folder):
    _, lines = printed(folder, MIXED[5:], broken="it ended with code 1: no memory")
    assert "launcher    it ended with code 1: no memory" in lines


@pytest.mark.parametrize(("earlier", "said"), [("job-0", False), ("former", True)])
def test_a_run_that_keeps_its_earlier_name_is_told(folder, earlier, said):
    run = f"outputs/2026-01-31/09-00-00-000000_{earlier}"
    _, lines = printed(folder, [outcome(0, "SKIPPED", "solved", run_folder=run)])
    sentence = "names       1 keep the name under which they finished (resume=false runs all anew)"
    assert any(line in sentence and line.startswith("names") for line in lines) == said
