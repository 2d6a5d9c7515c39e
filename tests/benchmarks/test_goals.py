import pytest

from benchmarks import goals
from benchmarks.goals import Goal
from benchmarks.steps import FIT, FIT_XLA, RECORDING, SHAPES, SILENT


def rows(ratios):
    return {"rows": [{"shape": list(shape), "ratios": ratios} for shape in SHAPES]}


def figures(results):
    return {(judged.goal.work, judged.goal.against): judged.figure for judged in goals.judge(results)}


def test_a_ratio_is_taken_over_the_one_that_it_is_about():
    found = figures({"steps": rows({RECORDING: 1.0, SILENT: 0.8, FIT: 5.0, FIT_XLA: 2.0})})
    work = "step, recording: 200, 128, 128"
    assert found[work, FIT] == 5
    assert found[work, "better of both Keras fits"] == 2
    assert found[work, "not recording"] == pytest.approx(1.25)


def test_a_contestant_that_is_not_there_has_no_row():
    found = figures({"steps": rows({RECORDING: 1.0, FIT: 5.0})})
    assert {against for _, against in found} == {FIT}


def test_a_section_that_is_not_there_has_no_row():
    assert figures({}) == {}
    assert figures({"adjoints": {"ratio": 9.0}}) == {
        ("all dl_b/dh_t: 200, 32, 32", "torch RNNCell loop, retain_grad"): 9.0
    }


@pytest.mark.parametrize(
    ("at_least", "figure", "met"),
    [(True, 3, True), (True, 2.9, False), (False, 3, True), (False, 3.1, False)],
)
def test_a_goal_is_met_at_its_bound(at_least, figure, met):
    goal = Goal("work", "", "section", lambda section: section, 3, at_least)
    assert goal.met(figure) is met
    assert goal.wanted == (">= 3 x" if at_least else "<= 3 x")


def test_every_goal_has_a_figure_of_its_own():
    assert len({(goal.work, goal.against) for goal in goals.GOALS}) == len(goals.GOALS)
