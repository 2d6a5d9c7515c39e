import math

import pytest

from rnnexp.report.html.axes import Axes
from rnnexp.report.html.headlines import headlines

AXES = Axes("seq_len", "activation", ())


def said(groups, axes=AXES):
    return headlines(groups, axes)


@pytest.fixture
def groups(table):
    return table(
        {
            "activation": "tanh",
            "seq_len": 10,
            "solved": 3,
            "vanishing": 3,
            "rate": -0.5,
            "predicted_rate": -0.45,
        },
        {
            "activation": "tanh",
            "seq_len": 20,
            "at_chance": 3,
            "vanishing": 3,
            "rate": -0.1,
            "predicted_rate": -0.4,
        },
        {"activation": "relu", "seq_len": 10, "solved": 1, "learning": 2, "stable": 3, "clip_fraction": 0.25},
        {
            "activation": "relu",
            "seq_len": 20,
            "diverged": 3,
            "non_finite": 3,
            "failed": 1,
            "clip_fraction": 0.5,
        },
    ).assign(label=["tanh 10", "tanh 20", "relu 10", "relu 20"])


def test_the_words_hold_the_numbers_of_the_table(groups):
    found = said(groups)
    assert found["Outcome"] == (
        "Of 12 runs with a verdict, 4 solved the task, 2 ran out of steps while learning, 3 stayed at chance "
        "and 3 diverged. Without one: 1 failed."
    )
    assert found["Best"] == "tanh 10: 3 of 3 runs solved the task, 95 % interval [10, 90] %."
    assert found["Reach"] == "The largest seq_len with a solved run is, by activation, tanh 10, relu 10."
    assert found["By seq_len"] == "10: 4 of 6 solved; 20: 0 of 6 solved, 3 diverged."
    assert found["By activation"] == "tanh: 3 of 6 solved; relu: 1 of 6 solved, 3 diverged."
    assert found["Gradient"] == (
        "At the end of training it is vanishing in 6, stable in 3 and non-finite in 3 of 12 runs. Fastest "
        f"decay: −0.5000 nats per step, a decade every {math.log(10) / 0.5:.3g} steps (tanh 10)."
    )
    assert found["Theory"] == (
        "The mean-field rate of the final weights and the measured rate differ by 0.3 nats per step at most "
        "(tanh 20), by 0.1 or less in 1 of 2 groups."
    )
    assert found["Clipping"] == "It acted on 25 % of the updates (relu 10) to 50 % (relu 20)."
    assert found["Caution"].startswith(
        "Few seeds: where 3 of 3 solve a task, the true share may be as low as 44 %"
    )
    assert "Closest" not in found


def test_where_nothing_is_solved_the_closest_is_named(groups):
    lost = groups.assign(
        solved=0, success_rate=0.0, loss=[0.5, 0.4, None, None], floor_loss=[1.0, 0.5, 0.5, 0.5]
    )
    found = said(lost)
    assert "Best" not in found
    assert "Reach" not in found
    assert found["Closest"] == (
        "No run solved the task. Closest is a loss of 0.5 (tanh 10), where the best constant predictor has 1."
    )
    assert found["By seq_len"] == "10: 2 of 6 learned; 20: 0 of 6 learned, 3 diverged."


def test_ties_and_the_time_to_solve_are_told(groups):
    tied = groups.assign(success_rate=[1.0, 0.0, 1.0, 0.0], median_steps=[900.0, float("inf"), 700.0, None])
    assert said(tied)["Best"].startswith("relu 10: 1 of 3 runs")
    assert said(tied)["Best"].endswith(", half of all within 700 steps. 1 other group did as well.")


def test_growth_is_told_as_decay_is(groups):
    growing = groups.assign(rate=[0.0, 0.1, None, 0.23])
    expected = (
        f"Fastest growth: 0.2300 nats per step, a decade every {math.log(10) / 0.23:.3g} steps (relu 20)."
    )
    assert said(growing)["Gradient"].endswith(expected)
    assert "decay" not in said(growing)["Gradient"]


def test_one_group_is_not_told_from_others(table):
    found = said(
        table({"learning": 1, "n": 1, "stable": 1, "rate": -0.1, "predicted_rate": 0.1, "loss": 0.1}),
        Axes(None, None, ()),
    )
    assert found["Outcome"] == "Of 1 run with a verdict, 1 ran out of steps while learning."
    assert (
        found["Theory"]
        == "The mean-field rate of the final weights and the measured rate differ by 0.2 nats per step."
    )
    assert not any("{" in text for text in found.values())


def test_many_seeds_need_no_caution_and_no_verdict_is_one(groups):
    assert "Caution" not in said(groups.assign(n=5))
    none = groups.assign(n=[3, 3, 3, 0])
    assert said(none)["Caution"] == "1 group of 4 without a verdict on any run."
    empty = groups.assign(n=0, solved=0, learning=0, at_chance=0, diverged=0, failed=3)
    assert said(empty)["Outcome"] == "No run has a verdict. Without one: 12 failed."
