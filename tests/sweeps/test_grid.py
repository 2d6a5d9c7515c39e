import io
import itertools
from typing import Any

import pytest
from rich.console import Console

from rnnexp.sweeps.grid import Grid
from rnnexp.sweeps.outcome import Outcome

WAITING = "\N{MIDDLE DOT}"


def sweep(**axes):
    """The overrides of all combinations, in Hydra's order."""
    return [
        [f"{k}={v}" for k, v in zip(axes, each, strict=True)] for each in itertools.product(*axes.values())
    ]


def shown(jobs, swept, results, width=80, height=24):
    file = io.StringIO()
    console = Console(file=file, width=width, height=height)
    outcomes = {}
    for number, result in results.items():
        bad = result.isupper()
        status: Any = result if bad else "FINISHED"
        learning = None if bad else result
        outcomes[number] = Outcome(number, tuple(jobs[number]), status, learning=learning)
    console.print(Grid(jobs, swept).drawn(outcomes, console))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_two_keys_run_down_and_across():
    jobs = sweep(activation=["tanh", "relu"], seq_len=[50, 100])
    found = {0: "solved", 1: "worse_than_chance", 2: "RUNNING"}
    assert [line.split() for line in shown(jobs, ["activation", "seq_len"], found)] == [
        ["activation", "seq_len", "50", "100"],
        ["tanh", "solved", "worse"],
        ["relu", "running", WAITING],
    ]


def test_seeds_share_a_place_and_a_legend_spells_the_letters():
    jobs = sweep(**{"clip.threshold": [1, 2], "seed": [0, 1, 2]})
    lines = shown(jobs, ["clip.threshold", "seed"], {0: "solved", 1: "at_chance", 3: "FAILED"})
    assert lines[0].split() == ["threshold", "1", "2"]
    assert lines[1].split() == [f"SC{WAITING}", f"F{WAITING * 2}"]
    assert lines[2] == "S solved  C at chance  F failed"


def test_seeds_alone_are_its_columns():
    lines = shown(sweep(seed=[0, 1]), ["seed"], {1: "diverged"})
    assert [line.split() for line in lines] == [["seed", "0", "1"], [WAITING, "diverged"]]


def test_where_words_are_too_wide_there_are_letters():
    jobs = sweep(units=range(10, 22))
    found = dict.fromkeys(range(12), "worse_than_chance")
    assert "worse" in shown(jobs, ["units"], found, width=120)[1]
    narrow = shown(jobs, ["units"], found, width=70)
    assert narrow[1].split() == ["W"] * 12 and narrow[2] == "W worse"
    assert shown(jobs, ["units"], found, width=30) == [""]


def test_rows_that_have_ended_make_room_for_those_at_work():
    jobs = sweep(units=range(40), seq_len=[5, 6])
    found = dict.fromkeys(range(40), "solved") | {40: "RUNNING"}
    rows = shown(jobs, ["units", "seq_len"], found, height=12)[1:]
    assert [row.split()[0] for row in rows] == ["20", "21", "22", "23", "24", "25"]
    all_ended = shown(jobs, ["units", "seq_len"], dict.fromkeys(range(80), "solved"), height=12)[1:]
    assert [row.split()[0] for row in all_ended] == ["34", "35", "36", "37", "38", "39"]


@pytest.mark.parametrize("value", ["0.30000000000000004", "0.3"])
def test_values_are_rounded(value):
    assert shown(sweep(**{"init.gain": [value, 1.0]}), ["init.gain"], {})[0].split() == ["gain", "0.3", "1.0"]
