import pytest

from rnnexp.joint.members import alone


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["replicas=3"], ("replicas=1", "seed=5")),
        (["replicas=3", "units=8", "seed=4"], ("units=8", "replicas=1", "seed=5")),
        (["+replicas=3", "~seed"], ("replicas=1", "seed=5")),
        # Keys that only begin or end alike are others.
        (["init.seed=4", "name=replicas=3"], ("init.seed=4", "name=replicas=3", "replicas=1", "seed=5")),
        # An experiment may ask for several, so that 1 is always said.
        ([], ("replicas=1", "seed=5")),
    ],
)
def test_what_is_left_is_the_single_run_of_that_seed(typed, expected):
    assert alone(typed, 5) == expected
