import math

import numpy as np
import pytest

from rnnexp.analysis import group_runs, student_mean, wilson


def one_group(frame, *rows):
    (group,) = group_runs(frame(*rows)).to_dict("records")
    return group


def test_verdicts_and_faults_are_counted_apart(frame):
    ends: list[dict[str, object]] = [
        {"verdict.learning": "solved", "budget_exhausted": False},
        {"verdict.learning": "solved", "budget_exhausted": False},
        {"verdict.learning": "learning"},
        {"verdict.learning": "at_chance", "verdict.gradient": "vanishing"},
        {"verdict.learning": "diverged", "verdict.gradient": "non_finite", "budget_exhausted": False},
        {"status": "FAILED", "verdict.learning": None, "verdict.gradient": None, "budget_exhausted": None},
        {"status": "KILLED", "verdict.learning": None, "verdict.gradient": None, "budget_exhausted": None},
        {"status": "RUNNING", "verdict.learning": None, "verdict.gradient": None, "budget_exhausted": None},
    ]
    group = one_group(frame, *(end | {"seed": seed} for seed, end in enumerate(ends)))
    counts = {
        "runs": 8,
        "n": 5,
        "solved": 2,
        "learning": 1,
        "at_chance": 1,
        "diverged": 1,
        "budget_exhausted": 2,
        "failed": 1,
        "killed": 1,
        "running": 1,
        "repeats": 0,
        "vanishing": 1,
        "exploding": 0,
        "stable": 3,
        "borderline": 0,
        "non_finite": 1,
    }
    assert {key: group[key] for key in counts} == counts
    shares = {
        "success_rate": 2 / 5,
        "diverged_share": 1 / 5,
        "budget_exhausted_share": 2 / 5,
        "failed_share": 1 / 8,
    }
    assert {key: group[key] for key in shares} == pytest.approx(shares)
    assert (group["success_low"], group["success_high"]) == wilson(2, 5)[1:3]
    assert group["seeds"] == "0 1 2 3 4 5 6 7"
    assert group["seconds"] == 16.0


def test_the_median_of_steps_counts_who_did_not_solve(frame):
    """A diverged run never solves its task: it is censored at the budget, and not where it diverged."""
    solved = {"verdict.learning": "solved", "steps": 900}
    group = one_group(
        frame,
        solved | {"seed": 0, "steps_to_solve": 200},
        solved | {"seed": 1, "steps_to_solve": 400},
        {"seed": 2, "verdict.learning": "diverged", "steps": 900, "diverged_at": 10},
    )
    assert group["median_steps"] == 400
    assert group["success_rate"] == 2 / 3  # what is left after 1 - (2/3) (1/2)
    group = one_group(frame, solved | {"steps_to_solve": 200}, *({"seed": s, "steps": 900} for s in (1, 2)))
    assert (group["median_steps"], group["median_steps_low"]) == (math.inf, 200)


def test_a_group_without_a_verdict_has_no_rate_of_success(frame):
    group = one_group(frame, {"status": "FAILED", "verdict.learning": None})
    assert (group["n"], group["failed"]) == (0, 1)
    assert math.isnan(group["success_rate"])


def test_means_are_of_the_runs_that_have_the_number(frame):
    group = one_group(
        frame,
        {"seed": 0, "grad/rate": -0.5, "val/loss": 0.1},
        {"seed": 1, "grad/rate": -0.1, "val/loss": None, "verdict.learning": "diverged"},
        {"seed": 2, "grad/rate": 9.0, "val/loss": 9.0, "status": "KILLED"},
    )
    expected = student_mean(np.array([-0.5, -0.1]))
    assert (group["rate"], group["rate_low"], group["rate_high"], group["rate_n"]) == expected
    assert (group["loss"], group["loss_n"]) == (0.1, 1)
    assert math.isnan(group["loss_low"])
    assert group["clip_fraction_n"] == 0


def test_groups_ignore_the_seed_and_follow_the_order_of_keys(frame):
    table = frame(
        *(
            {"activation": activation, "seq_len": seq_len, "seed": seed}
            for seed in (1, 0)
            for activation in ("tanh", "relu")
            for seq_len in (100, 20)
        )
    )
    groups = group_runs(table)
    assert groups["label"].tolist() == [
        f"{activation}, seq_len {seq_len}" for activation in ("tanh", "relu") for seq_len in (20, 100)
    ]
    assert groups["seeds"].tolist() == ["0 1"] * 4
    assert groups["runs"].sum() == len(table)


def test_a_repetition_is_no_further_evidence(frame):
    table = frame(
        {"seed": 0, "verdict.learning": "solved", "val/loss": 0.1},
        {"seed": 0, "verdict.learning": None, "status": "FAILED"},
        {"seed": 0, "verdict.learning": "solved", "val/loss": 0.2},
        {"seed": 1, "verdict.learning": "learning", "val/loss": 0.4},
    )
    (group,) = group_runs(table).to_dict("records")
    assert [group[key] for key in ("runs", "repeats", "n", "solved", "failed")] == [2, 2, 2, 1, 0]
    assert group["loss"] == pytest.approx((0.2 + 0.4) / 2)


def test_one_run_is_a_group(frame):
    group = one_group(frame, {"grad/rate": -0.5})
    assert (group["label"], group["n"], group["rate"]) == ("all runs", 1, -0.5)


def test_numbers_of_diverged_runs_stay_out_of_the_means(frame):
    broken = {"verdict.learning": "diverged", "verdict.gradient": "non_finite", "grad/clip_fraction": 0.5}
    numbers = {"grad/rate": -0.5, "theory/rate": -0.4, "val/loss": 0.1, "val/error": 0.2}
    group = one_group(frame, {"seed": 0} | numbers, {"seed": 1} | numbers | broken)
    means = ("rate", "predicted_rate", "loss", "error", "clip_fraction")
    assert {name: group[f"{name}_n"] for name in means} == dict.fromkeys(means[:4], 1) | {"clip_fraction": 1}
    assert group["rate"] == -0.5
    group = one_group(frame, numbers | {"verdict.learning": "diverged", "verdict.gradient": "stable"})
    assert (group["rate_n"], group["loss_n"]) == (1, 0)
