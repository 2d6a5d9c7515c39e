"""The clinic: its rules, and that table, figure and README belong together."""

import dataclasses
import importlib
import itertools
import math
import pickle
import re
import sys
from collections import Counter
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from made_evidence import evidence

from rnnexp.runs.build import compose_job

STUDY = Path(__file__).parents[2] / "experiments" / "clinic"
sys.path.insert(0, str(STUDY))
try:
    names = ("autotrainer", "cases", "draw", "measure", "summary", "trials")
    autotrainer, cases, draw, measure, summary, trials = map(importlib.import_module, names)
finally:
    sys.path.remove(str(STUDY))

README = (STUDY / "README.md").read_text(encoding="utf-8")
TABLE = summary.read()
LEFT = TABLE[TABLE["part"] == "third aside"]


def trial(*overrides, verdict="at_chance", errors=(0.4, 0.4, 0.4), **changes):
    found = evidence(**{"learning": verdict} | changes)
    error = 0.0 if verdict == "solved" else errors[-1]
    return trials.Trial(overrides, verdict, error, 0.1, found.train_steps, 1.0, found, tuple(errors))


def test_cases_come_in_the_order_of_a_hash_and_are_stuck():
    everything = list(cases.drawn(lambda case: True))
    assert len(everything) == len(set(everything)) == len(cases.HEALTHY) * len(cases.FAULTS)
    for case_count, per_fault, per_task in cases.ROUNDS:
        taken = everything[:case_count]
        assert max(Counter(case.fault for case in taken).values()) == per_fault
        assert max(Counter(case.task for case in taken).values()) <= per_task
    one = everything[3]
    without = list(cases.drawn(lambda case: case != one))
    assert one not in without and without[:3] == everything[:3] and len(without) == len(everything) - 1
    assert [cases.part(place) for place in range(6)] == ["tuning", "tuning", "first aside"] * 2
    assert cases.part(29) == "first aside" and cases.part(30) == cases.part(39) == "second aside"
    assert cases.part(40) == "third aside"


def test_a_case_is_a_healthy_configuration_with_a_fault():
    for case in cases.drawn(lambda case: True):
        keys = [override.partition("=")[0] for override in case.overrides]
        assert len(set(keys)) == len(keys) and {"task", "seq_len", "units", "batch_size", "steps"} <= set(
            keys
        )
    case = cases.Case("adding", "few-steps")
    assert compose_job(case.overrides).plan.train_steps == 400
    assert compose_job(cases.Case("latch", "long").overrides).plan.task.seq_len == 150
    assert compose_job(cases.Case("latch", "sgd").overrides).plan.optimizer.learning_rate == 0.01


def test_the_table_holds_the_drawn_cases_once():
    untreated = TABLE[TABLE["arm"] == "untreated"]
    names = [case.name for case in cases.drawn(lambda case: case.name in set(untreated["case"]))]
    assert untreated["case"].tolist() == names and len(names) >= 24
    assert untreated["part"].tolist() == [cases.part(place) for place in range(len(names))]
    assert not (untreated["verdict"] == "solved").any()
    assert not TABLE.duplicated(["case", "arm"]).any()


def test_the_readme_shows_what_the_command_prints():
    tables = (summary.shares, summary.differing, summary.cases)
    for line in itertools.chain(summary.first_round(), *(table(TABLE) for table in tables)):
        assert line in README.splitlines()


def test_shares_are_those_of_the_rows_with_wilsons_interval():
    for arm, runs in summary.ARMS.items():
        rows = TABLE[TABLE["arm"].isin(runs) & (TABLE["part"] == "second aside")]
        count = len(set(rows.loc[rows["verdict"] == "solved", "case"]))
        n = TABLE.loc[TABLE["part"] == "second aside", "case"].nunique()
        found = summary.share(TABLE, arm, "aside")
        assert (found.value, found.n) == (count / n, n)
        # Wilson's ends solve (p - x)^2 = z^2 x (1 - x) / n.
        for end in (found.low, found.high):
            assert (found.value - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / n, abs=1e-7)


def test_a_treatment_that_was_not_tried_has_no_share():
    assert summary.share(TABLE, "cell=lstm", "left").n == 0
    assert summary.share(TABLE, summary.THREE, "left").n == len(LEFT["case"].unique())


def test_the_first_order_differs_behind_the_first_one():
    keys = ["case", "part", "overrides", "verdict"]
    orders = (rows[rows["arm"] == "recommendation 1"] for rows in (summary.as_added(TABLE), TABLE))
    added, now = (set(rows[keys].itertuples(index=False, name=None)) for rows in orders)
    assert added == now and len(now) == 80
    clips = summary.as_added(TABLE)["overrides"].isin(["clip=autoclip", "clip=agc"]).sum()
    assert clips > TABLE["overrides"].isin(["clip=autoclip", "clip=agc"]).sum()


def test_first_three_are_at_least_the_first():
    first, three = (summary.cured(TABLE, arm) for arm in ("first recommendation", "first three in turn"))
    assert not (first & ~three).any()


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"verdict": "solved"}, None),
        ({"verdict": "diverged"}, "explode"),
        ({"gradient": "exploding"}, "explode"),
        ({"dead": 0.8}, "relu"),
        ({"gradient": "vanishing"}, "vanish"),
        ({"gradient": "stable"}, "not_converge"),
        ({"gradient": "stable", "errors": (0.4, 0.2, 0.4, 0.2, 0.4)}, "unstable"),
    ],
)
def test_the_problem_of_a_run(made, problem):
    assert autotrainer.problem(trial(**made)) == problem


def test_swings_are_counted_from_maximum_to_minimum():
    assert autotrainer.unstable([0.5, 0.1, 0.5, 0.1, 0.5])
    assert not autotrainer.unstable([0.5, 0.48, 0.5, 0.48, 0.5])
    assert not autotrainer.unstable([0.5, 0.4, 0.3, 0.2, 0.1])


def test_the_strategies_stand_in_the_order_of_autotrainer():
    def against(**changes):
        return [" ".join(overrides) for overrides in autotrainer.strategies(trial(**changes))]

    assert against(gradient="vanishing") == ["activation=tanh"]
    assert against(gradient="exploding") == ["activation=tanh", "clip=value clip.threshold=9.5"]
    assert against(gradient="exploding", clip="value") == ["activation=tanh"]
    rates = [f"optimizer.learning_rate={rate}" for rate in ("0.01", "0.1", "1")]
    others = [
        "optimizer=sgd optimizer.learning_rate=0.01",
        "optimizer=rmsprop optimizer.learning_rate=0.001",
    ]
    assert against(gradient="stable") == [*others, *rates]
    unstable = against(gradient="stable", errors=(0.4, 0.2, 0.4, 0.2, 0.4), batch_size=32)
    assert unstable[:4] == [
        *(f"optimizer.learning_rate={rate}" for rate in ("0.0001", "1e-05", "1e-06")),
        "batch_size=64",
    ]


def test_a_changed_problem_is_treated_in_its_turn():
    def run(overrides):
        changed = "activation=tanh" in overrides
        solved = "clip=value" in overrides and changed
        kind = "exploding" if changed else "vanishing"
        return trial(*overrides, verdict="solved" if solved else "at_chance", gradient=kind)

    tried = [each.overrides for each in autotrainer.treat(trial("activation=relu"), run)]
    assert tried[0] == ("activation=tanh",)
    assert tried[-1] == ("activation=tanh", "clip=value", "clip.threshold=9.5") and len(tried) == 2
    never = list(autotrainer.treat(trial(gradient="stable"), lambda typed: trial(*typed, gradient="stable")))
    assert len(never) == 5


def test_a_run_is_done_once_and_kept(tmp_path, monkeypatch, capsys):
    done = []

    def run(overrides):
        done.append(tuple(overrides))
        return trial(*overrides)

    monkeypatch.setattr(trials, "run", run)
    runs = measure.Runs(tmp_path)
    first, again = runs(["a=1", "b=2"]), measure.Runs(tmp_path)(["b=2", "a=1"])
    assert len(done) == 1 and first.overrides == again.overrides == ("a=1", "b=2")
    assert [pickle.loads(path.read_bytes()).verdict for path in tmp_path.iterdir()] == ["at_chance"]
    assert "a=1 b=2" in capsys.readouterr().out


def test_recommendations_are_tried_in_turn_up_to_a_cure():
    case = cases.Case("adding", "long-tanh")

    def rows(cure):
        def run(overrides):
            return trial(*overrides, verdict="solved" if cure in overrides else "at_chance")

        return [(row["arm"], row["verdict"]) for row in measure.recommendations(case, run)]

    assert rows("cell=lstm") == [("recommendation 1", "at_chance"), ("recommendation 2", "solved")]
    assert [verdict for _, verdict in rows("none")] == ["at_chance"] * 3


def test_former_recommendations_lack_the_later_remedies():
    case = cases.Case("adding", "long")
    chosen = {"cell": "gru", "laws": frozenset(), "init": "orthogonal", "time_steps": 40}

    def tried(name, but=()):
        rows = measure.recommendations(case, lambda typed: trial(*typed, **chosen), name, but)
        return [(row["arm"], row["overrides"]) for row in rows]

    gates, cell = ("recommendation 1", "cell.chrono=40"), ("recommendation 2", "cell=lstm")
    assert tried("recommendation")[:2] == [gates, cell]
    assert tried("former", measure.LATER)[0] == ("former 1", "cell=lstm")


def test_a_shorter_sequence_cures_nothing():
    short = {"cell": "lstm", "laws": frozenset(), "init": "orthogonal", "chosen_biases": True}

    def run(overrides):
        assert not any(each.startswith("seq_len=4") for each in overrides)
        return trial(*overrides, **short)

    rows = list(measure.recommendations(cases.Case("latch", "long"), run))
    assert [row["verdict"] for row in rows] == ["another task"]


def test_a_baseline_that_changes_nothing_is_not_run():
    case = cases.Case("adding", "narrow")  # clipped already

    def run(overrides):
        return trial(*overrides, train_steps=2000)

    arms = {row["arm"] for row in measure.rows_of(case, run, recommended=False)}
    assert {"untreated", "lstm", "steps"} <= arms and "clip" not in arms
    assert [row["arm"] for row in measure.rows_of(case, run, recommended=False, compared=False)] == [
        "untreated"
    ]


def test_a_trial_is_judged_as_a_run_is():
    tiny = "task=latch seq_len=5 units=4 batch_size=4 steps=2 jit=false probe.bootstrap=100"
    found = trials.run(tiny.split())
    assert found.verdict in ("at_chance", "learning", "worse_than_chance") and not found.solved
    assert found.train_steps == found.evidence.train_steps == 2
    assert found.error == found.errors[-1] == found.evidence["val/error"]
    assert math.isfinite(found.loss) and dataclasses.is_dataclass(found.evidence)


def test_the_readme_names_what_was_solved_untreated():
    rows = [
        line.split(",")[0]
        for line in (STUDY / "results.csv").read_text().splitlines()
        if ",solved untreated," in line
    ]
    (named,) = re.findall(r"Solved untreated[^:]*: (.*?)\.\n", README, flags=re.DOTALL)
    assert re.findall(r"[\w-]+", named) == rows


def test_the_figure_is_that_of_the_table(tmp_path):
    draw.draw(tmp_path / "figure.png")
    one, other = (matplotlib.image.imread(folder / "figure.png")[..., :3] for folder in (STUDY, tmp_path))
    assert one.shape == other.shape
    # Fonts and rounding differ between machines, and little else may.
    assert np.abs(one - other).mean() < 0.005
