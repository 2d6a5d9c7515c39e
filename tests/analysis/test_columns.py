import pandas as pd
import pytest

from rnnexp.analysis import varying
from rnnexp.analysis.columns import in_order, is_numeric, shown, sorted_values


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


def test_rows_come_by_the_slowest_key_first():
    rows = [(clip, length) for length in (100, 20) for clip in ("none", "norm")]
    table = pd.DataFrame(rows, columns=["clip", "seq_len"], index=[3, 5, 7, 9])
    expected = [["none", 20], ["none", 100], ["norm", 20], ["norm", 100]]
    assert in_order(table, ["clip", "seq_len"], table).to_numpy().tolist() == expected
    swapped = in_order(table, ["clip"], table[::-1])
    assert swapped["clip"].tolist() == ["norm", "norm", "none", "none"]
    assert in_order(table, [], table).to_numpy().tolist() == [list(row) for row in rows]
