"""How long to train, on which lengths, how far back: what is refused before TensorFlow is there."""

import pytest

from rnnexp.runs.build import compose_job
from rnnexp.runtime.checks import ArgumentError

REFUSED = [
    (["stop=soon"], "stop: expected one of steps, solved, received 'soon'"),
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
