import re

import pytest

from rnnexp.report.terminal import numbers

SECONDS = {"s": 1, "min": 60, "h": 3600}


@pytest.mark.parametrize("seconds", [0.0, 0.04, 9.94, 9.96, 59.4, 59.6, 61, 3599.6, 3600, 7384, 86_399, 1e6])
def test_a_duration_reads_back_to_within_its_last_unit(seconds):
    text = numbers.duration(seconds)
    parts = re.findall(r"([\d.,]+) (s|min|h)", text)
    read = sum(float(number.replace(",", "")) * SECONDS[unit] for number, unit in parts)
    coarsest = {"h": 60, "min": 1, "s": 0.5}[parts[0][1]]
    assert abs(read - seconds) <= coarsest


def test_no_unit_is_full():
    assert numbers.duration(59.6) == "1 min 00 s"
    assert numbers.duration(3599.6) == "1 h 00 min"


@pytest.mark.parametrize("form", [numbers.ratio, numbers.rate])
def test_there_is_no_negative_zero(form):
    assert not form(-1e-9).startswith("-")


def test_what_is_not_finite_is_shown_as_such():
    for form in (numbers.ratio, numbers.rate, numbers.loss, numbers.norm):
        assert form(float("nan")) == "nan"
        assert form(float("-inf")) == "-inf"


@pytest.mark.parametrize("value", [1e-30, 0.00123, 1.0, 9.99e37])
def test_norms_are_equally_wide(value):
    assert len(numbers.norm(value)) == 8
