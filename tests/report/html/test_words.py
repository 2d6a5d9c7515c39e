import math

import pytest

from rnnexp.report.html import words

FORMS = [words.rate, words.decades, words.loss, words.percent, words.steps]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_missing(form, value):
    assert form(value) == words.MISSING


@pytest.mark.parametrize("form", [words.rate, words.decades, words.loss])
@pytest.mark.parametrize("value", [-1234.5, -0.25, 0.1234, 1e-12, -3e9])
def test_a_number_reads_back_and_its_minus_is_no_hyphen(form, value):
    text = form(value)
    assert "-" not in text
    half_digit = {words.rate: 5e-5, words.decades: 5e-3, words.loss: 5e-3 * abs(value)}[form]
    assert float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value, abs=half_digit)


@pytest.mark.parametrize("thousandths", [0, 1, 4, 9, 10, 14, 16, 500, 996, 1000])
def test_percentages_round_to_half_a_percent_or_two_digits(thousandths):
    share = thousandths / 1000
    number, unit = words.percent(share).split(" ")
    assert unit == "%"
    assert float(number) == pytest.approx(100 * share, abs=0.5 if share >= 0.01 else 0.05 * 100 * share)
    assert (number == "0") == (share == 0)


def test_a_count_has_the_plural_of_its_noun():
    assert [words.count(n, "run") for n in (0, 1, 2)] == ["no run", "1 run", "2 runs"]
    assert words.count(12345, "run") == "12,345 runs"


@pytest.mark.parametrize("ends", [(math.nan, 1.0), (0.0, math.nan), (-math.inf, math.inf), (0.0, math.inf)])
def test_an_interval_that_misses_an_end_is_none(ends):
    assert words.interval(words.loss, *ends) == ""
    assert words.interval(words.percent, *ends) == ""
    assert words.estimate(words.loss, 0.5, *ends) == "0.5"
    assert words.estimate(words.percent, 0.5, *ends) == "50 %"


def test_an_estimate_has_its_unit_once_at_the_end():
    assert words.estimate(words.percent, 0.002, 0.0, 0.04) == "0.2 [0, 4] %"
    assert words.estimate(words.steps, 1500.0, 1000.0, 2000.0) == "1,500 [1,000, 2,000]"
    assert words.estimate(words.rate, -0.5, -1.0, 0.0) == "−0.5000 [−1.0000, 0.0000]"


def test_a_missing_estimate_is_one_sign():
    for form in FORMS:
        assert words.estimate(form, math.nan, math.nan, math.nan) == words.MISSING


def test_a_list_in_a_sentence_keeps_every_item_in_order():
    for items in ([], ["a"], ["a", "b"], ["a", "b", "c", "d"]):
        text = words.listed(items)
        assert text.replace(" and ", ", ").split(", ") == (items or [""])
        assert text.count(" and ") == (len(items) > 1)
