import dataclasses
import math
import re

import pytest

from rnnexp.advice import Evidence, advise, paragraph

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
)


def said(**changes):
    return paragraph(advise(dataclasses.replace(VANISHING, **changes)))


def test_a_decade_is_lost_in_as_many_steps_as_the_rate_says():
    (steps,) = re.findall(r"loses a decade every ([\d.]+) steps", said())
    assert math.exp(-0.165 * float(steps)) == pytest.approx(0.1, rel=0.01)  # three digits are printed


def test_the_reach_is_where_the_border_of_the_verdict_lies():
    (reach,) = re.findall(r"spans ([\d.]+) steps within 3 decades", said())
    assert -0.165 * float(reach) / math.log(10) == pytest.approx(-3, rel=0.01)


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
    for sentence in advise(VANISHING):
        assert sentence.text.endswith(".")
        assert sentence.metrics
        assert all(re.fullmatch(r"(\w+/\w+|verdict\.\w+)", name) for name in sentence.metrics)
