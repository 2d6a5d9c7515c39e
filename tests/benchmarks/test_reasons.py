import pytest

from benchmarks.goals import GOALS
from benchmarks.reasons import REASONS, reason


@pytest.mark.parametrize("part", REASONS)
def test_every_reason_is_that_of_a_goal(part):
    assert REASONS[part] in {reason(goal.comparison) for goal in GOALS}


def test_what_is_not_known_is_said_to_be_so():
    assert reason("python run.py --help") == "not explained"
