import math

import numpy as np
import pytest

from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError


def sentence(call, *arguments, **named):
    with pytest.raises(ArgumentError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def test_argument_error_names_the_expected_and_the_received():
    error = ArgumentError("threshold", "a finite number above 0", -1)
    assert isinstance(error, ValueError)
    assert str(error) == "threshold: expected a finite number above 0, received -1"
    assert (error.name, error.expected, error.received) == ("threshold", "a finite number above 0", -1)


def test_argument_error_quotes_text():
    assert str(ArgumentError("seq_len", "an integer of at least 1", "1")).endswith("received '1'")


@pytest.mark.parametrize("value", [1, 7, 10**20, np.int64(3), np.uint8(1)])
def test_integer_takes_integers(value):
    taken = checks.integer("steps", value, 1)
    assert taken == value
    assert type(taken) is int


def test_integer_takes_its_minimum_even_if_0_or_negative():
    assert checks.integer("seed", 0, 0) == 0
    assert checks.integer("offset", -3, -3) == -3


@pytest.mark.parametrize(
    "value", [0, -1, 1.0, 1.5, "1", None, True, math.nan, np.float32(2), [1], np.bool_(True)]
)
def test_integer_refuses_all_else(value):
    told = sentence(checks.integer, "steps", value, 1)
    assert told == f"steps: expected an integer of at least 1, received {value!r}"


@pytest.mark.parametrize("value", [1, 1e-300, 1e300, np.float32(0.5), np.int64(2)])
def test_positive_takes_finite_numbers_above_0(value):
    taken = checks.positive("gain", value)
    assert taken == value
    assert type(taken) is float


@pytest.mark.parametrize("value", [0, 0.0, -1, math.inf, -math.inf, math.nan, "1", None, True, 1j])
def test_positive_refuses_all_else(value):
    assert (
        sentence(checks.positive, "gain", value)
        == f"gain: expected a finite number above 0, received {value!r}"
    )


@pytest.mark.parametrize("value", [0, 0.0, 1, 2.5])
def test_non_negative_takes_0_and_above(value):
    assert checks.non_negative("momentum", value) == value


@pytest.mark.parametrize("value", [-1e-300, math.inf, math.nan, "0", None, False])
def test_non_negative_refuses_all_else(value):
    told = sentence(checks.non_negative, "momentum", value)
    assert told == f"momentum: expected a finite number of at least 0, received {value!r}"


@pytest.mark.parametrize("value", [0, 0.5, 1 - 2**-53])
def test_fraction_takes_0_up_to_but_not_1(value):
    assert checks.fraction("rho", value) == value


@pytest.mark.parametrize("value", [1, 1.0, -0.1, math.nan, math.inf, "0.5", None, True, False])
def test_fraction_refuses_all_else(value):
    assert sentence(checks.fraction, "rho", value) == f"rho: expected a number in [0, 1), received {value!r}"


@pytest.mark.parametrize("value", [True, False])
def test_boolean_takes_true_and_false(value):
    assert checks.boolean("jit", value) is value


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_boolean_refuses_all_else(value):
    assert sentence(checks.boolean, "jit", value) == f"jit: expected true or false, received {value!r}"


def test_choice_takes_a_choice():
    assert checks.choice("target", "mean", ["sum", "mean"]) == "mean"


@pytest.mark.parametrize("value", ["", "SUM", None, 1, ["sum"]])
def test_choice_lists_the_choices(value):
    told = sentence(checks.choice, "target", value, ["sum", "mean"])
    assert told == f"target: expected one of sum, mean, received {value!r}"


@pytest.mark.parametrize(
    ("word", "choices", "expected"),
    [
        ("seqlen", ["units", "seq_len"], "seq_len"),
        ("rleu", ["tanh", "relu", "sigmoid"], "relu"),
        ("zzzz", ["tanh", "relu"], None),
        ("tanh", [], None),
    ],
)
def test_nearest(word, choices, expected):
    assert checks.nearest(word, choices) == expected
