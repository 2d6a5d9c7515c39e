import math
import re

import pytest
from made_evidence import VANISHING, evidence

from rnnexp.diagnosis.words import describe, times


def said(**changes):
    return " ".join(sentence.text for sentence in describe(evidence(**changes)))


def test_a_decade_is_lost_in_as_many_steps_as_the_rate_says():
    (steps,) = re.findall(r"a factor of 10 every ([\d.]+) steps", said())
    assert math.exp(-0.165 * float(steps)) == pytest.approx(0.1, rel=0.01)  # three digits are printed
    start = "A typical gradient is 200 trillion times smaller at the first of 200 steps than at the last"
    assert f"{start} (-0.1650 nats per step" in said()


def test_a_stable_gradient_has_a_factor_and_a_way():
    for ratio, way in ((-1.0, "10 times smaller"), (1.0, "10 times larger")):
        text = said(gradient="stable", log10_ratio=ratio, rate=ratio / 100)
        assert text.startswith(f"The gradient is stable: a typical one is {way} at the first of 200 steps")
        assert "a factor of 10 every" not in text


def test_of_several_layers_each_is_named():
    text = said(layers=3, ratio_layer_2=-2.0, ratio_layer_3=math.nan, saturated=0.9, dead=0.5)
    assert text.startswith(
        "In the lowest of 3 layers a typical gradient is 200 trillion times smaller at the first"
    )
    assert "In layer 2 that of h is 100 times smaller." in text and "layer 3 " not in text
    assert "90 % of the units of the lowest layer are saturated" in text
    assert "50 % of the units of the lowest layer are dead" in text
    both = said(layers=3, gradient="stable", ratio_layer_2=-2.0, ratio_layer_3=1.0)
    assert both.startswith("In the lowest of 3 layers the gradient is stable: a typical one is")
    assert "In layer 2 that of h is 100 times smaller; in layer 3 that of h is 10 times larger." in both


def test_a_rate_and_a_ratio_that_contradict_are_not_one_law():
    text = said(gradient="borderline", rate=0.01, log10_ratio=-3.1)
    assert "is 1.3 thousand times smaller at the first of 200 steps" in text
    assert "than at the last, though its slope over all lags is +0.0100" in text
    assert "a factor of 10 every" not in text


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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gradient": "non_finite", "rate": math.nan, "log10_ratio": math.nan}, "is not finite"),
        ({"gradient": "not_measured", "rate": math.nan, "log10_ratio": math.nan}, "has no verdict"),
        ({"log10_ratio": -math.inf}, "In most sequences no gradient at all reaches the first step."),
    ],
)
def test_a_gradient_without_a_number_is_told_in_words(changes, words):
    text = said(**changes)
    assert words in text
    assert "nan" not in text and "inf" not in text.replace("finite", "")


def test_rare_sequences_are_told_where_they_rule_the_mean():
    rare = {"rms_over_typical": 2.5, "effective_samples": 1.3}
    text = said(**rare)
    assert "is 320 times larger than a typical one, and about 1.3 sequences decide it." in text
    assert "clipping is for them" in said(**rare, gradient="stable", log10_ratio=0.6)
    assert "explosions" not in said(**rare, gradient="stable", log10_ratio=0.4)  # within three decades
    assert "A few" not in said() and "A few" not in said(rms_over_typical=math.nan)


def test_equal_ends_are_no_ratio():
    stable = {"gradient": "stable", "rate": 0.0062}
    assert "a typical one is as large at the first of 200 steps as at the last" in said(
        **stable, log10_ratio=-0.01
    )
    assert "1.1 times smaller" in said(**stable, log10_ratio=-0.03)


def test_the_carry_is_told_beside_h():
    text = said(cell="lstm", log10_ratio=-3.3, further_ratios={"c": -2.6})
    assert (
        "That of c is 400 times smaller at the first step than at the last but one, within 3 decades" in text
    )
    assert "carries it" in text
    assert "within" not in said(cell="lstm", further_ratios={"c": -9.0})
    assert "within" not in said(cell="lstm", gradient="stable", further_ratios={"c": -1.0})
    assert "That of c" not in said(cell="lstm", further_ratios={"c": -math.inf})


def test_mean_field_stands_beside_kernels_and_never_beside_one():
    text = said(rate_start=-0.11, rate_kernels=-0.12, rate_kernels_sd=0.02)
    assert "predicts -0.1100 nats per step" in text
    assert "drawn anew have -0.1200, 0.5 of their standard deviations of 0.0200 away" in text
    assert "off by" not in text and "half-widths" not in text
    assert "Before training" not in said()


CHAIN = {"rate_measured_q": -0.1, "rate_measured_slopes": -0.25, "rate_closure": -0.17}


def test_the_parts_of_the_rate_add_up():
    text = said(**CHAIN)
    numbers = re.findall(r"([-+]\d\.\d{4})", text[text.index("The rms rate") :])
    rate, *parts = map(float, numbers[:6])
    assert len(parts) == 5
    assert sum(parts) == pytest.approx(rate, abs=2e-4)
    for name in (
        "by mean-field",
        "from the measured variance",
        "from the measured slopes",
        "from this kernel",
        "keep step",
    ):
        assert name in text


def test_zero_parts_and_parts_without_closure_are_not_told():
    assert "measured variance" not in said(**CHAIN | {"rate_measured_q": -0.16803})
    assert "The rms rate" not in said(**CHAIN | {"rate_closure": math.nan})


def test_slopes_that_keep_step_with_gradients_are_told():
    assert "than by chance" not in said(**CHAIN)
    assert "the slopes are larger than by chance" in said(**CHAIN | {"rate_closure": -0.25})
    assert "the slopes are smaller than by chance" in said(**CHAIN | {"rate_closure": -0.1})


def test_a_negative_bound_is_told_and_exceeding_it_is_a_fault():
    (most,) = re.findall(r"no step hands on more than ([\d.]+) of it", said(rate_bound=-0.05))
    assert math.log(float(most)) == pytest.approx(-0.05, abs=1e-3)
    for bound in (math.nan, 0.3, 0.0, -1e-16, math.inf):
        assert "hands on more" not in said(rate_bound=bound) and "fault" not in said(rate_bound=bound)
    text = said(rate_bound=-0.2)
    assert "It exceeds -0.2000 nats per step" in text and "the measurement is at fault" in text
    assert "fault" not in said(rate_bound=-0.17)


def test_units_are_told_where_there_are_many():
    assert "38 % of the units are saturated" in said()
    assert "saturated" not in said(saturated=0.1)
    assert "saturated" not in said(activation="relu", saturated=0.5)
    shut = "38 % of the gates' units are saturated at a typical step: open or shut for good"
    assert shut in said(gates=True, activation="relu")


def test_a_dead_unit_is_one_on_the_probe_batch():
    assert "12 % of the units are dead: their slope is zero at every step of the 64 probe sequences" in said(
        dead=0.12
    )
    assert "no input moves them" not in said(dead=0.12)


@pytest.mark.parametrize("clip", ["global_norm", "pascanu", "autoclip"])
def test_a_clip_sets_the_step_size_of_sgd_alone(clip):
    text = said(clip=clip, clip_fraction=0.9, optimizer="sgd")
    assert "sets the step size more than the loss" in text
    for optimizer in ("adam", "rmsprop"):
        text = said(clip=clip, clip_fraction=1.0, optimizer=optimizer)
        assert "sets the step size" not in text
        assert f"the step size is that of {optimizer}, which does not see a common factor" in text
    assert "clipped" not in said(clip_fraction=0.3) and "clipped" not in said(clip_fraction=math.nan)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("clip", "words"),
    [
        ("value", "90 % of the updates were clipped, in one entry or more."),
        ("norm", "90 % of the updates were clipped, in one variable or more."),
        ("agc", "90 % of the updates were clipped, in one unit or more."),
        ("zclip", "90 % of the updates were clipped."),
        ("lab.Squash", "90 % of the updates were clipped."),
    ],
)
def test_a_clip_of_a_part_says_nothing_of_the_whole(clip, words, optimizer):
    assert words in said(clip=clip, clip_fraction=0.9, optimizer=optimizer)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"learning": "solved", "error": 0.004, "loss": 0.008},
            "The task is solved: 0.40 % of the answers are wrong, and its loss of 0.008 compares",
        ),
        (
            {"learning": "learning", "loss": 0.08, "below": 0.087},
            "0.087 +- 0.0004 below that of the best constant",
        ),
        (
            {"learning": "at_chance"},
            "0.0003 +- 0.0004 above that of the best constant on the same sequences, which may be luck.",
        ),
        (
            {"learning": "at_chance", "below": 0.0003},
            "0.0003 +- 0.0004 below that of the best constant on the same sequences, which may be luck.",
        ),
        (
            {"learning": "at_chance", "below": -0.9, "loss": 0.17},
            "0.9 +- 0.0004 above that of the best constant on the same sequences.",
        ),
        (
            {"learning": "worse_than_chance", "loss": 58.0},
            "is worse than chance: its loss of 58 compares with 0.1667",
        ),
        ({"learning": "diverged", "diverged_at": 31}, "Training diverged at training step 31."),
    ],
)
def test_what_was_learned(changes, words):
    assert words in said(**changes)


def test_a_proven_horizon_is_told():
    text = said(learning="learning", loss=0.079, proven_horizon=105.2)
    assert text.endswith("A loss this low proves that it uses at least 105 of the 200 steps.")
    assert "proves" not in said() and "proves" not in said(proven_horizon=math.nan)


def test_every_sentence_names_the_metrics_that_it_is_made_from():
    far = evidence(**CHAIN, rate_bound=-0.1, rms_over_typical=2.0, dead=0.2, proven_horizon=3.0)
    for sentence in [*describe(VANISHING), *describe(far)]:
        assert sentence.text.endswith(".")
        assert sentence.metrics
        assert all(re.fullmatch(r"(\w+/\w+|verdict\.\w+)", name) for name in sentence.metrics)
