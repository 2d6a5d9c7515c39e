import pandas as pd
import pytest

from rnnexp.analysis import varying
from rnnexp.analysis.columns import is_numeric, shown, sorted_values


def runs(**columns):
    return pd.DataFrame(columns)


def test_what_varies_is_found_whatever_it_is():
    table = runs(seq_len=[10, 20], activation=["tanh", "relu"], units=[8, 8], dtype=["float32", "float64"])
    assert varying(table) == ["activation", "seq_len", "dtype"]


def test_seed_paths_names_and_metrics_do_not_vary_a_condition():
    table = pd.DataFrame(
        {
            "seed": [0, 1],
            "output_dir": ["a", "b"],
            "tracking.every": [1, 2],
            "resume": [False, True],
            "name": ["a", "b"],
            "experiment": ["smoke", None],
            "task._target_": ["a", "b"],
            "val/loss": [0.1, 0.2],
            "verdict.learning": ["solved", "learning"],
            "version.keras": ["3.15", "3.16"],
        }
    )
    assert varying(table) == []


def test_a_field_that_follows_from_its_group_is_no_second_key():
    table = pd.DataFrame({"clip": ["none", "norm", "norm"], "clip.threshold": [None, 1.0, 1.0]})
    assert varying(table) == ["clip"]


def test_a_field_that_varies_within_its_group_is_one():
    table = pd.DataFrame({"clip": ["none", "norm", "norm"], "clip.threshold": [None, 1.0, 2.0]})
    assert varying(table) == ["clip", "clip.threshold"]
    assert varying(table[1:]) == ["clip.threshold"]


def test_whole_floats_are_integers():
    assert varying(runs(units=[8, 8.0])) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([20, 3, 100, 3], ["3", "20", "100"]),
        (["tanh", "relu", "tanh"], ["tanh", "relu"]),
        ([2.0, None, 1.0], ["-", "1", "2"]),
    ],
)
def test_values_in_order(values, expected):
    assert [shown(value) for value in sorted_values(pd.Series(values))] == expected


def test_truth_values_and_missing_ones_are_no_axis():
    assert is_numeric(pd.Series([1, 2]))
    assert not is_numeric(pd.Series([True, False]))
    assert not is_numeric(pd.Series([1.0, None]))
