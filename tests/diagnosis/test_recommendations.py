import dataclasses
import math
import re

import numpy as np
import pytest
from made_evidence import course, evidence

from rnnexp.diagnosis.recommendations import merged, recommend
from rnnexp.runs.build import compose_job

SETTLED = {"gradient": "stable", "gradient_start": "stable", "log10_ratio": -0.5, "rate": -0.005}


IRNN = "activation=relu init=identity clip=global_norm"


def tried(**changes):
    return [" ".join(each.overrides) for each in recommend(evidence(**changes))]


def test_a_spike_comes_before_the_gradient_at_the_end():
    first, *_ = recommend(evidence(activation="relu", course=course(spike_at=300, wrecked=True)))
    assert first.overrides == ("clip=global_norm", "clip.threshold=0.5")
    assert "At training step 300 the norm of the gradient rose to 1e+06, from a median of 0.5" in first.reason


def test_clips_without_a_threshold_stand_beside_one():
    spiked = {"activation": "relu", "course": course(spike_at=300, wrecked=True)}
    threshold = "clip=global_norm clip.threshold=0.5"
    assert tried(**spiked)[:3] == [threshold, "clip=autoclip", "clip=agc"]
    assert tried(**spiked, clip="autoclip")[:2] == [threshold, "clip=agc"]
    assert not any("autoclip" in each for each in tried(**spiked, clip="autoclip"))


def test_other_clips_come_after_other_causes_of_a_spike():
    clips = ["clip=global_norm clip.threshold=0.5", "clip=autoclip", "clip=agc"]
    found = tried(init="glorot_uniform", course=course(spike_at=300))
    assert [each for each in found if each.startswith("clip")] == clips
    assert found.index("init=orthogonal") < found.index("clip=autoclip") < found.index("clip=agc")
    settled = tried(**SETTLED, course=course(spike_at=300))
    assert settled[:3] == clips and len(settled) > 3  # nothing else is known to be wrong
    plain = tried(**SETTLED, optimizer="sgd", course=course(spike_at=300, wrecked=True))
    assert plain[:3] == [clips[0], "optimizer=adam", "clip=autoclip"]


def test_a_spike_that_was_clipped_asks_for_smaller_steps():
    clipped = {"clip": "global_norm", "course": course(spike_at=300, wrecked=True)}
    assert tried(**clipped, clip_threshold=0.5)[0] == "optimizer.learning_rate=0.0003"
    assert tried(**clipped, clip_threshold=50.0)[:2] == [
        "clip.threshold=0.5",
        "optimizer.learning_rate=0.0003",
    ]


def test_a_spike_that_the_clip_took_is_none():
    taken = {"clip": "global_norm", "clip_threshold": 0.5, "course": course(spike_at=300)}
    assert tried(**taken) == tried(clip="global_norm", clip_threshold=0.5)


def test_divergence_is_a_spike_later_and_an_overflow_at_once():
    later = tried(
        learning="diverged", gradient="non_finite", course=course(falling=True, spike_at=300), diverged_at=300
    )
    assert later[0] == "clip=global_norm clip.threshold=0.5"
    at_once = {"learning": "diverged", "gradient": "non_finite", "gradient_start": "exploding"}
    assert tried(**at_once, diverged_at=0, gain=4.0) == ["init.gain=1.5", "dtype=float64"]
    assert tried(**at_once, diverged_at=0, gain=1.0) == ["dtype=float64"]
    assert tried(**at_once, diverged_at=0, gain=4.0, dtype="float64") == ["init.gain=1.5"]
    assert not any("clip" in each for each in tried(**at_once, diverged_at=0))


def test_of_several_layers_nothing_is_said_by_laws_of_one():
    unknown = dict.fromkeys(["predicted_rate", "orthogonal_rate", "critical_gain"], math.nan)
    several = {"layers": 2, "units": 8, "gain": 4.0, "activation": "sigmoid", **unknown}
    reasons = [each.reason for each in recommend(evidence(**several))]
    assert reasons[0] == "The layers have 8 units each, and wider ones may learn what they do not."
    assert not any("mean" in reason or "no step of these weights" in reason for reason in reasons)
    assert any("a sigmoid has a slope of at most 1/4" in reason for reason in reasons)
    settled = [each.reason for each in recommend(evidence(**several | SETTLED))]
    assert "Wider layers may learn what these do not." in settled


def test_a_loss_that_still_falls_is_not_stuck():
    first, *_ = tried(course=course(falling=True))
    (steps,) = re.findall(r"^steps=(\d+)$", first)
    assert 2 * 400 <= int(steps) <= 10 * 400
    assert not any(each.startswith("steps") for each in tried())


def test_a_loss_that_falls_slowly_is_advised_late():
    slow = dataclasses.replace(course(), losses=course().losses * np.linspace(1.0, 0.9, 400))
    assert slow.fall().falling and slow.steps_to(0.05 / 6, 10) is None
    assert tried(course=slow).index("steps=4000") > tried(course=slow).index("cell=lstm")
    quick = tried(course=course(falling=True))
    assert sum(each.startswith("steps") for each in quick) == 1


def test_a_loss_that_falls_from_above_the_floor_is_advised_late():
    worse = tried(**SETTLED, learning="worse_than_chance", course=course(falling=True))
    assert worse[0] == "optimizer.learning_rate=0.0003" and worse[-1].startswith("steps=")


def test_a_gain_with_growth_is_lowered():
    first, *_ = recommend(evidence(**SETTLED, gain=2.0))
    assert first.overrides == ("init.gain=1.5",) and "growth above 1.5" in first.reason
    for harmless in ({"gain": 1.5}, {"gain": 2.0, "init": "identity"}, {"gain": 2.0, "laws": frozenset()}):
        assert "init.gain=1.5" not in tried(**SETTLED | harmless)


def test_large_first_gradients_are_clipped():
    norms = np.full(400, 0.5)
    norms[:3] = 60.0
    large = dataclasses.replace(course(), norms=norms)
    assert large.spike() is None and large.large_start() == 60.0
    first, *_ = recommend(evidence(**SETTLED, course=large))
    assert first.overrides == ("clip=global_norm",) and "norms of up to 60" in first.reason
    assert "throw plain descent" in recommend(evidence(**SETTLED, course=large, optimizer="sgd"))[0].reason
    assert "clip=global_norm" not in tried(**SETTLED, course=large, clip="global_norm")
    norms[:3] = 40.0
    assert dataclasses.replace(course(), norms=norms).large_start() is None


def test_few_units_come_first():
    assert tried(units=3)[0] == "units=32"
    assert tried(units=15, learning="learning", course=course(falling=True))[0] == "units=32"
    assert not any("units=32" in each for each in tried(units=16))


FAST = SETTLED | {"gradient": "vanishing", "log10_ratio": -20.0, "learning_rate": 0.1}


def test_a_rate_far_above_the_usual_is_lowered_to_it():
    first, *_ = recommend(evidence(**FAST))
    assert first.overrides == ("optimizer.learning_rate=0.001",)
    assert "The learning rate is 100 times the usual one of adam" in first.reason
    assert "out of its band" in first.reason
    assert tried(**FAST | {"learning_rate": 0.01})[0] == "optimizer.learning_rate=0.001"
    assert tried(**FAST | {"learning_rate": 0.009})[0] != "optimizer.learning_rate=0.0009"
    assert tried(**FAST | {"learning_rate": 1.0}, optimizer="sgd")[0] == "optimizer=adam"
    # Without harm done, a large rate is none of the causes.
    harmless = SETTLED | {"learning_rate": 0.1, "learning": "learning"}
    assert not any("learning_rate=0.001" in each for each in tried(**harmless))
    worse = recommend(evidence(**SETTLED | {"learning_rate": 0.1, "learning": "worse_than_chance"}))
    assert "training made the network worse" in worse[0].reason


def test_a_rate_far_under_the_usual_is_raised_to_it():
    small = SETTLED | {"learning_rate": 0.0003}
    assert tried(**small)[0] == "optimizer.learning_rate=0.001"
    assert tried(**small | {"learning_rate": 0.0004})[0] == "optimizer.learning_rate=0.0012"
    assert tried(learning_rate=0.0003)[0] == "init=orthogonal"  # the gradient vanishes first


def test_plain_descent_is_replaced_by_adam():
    plain = SETTLED | {"optimizer": "sgd", "learning_rate": 0.01}
    assert tried(**plain)[0] == "optimizer=adam"
    assert merged(["optimizer=sgd", "optimizer.learning_rate=0.1"], ["optimizer=adam"]) == ["optimizer=adam"]


@pytest.mark.parametrize(("activation", "why"), [("relu", "does not keep"), ("sigmoid", "one sign alone")])
def test_a_gated_cell_is_made_for_tanh(activation, why):
    gated = SETTLED | {"cell": "gru", "gates": True, "laws": frozenset(), "activation": activation}
    first, *_ = recommend(evidence(**gated))
    assert first.overrides == ("activation=tanh",) and why in first.reason
    first, *_ = recommend(evidence(**gated | {"learning_rate": 0.0003}))
    assert first.overrides == ("activation=tanh", "optimizer.learning_rate=0.001")
    assert "the learning rate is 0.3 of the usual one" in first.reason
    assert "activation=tanh" not in tried(**gated | {"activation": "tanh"})
    assert "activation=tanh" not in tried(**gated | {"cell": "mingru"})


def test_a_network_whose_last_validation_is_its_best_goes_on():
    better, worse = (dataclasses.replace(course(), below=below) for below in ((0.0, 0.02), (0.03, 0.02)))
    assert tried(learning="learning", course=better)[0] == "steps=2000"
    assert not any(each.startswith("steps") for each in tried(learning="learning", course=worse))
    assert not any(each.startswith("steps") for each in tried(course=better))


def test_vanishing_only_at_the_end_is_advised_after_the_budget():
    late = {"gradient_start": "stable", "ratio_start_high": -1.0, "published_sequences": 74_000}
    assert tried(**late, train_steps=1000)[0] == "steps=2000"
    assert tried(**late, train_steps=1000)[1:] == tried()


def test_a_vanishing_gradient_under_a_flat_loss():
    assert tried() == ["init=orthogonal", "cell=lstm", IRNN, "seq_len=42"]
    assert tried(activation="relu", init="orthogonal") == [
        "init=identity clip=global_norm",
        "cell=lstm",
        "seq_len=42",
    ]
    lstm = {"init": "orthogonal", "cell": "lstm", "laws": frozenset(), "gates": True}
    assert tried(**lstm) == tried(**lstm, further_ratios={"c": -4.0})
    assert tried(**lstm, chosen_biases=True) == ["seq_len=42"]
    # What c carries does not vanish, whatever becomes of h.
    carried = tried(**lstm, further_ratios={"c": -2.6})
    assert carried == ["optimizer.learning_rate=0.003", "units=128"]


def test_gates_that_forget_are_opened_at_the_start():
    gated = {"init": "orthogonal", "laws": frozenset(), "gates": True, "time_steps": 100, "seq_len": 100}
    chrono, bias, shorter = tried(cell="lstm", **gated)
    assert (chrono, shorter) == ("cell.chrono=100", "seq_len=42")
    # At that bias a c loses 3 decades over 99 steps, to the two digits that are printed.
    kept = 1 / (1 + math.exp(-float(bias.removeprefix("cell.forget_bias="))))
    assert 99 * math.log10(kept) == pytest.approx(-3, abs=0.1)
    assert tried(cell="gru", **gated) == ["cell.chrono=100", "cell=lstm", "seq_len=42"]
    assert tried(cell="lstm", **gated, chosen_biases=True) == ["seq_len=42"]
    # A forget bias of 1 is usual: over 10 steps it is enough.
    short = gated | {"time_steps": 10, "seq_len": 10, "reach": None}
    assert tried(cell="lstm", **short) == ["cell.chrono=10"]


def test_a_diagonal_cell_gets_no_advice_of_other_cells():
    diagonal = {"cell": "indrnn", "laws": frozenset({"bounds", "diagonal_kernel"}), "activation": "relu"}
    assert tried(**diagonal) == ["cell=lstm", "seq_len=42"]


def test_a_shorter_sequence_is_shorter_and_comes_last():
    assert tried(reach=200) == tried(reach=None) == ["init=orthogonal", "cell=lstm", IRNN]
    assert "seq_len" not in " ".join(tried(reach=9))
    # Of copying T = seq_len + 20: the same share of it.
    assert tried(reach=60, time_steps=120, seq_len=100)[-1] == "seq_len=50"


def test_no_sequence_shorter_than_what_is_proven_used():
    assert tried(proven_horizon=41.0)[-1] == "seq_len=42"
    assert not any("seq_len" in each for each in tried(proven_horizon=103.0))


def test_an_orthogonal_start_needs_the_promise_of_half_the_loss():
    assert "init=orthogonal" not in tried(orthogonal_rate=-0.16)
    assert "init=orthogonal" not in tried(init="identity")


def test_a_sigmoid_that_no_weights_can_mend_is_told_so():
    first, *_ = recommend(evidence(activation="sigmoid", rate_bound=-0.9))
    assert first.overrides == ("activation=tanh", "init=orthogonal")
    assert "no step of these weights hands on more than 0.407 of it" in first.reason
    first, *_ = recommend(evidence(activation="sigmoid", rate_bound=0.1))
    assert first.overrides == ("activation=tanh", "init=orthogonal")
    assert "a slope of at most 1/4" in first.reason


def test_an_exploding_gradient_gets_a_clip_and_critical_gain():
    exploding = {"gradient": "exploding", "gradient_start": "exploding", "log10_ratio": 9.0, "rate": 0.1}
    assert tried(**exploding, gain=2.5) == ["init.gain=1.5", "clip=global_norm", "cell=lstm"]
    assert tried(**exploding, gain=2.5, clip="value")[0] == "init.gain=1.5"
    assert tried(**exploding, gain=1.2) == ["clip=global_norm", "cell=lstm"]
    assert tried(**exploding, gain=2.5, critical_gain=math.nan) == ["clip=global_norm", "cell=lstm"]


def test_inside_the_band_the_rate_and_the_width_are_next():
    assert tried(**SETTLED) == ["optimizer.learning_rate=0.003", "cell=lstm", "units=128"]
    worse = tried(**SETTLED, learning="worse_than_chance")
    assert worse == ["optimizer.learning_rate=0.0003", "cell=lstm", "units=128"]
    flat, falling = (recommend(evidence(**SETTLED, course=course(falling=each))) for each in (False, True))
    assert "no fall of the loss is seen" in flat[0].reason
    assert not any("no fall" in each.reason for each in falling)


def test_the_published_budget_comes_last():
    budget = {"published_sequences": 74_000, "train_steps": 300, "batch_size": 64}
    *_, last = recommend(evidence(**SETTLED, **budget))
    assert last.overrides == ("steps=2000",)
    assert "has seen 19,200 sequences; success at this length or a longer one is published" in last.reason
    far = tried(gradient_start="stable", ratio_start_high=-1.0, **budget | {"published_sequences": 10**6})
    assert far.index("cell=lstm") < far.index("steps=20000")
    assert "steps" not in " ".join(tried(**SETTLED, **budget | {"train_steps": 3000}))


def test_a_solved_task_needs_nothing():
    assert tried(learning="solved") == []


ADVISED = [
    {},
    SETTLED,
    {"activation": "relu", "course": course(spike_at=300, wrecked=True)},
    {"course": course(falling=True)},
    {"activation": "sigmoid", "rate_bound": -0.9},
    {"learning": "diverged", "gradient": "non_finite", "diverged_at": 0, "gain": 4.0},
]


def test_every_recommendation_is_a_command_that_can_be_typed():
    typed = ["activation=relu", "seq_len=200", "clip=value", "clip.threshold=2"]
    found = [each for changes in ADVISED for each in recommend(evidence(**changes))]
    for each in found:
        assert each.reason.endswith(".") and each.metrics and "nan" not in each.reason
    for overrides in dict.fromkeys(tuple(each.overrides) for each in found):
        compose_job(merged(typed, overrides))


def test_what_is_typed_again_replaces_what_was_typed():
    typed = ["clip=value", "clip.threshold=2", "seq_len=9", "resume=true"]
    assert merged(typed, ["clip=global_norm", "seq_len=5"]) == ["clip=global_norm", "seq_len=5"]
    assert merged(typed, ["clip.threshold=1"]) == ["clip=value", "seq_len=9", "clip.threshold=1"]
    assert merged(["treat=true", "seq_len=9"], ["steps=5"]) == ["seq_len=9", "steps=5"]
