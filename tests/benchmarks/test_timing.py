import sys

import pytest

from benchmarks import timing


def test_every_contestant_takes_every_round_and_the_order_turns():
    began = []
    field = {name: lambda steps, name=name: began.append((name, steps)) for name in "abc"}
    taken = timing.paired(field, 0.0, 3)
    assert {name: len(values) for name, values in taken.items()} == {"a": 3, "b": 3, "c": 3}
    # Two calls each to warm up and to find the number of steps; then the rounds.
    assert "".join(name for name, _ in began[6:]) == "abcbcacab"
    assert {steps for _, steps in began} == {10}


def test_the_ratio_is_the_median_over_rounds_and_not_of_medians():
    assert timing.median_ratio([2.0, 9.0, 30.0], [1.0, 3.0, 5.0]) == 3.0


def python(code):
    return [sys.executable, "-c", code]


def test_a_process_is_timed_whole():
    taken = timing.processes({"wait": python("import time; time.sleep(0.2)")}, 2)
    assert min(taken["wait"]) > 0.2


def test_a_refusal_is_an_answer_and_a_failure_is_not():
    assert len(timing.processes({"refused": python("raise SystemExit(2)")}, 1)["refused"]) == 1
    with pytest.raises(RuntimeError, match="(?s)ended with 1: .*ZeroDivisionError"):
        timing.processes({"failed": python("1 / 0")}, 1)
