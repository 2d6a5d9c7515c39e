import io
import math
from pathlib import Path

from rich.console import Console

from rnnexp.report.terminal import Line, SideBySide, Summary, print_side_by_side
from rnnexp.tracking import Place

DAY = Path("outputs/2026-01-31")
SOLVED = Summary(
    "a",
    gradient_verdict="stable",
    learning_verdict="solved",
    loss=0.01883,
    floor_loss=1 / 6,
    error=0.0055,
    floor_error=0.36,
    rate=0.0046,
    rate_low=-0.0018,
    rate_high=0.0108,
)
DIVERGED = Summary(
    "b",
    gradient_verdict="non_finite",
    learning_verdict="diverged",
    loss=math.nan,
    error=math.nan,
    rate=math.nan,
    rate_low=math.nan,
    rate_high=math.nan,
    notes=("diverged at training step 12",),
)
EARLIER = Summary(
    "c", gradient_verdict="vanishing", learning_verdict="at_chance", notes=("had finished earlier",)
)
ENDING = SideBySide(
    title="tanh-T30-s3..5",
    lines=[
        Line(3, DAY / "12-00-00-000001_tanh-T30-s3", SOLVED),
        Line(4, DAY / "12-00-00-000002_tanh-T30-s4", DIVERGED),
        Line(5, DAY / f"12-00-00-000003_{'x' * 90}-s5", EARLIER),
    ],
    seconds=27.4,
    place=Place("mlflow.db, run a", "mlflow ui"),
)


def printed(ending=ENDING, width=80):
    file = io.StringIO()
    print_side_by_side(ending, Console(file=file, width=width))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def cells(line):
    return " ".join(line.split())


def test_every_replica_has_a_row_that_fits_a_narrow_terminal():
    lines = printed()
    assert [cells(line) for line in lines[3:8]] == [
        "seed gradient learning loss error rate 95 % interval",
        "3 stable solved 0.01883 0.55 % 0.0046 [-0.0018, 0.0108]",
        "4 non-finite diverged nan nan nan",
        "5 vanishing at chance",
        "best constant 0.1667 36.00 %",
    ]
    assert max(map(len, lines[3:8])) <= 80
    assert [line for line in lines if "diverged at" in line] == ["seed 4: diverged at training step 12"]
    assert "seed 5: had finished earlier" in lines


def test_the_places_are_never_broken():
    lines = printed(width=40)
    for line in ENDING.lines:
        assert f"seed {line.seed}      {line.folder}" in lines
    assert lines[-2:] == ["stored in   mlflow.db, run a", "open with   mlflow ui"]


def test_without_mlflow_the_folders_are_all_there_is():
    ending = SideBySide(ENDING.title, ENDING.lines[:1], 3.0)
    assert printed(ending)[-2:] == ["time        3.0 s for all", f"seed 3      {ENDING.lines[0].folder}"]


def test_a_folder_below_this_one_is_named_from_here(tmp_path):
    ending = SideBySide("a", [Line(0, tmp_path / "outputs" / "b", SOLVED)], 3.0)
    assert printed(ending)[-1] == "seed 0      outputs/b"


def test_the_table_in_markdown_has_a_row_for_each():
    assert ENDING.markdown().splitlines()[2:] == [
        "| 3 | stable | solved | 0.01883 |",
        "| 4 | non_finite | diverged | nan |",
        "| 5 | vanishing | at_chance |  |",
    ]
    assert ENDING.verdicts() == {"solved": 1, "diverged": 1, "at_chance": 1}
