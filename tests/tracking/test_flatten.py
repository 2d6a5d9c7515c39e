import pytest

from rnnexp.tracking.flatten import PARAM_LIMIT, as_text, cut, flatten, name_of


def test_leaves_are_joined_by_dots():
    config = {
        "clip": {"threshold": 1.0, "_target_": "rnnexp.clipping.Norm"},
        "a": {"b": {"c": [1, 2]}},
        "seed": 0,
    }
    assert flatten(config) == {
        "clip.threshold": "1.0",
        "clip._target_": "rnnexp.clipping.Norm",
        "a.b.c": "[1, 2]",
        "seed": "0",
    }


def test_flattening_twice_changes_nothing():
    once = flatten({"a": {"b": 1, "c": None}, "d": [True]})
    assert flatten(once) == once


@pytest.mark.parametrize("value", [0.1 * 3, -2 / 3, 1 / 3e-7, 1e300 / 7])
def test_a_number_keeps_twelve_digits(value):
    text = as_text(value)
    assert float(text) == pytest.approx(value, rel=1e-11)
    assert sum(map(str.isdigit, text.partition("e")[0].lstrip("-0."))) <= 12
    assert as_text(text) == text


def test_an_empty_group_is_a_leaf():
    assert flatten({"a": {}}) == {"a": "{}"}


@pytest.mark.parametrize("value", [None, True, False, 0, 1.5, 1e-5, "tanh", [1, 2.5], {"a": None}])
def test_a_value_is_read_back_by_yaml(value):
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(as_text(value)) == (value if value != 1e-5 else "1e-05")  # YAML 1.1 wants 1.0e-05


def test_long_values_are_cut_with_a_note():
    assert cut("x" * PARAM_LIMIT, PARAM_LIMIT) == "x" * PARAM_LIMIT
    short = flatten({"a": "x" * (PARAM_LIMIT + 1)})["a"]
    assert len(short) == PARAM_LIMIT
    assert short.endswith("x [cut: 6001 characters]")


def test_names_are_such_that_mlflow_takes_them():
    from mlflow.utils.validation import validate_param_and_metric_name

    assert validate_param_and_metric_name(name_of("a[0]=*{}\n$ é"))
    assert len(name_of("a" * 300)) == 250
