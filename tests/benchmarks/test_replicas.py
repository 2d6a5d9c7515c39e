"""The comparison of seeds together with seeds apart, on numbers that are given."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import replicas

ROOT = Path(__file__).parents[2]


def test_importing_it_loads_no_tensorflow():
    code = "import sys, benchmarks.replicas; print(sorted({'tensorflow', 'keras'} & sys.modules.keys()))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert answer.stdout == "[]\n"


def test_times_are_per_network_and_paired_by_round(monkeypatch):
    """Two together take 3, 4, 10 s a step, so 1.5, 2, 5 s a network, where one alone takes 3, 2, 20 s."""
    from benchmarks import timing

    taken = {
        replicas.ALONE: [3.0, 2.0, 20.0],
        replicas.APART: [2.0, 2.0, 20.0],
        "2 together": [3.0, 4.0, 10.0],
    }
    asked: dict[str, object] = {}

    def paired(field, seconds, rounds):
        asked.update(seconds=seconds, rounds=rounds, names=list(field))
        return taken

    monkeypatch.setattr(timing, "paired", paired)
    row = replicas._row(3, (2,), 3, 0.5, replicas._Workers())
    assert asked == {"seconds": 0.5, "rounds": 3, "names": list(taken)}
    assert row["units"] == 3
    assert row["milliseconds"] == {replicas.ALONE: 3000, replicas.APART: 1000, "2 together": 2000}
    assert row["times"] == {replicas.ALONE: 1, replicas.APART: 2, "2 together": 2}


def test_the_table_shows_every_way(capsys):
    row = {"units": 16, "milliseconds": {"a": 1.234, "b": 0.5}, "times": {"a": 1.0, "b": 2.468}}
    replicas._print({"rounds": 7, "seconds": 0.25, "rows": [row]})
    printed = capsys.readouterr().out
    assert all(
        text in printed for text in ("16", "1.23 ms  1.00x", "0.50 ms  2.47x", "7 paired rounds of 0.25 s")
    )


def test_one_network_and_replicas_take_the_requested_steps(monkeypatch):
    monkeypatch.setattr(replicas, "T", 4)
    waited = []
    kept = replicas._fit
    monkeypatch.setattr(
        replicas, "_fit", lambda model, batch, wait: kept(model, batch, lambda: waited.append(wait()))
    )
    for train in (replicas._single(3), replicas._replicated(3, 2)):
        train(20)
    assert waited == [20, [20, 20]]


def test_workers_end_with_their_block(monkeypatch):
    with pytest.raises(RuntimeError), replicas._Workers() as workers:
        processes = workers._processes
        raise RuntimeError
    assert [process.exitcode for process in processes] == [0] * replicas.WORKERS
