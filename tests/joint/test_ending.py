import types
from pathlib import Path
from unittest.mock import Mock

from rnnexp.joint import ending
from rnnexp.report.terminal import Line, Summary

FOUND = Summary("a", gradient_verdict="stable", learning_verdict="solved", loss=0.01)


def parent():
    return Mock(where="mlflow.db", open_command="mlflow ui", found=Mock())


def finished(seed, verdicts):
    """The job of a seed and the folder of its run, which had finished before."""
    job = types.SimpleNamespace(name=f"tanh-s{seed}", plan=types.SimpleNamespace(seed=seed))
    return job, Mock(path=Path(f"outputs/{seed}"), **{"state.return_value": {"verdicts": verdicts}})


def shown(found, before):
    run = parent()
    run.name = "tanh-s0..2"
    ending.show(found, before, run, 3.0)
    (tags, table), _ = run.found.call_args
    return tags, table.splitlines()


def test_all_are_in_the_order_of_seeds_whenever_they_finished(capsys):
    earlier = finished(1, {"verdict.gradient": "vanishing", "verdict.learning": "at_chance"})
    lines = [Line(2, Path("outputs/2"), FOUND), Line(0, Path("outputs/0"), FOUND)]
    _, table = shown(lines, [earlier])
    assert table[2:] == [
        "| 0 | stable | solved | 0.01000 |",
        "| 1 | vanishing | at_chance |  |",
        "| 2 | stable | solved | 0.01000 |",
    ]
    out = capsys.readouterr().out
    assert out.index("outputs/0") < out.index("outputs/1") < out.index("outputs/2")
    assert "seed 1: had finished earlier" in out


def test_the_parent_is_told_how_many_have_each_verdict():
    earlier = finished(1, {"verdict.gradient": "stable", "verdict.learning": "learning"})
    tags, _ = shown([Line(seed, Path("a"), FOUND) for seed in (0, 2)], [earlier])
    assert tags == {"replicas.solved": 2, "replicas.learning": 1}
