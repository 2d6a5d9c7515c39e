import dataclasses

import pytest

from rnnexp.analysis.run_record import RunRecord, is_run, is_solved


def test_a_run_is_what_carries_the_hash_of_its_configuration():
    assert is_run({"config_hash": "", "verdict.learning": "at_chance"})
    assert not is_run({"sweep_id": "first", "group_hash": "a", "mlflow.runName": "config_hash"})


@pytest.mark.parametrize("verdict", ["learning", "at_chance", "diverged", "Solved", ""])
def test_no_verdict_but_one_is_solved(verdict):
    assert is_solved({"verdict.learning": "solved"})
    assert not is_solved({"verdict.learning": verdict, "verdict.gradient": "solved"})
    assert not is_solved({})


def test_a_record_is_frozen_and_has_no_errors_by_default():
    record = RunRecord("id", "a", "RUNNING", 0, None, {}, {}, {}, "here", None)
    assert record.errors == ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.end = 1  # type: ignore[misc]
