import csv
import math

import pytest

from rnnexp.diagnosis import comparison, laws
from rnnexp.diagnosis.comparison import COLUMNS, Comparison

HALF = 1.96


def rate(predicted, measured=-0.1, low=-0.12, high=-0.08, law=laws.CLOSURE):
    return Comparison(law, predicted, measured, low, high)


def test_the_difference_is_theory_less_measurement():
    found = rate(-0.15)
    assert found.difference == pytest.approx(-0.05)
    assert found.half_widths == pytest.approx(-2.5)
    assert found.outcome == "differs"


def test_gaussian_interval_ends_are_one_half_width_away():
    error = 0.013
    for sign in (-1, 1):
        found = rate(-0.1 + sign * HALF * error, low=-0.1 - HALF * error, high=-0.1 + HALF * error)
        assert found.half_widths == pytest.approx(sign, rel=1e-9)


@pytest.mark.parametrize(
    ("predicted", "low", "high", "outcome"),
    [
        (-0.09, -0.12, -0.08, "agrees"),
        (-0.07, -0.12, -0.08, "differs"),
        (-0.10005, -0.1, -0.1, "agrees"),  # equal at the resolution of a rate
        (-0.1002, -0.1, -0.1, "differs"),
        (-0.10005, math.nan, math.nan, "agrees"),
        (-0.2, math.nan, math.nan, "differs"),
        (-0.2, -math.inf, -0.08, "agrees"),
    ],
)
def test_a_prediction_agrees_within_interval_or_resolution(predicted, low, high, outcome):
    assert rate(predicted, low=low, high=high).outcome == outcome


def test_a_term_of_a_sum_is_no_prediction():
    assert rate(-0.1, law=laws.MEAN_FIELD).outcome == "term"
    assert rate(-9.0, law=laws.OF_SLOPES).outcome == "term"


@pytest.mark.parametrize(
    ("bound", "low", "high", "outcome"),
    [
        (0.5, -0.12, -0.08, "holds"),
        (-0.11, -0.12, -0.08, "holds"),  # the interval straddles it
        (-0.13, -0.12, -0.08, "violated"),
        (-0.10005, -0.1, -0.1, "holds"),  # equal at the resolution of a rate
        (-0.2, math.nan, math.nan, "violated"),
        (-0.05, math.nan, math.nan, "holds"),
    ],
)
def test_a_bound_is_violated_by_a_whole_interval(bound, low, high, outcome):
    found = rate(bound, low=low, high=high, law=laws.BOUND)
    assert found.outcome == outcome
    assert found.difference == pytest.approx(bound + 0.1)  # the slack


def test_distance_from_a_zero_width_interval_is_infinite():
    assert rate(0.3, 0.1, 0.1, 0.1).half_widths == math.inf
    assert rate(-0.3, 0.1, 0.1, 0.1).half_widths == -math.inf
    assert rate(0.1, 0.1, 0.1, 0.1).half_widths == 0
    assert math.isnan(rate(0.3, 0.1, math.nan, math.nan).half_widths)
    assert rate(0.3, 0.1, -math.inf, 0.2).half_widths == 0


def test_metrics_are_the_values_of_the_laws_that_have_a_key():
    found = [
        rate(-0.15, law=laws.MEAN_FIELD),
        rate(-0.12),
        rate(-0.14, law=laws.AT_VARIANCE),
        rate(-0.11, law=laws.OF_SLOPES),
        rate(0.9, law=laws.BOUND),
        rate(-0.2, law=laws.DECOUPLED),
        rate(-0.14, -0.1, -0.12, -0.08, laws.OVER_KERNELS),
        rate(-0.3, law=laws.EXPONENT_OF_SLOPES),
    ]
    assert comparison.metrics(found) == {
        "theory/rate": -0.15,
        "theory/rate_closure": -0.12,
        "theory/rate_kernels": -0.1,
        "theory/rate_kernels_sd": pytest.approx(0.01),
        "theory/rate_spreads": pytest.approx(-4),
        "theory/rate_measured_q": -0.14,
        "theory/rate_measured_slopes": -0.11,
        "theory/rate_bound": 0.9,
        "theory/lambda_1": -0.3,
    }
    assert comparison.metrics([]) == {}


def test_the_table_reads_back(tmp_path):
    path = tmp_path / "theory.csv"
    found = [rate(-0.15), rate(0.3, 0.1, 0.1, 0.1, laws.BOUND)]
    comparison.write(path, [*comparison.rows(found[:1], 0), *comparison.rows(found[1:], 500)])
    with path.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == COLUMNS
    assert float(first["half_widths"]) == found[0].half_widths
    assert float(first["predicted"]) - float(first["measured"]) == float(first["difference"])
    assert (first["step"], first["quantity"], first["theory"]) == (
        "0",
        "grad/rate_rms",
        laws.CLOSURE.theory,
    )
    assert (second["step"], second["kind"], second["outcome"]) == ("500", "upper bound", "holds")
    assert second["half_widths"] == "inf"
    assert second["source"].startswith("https://")


def test_a_run_without_theory_has_the_header(tmp_path):
    comparison.write(tmp_path / "theory.csv", [])
    assert (tmp_path / "theory.csv").read_text(encoding="utf-8").strip() == ",".join(COLUMNS)
