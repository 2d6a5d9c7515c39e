import json

import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweeps.outcome import Outcome

OUTCOME = Outcome(3, ("seed=0", "units=4"), "FINISHED", name="a", seconds=1.5, learning="solved")


def test_it_survives_json():
    assert Outcome.from_dict(json.loads(json.dumps(OUTCOME._asdict()))) == OUTCOME


@pytest.mark.parametrize(
    ("status", "ended", "bad"),
    [
        ("WAITING", False, False),
        ("RUNNING", False, False),
        ("FINISHED", True, False),
        ("SKIPPED", True, False),
        ("FAILED", True, True),
        ("KILLED", True, True),
    ],
)
def test_what_has_ended_and_what_went_wrong(status, ended, bad):
    outcome = OUTCOME._replace(status=status)
    assert (outcome.ended, outcome.bad) == (ended, bad)


def test_without_a_launcher_only_an_open_run_was_killed():
    running = OUTCOME._replace(status="RUNNING")
    forced = running.without_process(stopped=True)
    assert (forced.status, forced.note) == ("KILLED", "ended by force")
    assert running.without_process(stopped=False).note.endswith("the same command goes on with it")
    assert OUTCOME._replace(status="WAITING").without_process(stopped=True).status == "WAITING"


def test_what_was_raised_is_one_sentence():
    wrong, broken = OUTCOME.failed(ArgumentError("units", "3", 4)), OUTCOME.failed(OSError("a\nb"))
    assert (wrong.status, wrong.note) == ("FAILED", "units: expected 3, received 4")
    assert broken.note == "OSError: a b"


def test_verdicts_come_from_the_state_of_the_run():
    state = {"run_id": "r", "verdicts": {"verdict.gradient": "stable", "verdict.learning": "at_chance"}}
    found = Outcome(0, ()).of(state)
    assert (found.run_id, found.gradient, found.learning) == ("r", "stable", "at_chance")
    assert Outcome(0, ()).of({}).learning is None


@pytest.mark.parametrize(
    ("status", "result"),
    [("FINISHED", "solved"), ("SKIPPED", "solved"), ("FAILED", "failed"), ("RUNNING", "running")],
)
def test_the_result_is_the_verdict_of_a_job_that_has_one(status, result):
    assert OUTCOME._replace(status=status).result == result
