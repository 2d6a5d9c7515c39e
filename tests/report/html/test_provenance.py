import itertools
import shlex

import pandas as pd

from rnnexp.report.html.provenance import recipe


def runs(*rows):
    table = pd.DataFrame(rows)
    return table.assign(config_hash=[str(row) for row in table.to_dict("records")])


GRID = [
    {
        "activation": activation,
        "seq_len": seq_len,
        "seed": seed,
        "git.sha": "abc",
        "git.dirty": False,
        "version.keras": "3.15",
    }
    for activation, seq_len, seed in itertools.product(["tanh", "relu"], [10, 20], [0, 1])
]
TYPED = ["activation=tanh", "seq_len=10", "seed=0", "units=8", "tracking.uri=sqlite\\:///a.db"]


def test_the_command_lists_every_value_that_varies():
    made = recipe(runs(*GRID), ["activation", "seq_len"], TYPED)
    assert shlex.split(made.command) == [
        *("python", "run.py", "-m", "activation=tanh,relu", "seq_len=10,20", "seed=0,1", "units=8"),
        "tracking.uri=sqlite:///a.db",
    ]
    assert made.note == ""
    assert made.commits == ["abc"]
    assert made.versions == {"keras": "3.15"}


def test_a_part_of_a_grid_says_so():
    made = recipe(runs(*GRID[:-1]), ["activation", "seq_len"], TYPED)
    assert made.note == "It makes 8 runs; 7 of them are here."


def test_keys_that_nobody_typed_are_added():
    made = recipe(runs(*GRID[:2]), [], ["units=8"])
    assert made.command == "python run.py -m units=8 seed=0,1"


def test_one_run_is_no_sweep_and_changes_of_the_source_are_told():
    made = recipe(runs(GRID[0] | {"git.dirty": True}), [], TYPED[:3])
    assert made.command == "python run.py activation=tanh seq_len=10 seed=0"
    assert made.commits == ["abc with changes that were not committed"]
