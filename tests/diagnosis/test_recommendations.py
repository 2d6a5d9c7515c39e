import dataclasses
import math
import re
from typing import Any

import pytest

from rnnexp.diagnosis.recommendations import Evidence, advise, paragraph, times
from rnnexp.nn.cells.elman import Elman

VANISHING = Evidence(
    activation="tanh",
    init="glorot_uniform",
    clip="none",
    steps=200,
    gradient="vanishing",
    learning="at_chance",
    rate=-0.165,
    rate_low=-0.17,
    rate_high=-0.16,
    predicted_rate=-0.168,
    log10_ratio=-14.3,
    decades=3.0,
    saturated=0.38,
    dead=0.0,
    clip_fraction=0.0,
    loss=0.167,
    floor_loss=1 / 6,
    error=0.36,
    orthogonal_rate=-0.01,
    diverged_at=None,
    laws=Elman.laws,
)


def said(**changes):
    return paragraph(advise(dataclasses.replace(VANISHING, **changes)))


def test_a_decade_is_lost_in_as_many_steps_as_the_rate_says():
    (steps,) = re.findall(r"loses a decade every ([\d.]+) steps", said())
    assert math.exp(-0.165 * float(steps)) == pytest.approx(0.1, rel=0.01)  # three digits are printed


def test_the_reach_is_where_the_border_of_the_verdict_lies():
    (reach,) = re.findall(r"spans ([\d.]+) steps within 3 decades", said())
    assert -0.165 * float(reach) / math.log(10) == pytest.approx(-3, rel=0.01)


@pytest.mark.parametrize(("rate", "ratio", "end"), [(-6.9, -math.inf, "first"), (6.9, math.inf, "last")])
def test_what_is_nothing_at_one_end_is_told_so(rate, ratio, end):
    gradient = "vanishing" if rate < 0 else "exploding"
    words = said(gradient=gradient, rate=rate, rate_low=rate, rate_high=rate, log10_ratio=ratio)
    assert f"nothing at all reaches the {end} step." in words
    assert "inf" not in words.replace("init", "")


def test_no_seq_len_is_advised_that_nobody_would_ask_for():
    words = said(gradient="vanishing", rate=-1.0, rate_low=-1.1, rate_high=-0.9, log10_ratio=-40.0)
    assert "At this rate it spans 6.91 steps within 3 decades." in words
    assert "try a seq_len" not in words


def test_an_exploding_gradient_is_met_by_a_gain_that_takes_its_growth_away():
    text = said(gradient="exploding", rate=0.3, log10_ratio=26.0, predicted_rate=0.31)
    (factor,) = re.findall(r"a gain times ([\d.]+)", text)
    assert 0.3 + math.log(float(factor)) == pytest.approx(0, abs=0.01)
    assert "gains a decade every" in text
    assert "clip=global_norm" in text
    assert "clip=global_norm" not in said(gradient="exploding", rate=0.3, clip="value")


def test_theory_is_told_with_its_distance_in_half_widths():
    assert "which agrees with what is measured" in said()
    far = said(predicted_rate=-0.265)
    assert "-0.1000 (20 half-widths) from what is measured" in far
    assert "does not hold for units that do not mix" in said(init="identity")
    assert "Mean-field" not in said(predicted_rate=math.nan)


APART = {"rate": -0.165, "predicted_rate": -0.265}


@pytest.mark.parametrize(
    ("at_variance", "of_slopes", "named", "part"),
    [
        (-0.17, -0.168, "The variance of the pre-activations makes -0.0950 of that", "it says -0.1700"),
        (-0.263, -0.167, "The distribution of the slopes makes -0.0960 of that", "it says -0.1670"),
        (-0.265, -0.26, "The direction of the gradient makes -0.0950 of that", "hand on more of it"),
    ],
)
def test_the_assumption_that_makes_the_difference_is_named(at_variance, of_slopes, named, part):
    text = said(**APART, rate_measured_q=at_variance, rate_measured_slopes=of_slopes)
    assert f"{named}: " in text and part in text


def test_a_gradient_that_lies_in_worse_directions_is_told_so():
    measured = {"rate": -0.365, "rate_low": -0.37, "rate_high": -0.36}
    text = said(predicted_rate=-0.265, **measured, rate_measured_q=-0.265, rate_measured_slopes=-0.27)
    assert "makes +0.0950 of that: W_hh and the slopes hand on less of it" in text


@pytest.mark.parametrize(
    ("at_variance", "of_slopes"),
    [(-0.1, -0.25), (-0.232, -0.198), (-0.2, -0.265)],
)
def test_parts_that_cancel_or_are_alike_are_all_told_and_add_up(at_variance, of_slopes):
    text = said(**APART, rate_measured_q=at_variance, rate_measured_slopes=of_slopes)
    parts = re.findall(r"makes ([+-]\d\.\d+)", text)
    assert len(parts) == 3
    assert sum(map(float, parts)) == pytest.approx(-0.265 + 0.165, abs=2e-4)


def test_a_part_that_is_nothing_is_not_told():
    text = said(**APART, rate_measured_q=-0.26503, rate_measured_slopes=-0.4)
    assert (
        "Of that, the distribution of the slopes makes +0.1350, the direction of the gradient makes" in text
    )
    assert "variance" not in text


def test_no_assumption_is_accused_where_theory_agrees_or_nothing_was_measured():
    assert "makes" not in said(rate_measured_q=-0.1, rate_measured_slopes=-0.2)
    assert "makes" not in said(**APART)
    assert "makes" not in said(**APART, rate_measured_q=-0.2)


def test_many_half_widths_are_a_plain_number():
    assert "(1,000 half-widths)" in said(**APART, rate_low=-0.1651, rate_high=-0.1649)


def test_a_bound_below_0_is_told_and_one_that_is_exceeded_is_a_fault():
    (most,) = re.findall(r"no step hands on more than ([\d.]+) of it", said(rate_bound=-0.05))
    assert math.log(float(most)) == pytest.approx(-0.05, abs=1e-3)
    for bound in (math.nan, 0.3, 0.0, -1e-16, math.inf):
        assert "hands on more" not in said(rate_bound=bound) and "fault" not in said(rate_bound=bound)
    text = said(rate_bound=-0.2)
    assert "It exceeds -0.2000 nats per step" in text and "the measurement is at fault" in text
    assert "fault" not in said(rate_bound=-0.17)


def test_units_are_told_where_there_are_many():
    assert "38% of the units are saturated" in said()
    assert "saturated" not in said(saturated=0.1)
    assert "saturated" not in said(activation="relu", saturated=0.5)
    assert "12% of the units are dead" in said(dead=0.12)


@pytest.mark.parametrize(
    ("changes", "advised"),
    [
        ({}, "init=orthogonal"),
        ({"activation": "relu"}, "init=identity"),
        ({"gradient": "stable", "log10_ratio": -0.1, "rate": -0.001}, "optimizer.learning_rate"),
        ({"gradient": "stable", "learning": "learning", "log10_ratio": 0.0}, "More training steps"),
        ({"learning": "diverged", "gradient": "non_finite", "rate": math.nan}, "clip=global_norm"),
    ],
)
def test_what_to_try(changes, advised):
    assert advised in said(**changes)


def test_an_orthogonal_start_is_named_only_where_theory_promises_half_the_loss():
    assert "init=orthogonal" not in said(orthogonal_rate=-0.16)


def test_a_solved_task_needs_no_advice():
    text = said(learning="solved", gradient="stable", error=0.004, loss=0.008)
    assert text.endswith("The task is solved: 0.40% wrong, loss 0.008 against 0.1667 of the best constant.")


def test_divergence_and_clipping_are_told():
    text = said(learning="diverged", gradient="non_finite", rate=math.nan, diverged_at=31, clip_fraction=0.9)
    assert "The gradient is not finite" in text
    assert "Training diverged at training step 31." in text
    assert "90% of the updates were clipped" in text


def test_an_all_zero_gradient_is_told():
    assert "exactly zero at nearly every step" in said(rate=math.nan, log10_ratio=-math.inf)


def test_every_sentence_names_the_metrics_that_it_is_made_from():
    far = dataclasses.replace(
        VANISHING, predicted_rate=-0.265, rate_measured_q=-0.2, rate_measured_slopes=-0.2, rate_bound=-0.1
    )
    for sentence in [*advise(VANISHING), *advise(far)]:
        assert sentence.text.endswith(".")
        assert sentence.metrics
        assert all(re.fullmatch(r"(\w+/\w+|verdict\.\w+)", name) for name in sentence.metrics)


def test_gates_are_told_apart_and_no_gain_or_identity_is_advised_for_them():
    shut = "38% of the gates' units are saturated at a typical step: open or shut for good"
    gated: dict[str, Any] = {"gates": True, "laws": frozenset()}
    assert shut in said(**gated) and shut in said(**gated, activation="relu")
    exploding = {"gradient": "exploding", "rate": 0.3, "log10_ratio": 26.0, "predicted_rate": math.nan}
    assert "init.gain" in said(**exploding) and "init.gain" not in said(**exploding, **gated)
    assert "init=identity" in said(activation="relu")
    assert "init=identity" not in said(activation="relu", **gated)


def test_without_theory_nothing_is_said_of_it():
    nothing: dict[str, Any] = {"predicted_rate": math.nan, "orthogonal_rate": math.nan, "dead": math.nan}
    nothing |= {"gates": True, "laws": frozenset()}
    for init in ("orthogonal", "glorot_uniform"):
        text = said(**nothing, init=init)
        assert "nan" not in text and "theory" not in text and "orthogonal" not in text


@pytest.mark.parametrize(
    ("log10_ratio", "words"),
    [
        (0.0, "1 times larger"),
        (-2.0, "100 times smaller"),
        (math.log10(999.6), "1 thousand times larger"),
        (math.log10(45_600), "46 thousand times larger"),
        (-14.9999, "1000 trillion times smaller"),
        (-15.0, "10^15 times smaller"),
        (120.4, "10^120 times larger"),
    ],
)
def test_a_ratio_in_words(log10_ratio, words):
    assert times(log10_ratio) == words
