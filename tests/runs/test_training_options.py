"""How long to train, on which lengths, how far back: what is refused before TensorFlow is there."""

import pytest

from rnnexp.runs.build import compose_job
from rnnexp.runtime.checks import ArgumentError

REFUSED = [
    (["stop=soon"], "stop: expected one of steps, solved, received 'soon'"),
    (["truncate=0"], "truncate: expected an integer of at least 1, received 0"),
    (["truncate=100"], "truncate: expected null or less than 100, the steps of a sequence, received 100"),
    (["truncate=20", "segment=10"], "segment: expected null together with truncate, received 10"),
    (["stop=solved", "task=characters"], "stop: expected steps for this task, which has no criterion"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_wrong_values_get_one_sentence(overrides, message):
    with pytest.raises(ArgumentError) as error:
        compose_job(["tracking=none", *overrides])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_plan_knows_when_to_stop():
    assert compose_job(["tracking=none"]).plan.stop == "steps"
    assert compose_job(["tracking=none", "stop=solved"]).plan.stop == "solved"
