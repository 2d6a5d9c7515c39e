import dataclasses
import math

import numpy as np
import pytest
from looks import look
from plans import small_plan

from rnnexp.diagnosis.predictions import Predictions
from rnnexp.diagnosis.verdict import Validation
from rnnexp.nn.initializers import Orthogonal
from rnnexp.optim.clipping import GlobalNorm, NoClip
from rnnexp.optim.optimizers import Sgd
from rnnexp.probes.spectrum import SpectrumHistory
from rnnexp.runs import metrics
from rnnexp.tasks import Adding, Characters
from rnnexp.training.record import History, Recorded
from rnnexp.training.replica import Result, Validated

T, H, B = 21, 3, 4

PLAN = small_plan(
    task=Adding(T),
    initializer=Orthogonal(gain=0.5, seed=1),
    clip=GlobalNorm(2.0),
    optimizer=Sgd(learning_rate=0.25),
    units=H,
    batch_size=B,
    train_steps=6,
    seed=7,
    steps_per_execution=1,
    probe_every=100,
    probe_batch_size=B,
    bootstrap=100,
    validation_every=100,
    checkpoint_every=0,
)

SOLVED = Validation(0.001, 0.0001, 0.001, enough=True, below=0.165, below_half_width=0.002)
LEARNING = Validation(0.05, 0.001, 0.3, enough=True, below=0.117, below_half_width=0.002)
AT_CHANCE = Validation(1 / 6, 0.001, 0.36, enough=True, below=0.0, below_half_width=1e-4)


def measurement(rate, step=0):
    """A gradient that grows by `rate` nats per step of lag in every sample."""
    log_norms = rate * np.arange(T - 1, -1, -1)[:, None] + np.zeros(B)
    return look(step, log_norms, np.eye(H), Predictions(rate=rate, rate_bound=0.0))


def result(score=LEARNING, start=0.0, end=0.0, diverged_at=None, steps=6, seconds=2.0):
    scalars = np.array([(1.0, 4.0, 2.0, 1.0), (0.5, 1.0, 1.0, 0.0), (0.75, 3.0, 2.0, 1.0)])[:steps]
    kept = Recorded(np.arange(len(scalars)), np.zeros((len(scalars), T), np.float32), scalars)
    return Result(
        measurement(start),
        measurement(end, step=max(0, steps - 1)),
        History(kept, clipped=min(3, steps), seconds=seconds, diverged_at=diverged_at),
        SpectrumHistory.empty(H),
        [] if score is None else [Validated(3, AT_CHANCE), Validated(steps, score)],
        diverged_at,
        steps,
    )


@pytest.mark.parametrize(
    ("score", "verdict", "exhausted"),
    [(SOLVED, "solved", False), (LEARNING, "learning", True), (AT_CHANCE, "at_chance", True)],
)
def test_learning_is_judged_by_the_final_validation(score, verdict, exhausted):
    verdicts = metrics.judge(PLAN, result(score))
    assert verdicts.learning == verdict
    assert verdicts.budget_exhausted is exhausted


@pytest.mark.parametrize("score", [None, SOLVED])
def test_a_run_that_diverged_is_so_whatever_it_scored_before(score):
    verdicts = metrics.judge(PLAN, result(score, diverged_at=2))
    assert verdicts.learning == "diverged"
    assert not verdicts.budget_exhausted


@pytest.mark.parametrize(
    ("rate", "verdict"),
    [
        (-0.5, "vanishing"),
        (0.5, "exploding"),
        (0.0, "stable"),
        (math.nan, "non_finite"),
        (-math.inf, "vanishing"),
    ],
)
def test_the_gradient_is_judged_at_both_ends(rate, verdict):
    """Over 20 lags 0.5 nats a step are 4.3 decades; -inf stands for a gradient that is zero but at h_T."""
    with np.errstate(invalid="ignore"):
        at_start, at_end = result(start=rate), result(end=rate)
    if rate == -math.inf:
        at_start, at_end = (
            dataclasses.replace(r, **{k: cut_off()}) for r, k in [(at_start, "start"), (at_end, "end")]
        )
    assert metrics.judge(PLAN, at_start)[:2] == ("stable", verdict)
    assert metrics.judge(PLAN, at_end)[:2] == (verdict, "stable")


def cut_off():
    log_norms = np.full((T, B), -np.inf)
    log_norms[-1] = 0
    return look(0, log_norms, np.eye(H))


def test_the_plans_decades_are_the_border():
    assert metrics.judge(PLAN, result(end=-0.5)).gradient == "vanishing"
    assert metrics.judge(dataclasses.replace(PLAN, decades=5.0), result(end=-0.5)).gradient == "stable"


def test_verdict_tags_have_the_names_of_the_contract():
    assert metrics.judge(PLAN, result(end=-0.5)).tags() == {
        "verdict.gradient": "vanishing",
        "verdict.gradient_start": "stable",
        "verdict.learning": "learning",
        "budget_exhausted": "true",
    }
    assert metrics.judge(PLAN, result(SOLVED)).tags()["budget_exhausted"] == "false"


def test_what_is_known_before_a_run():
    assert metrics.constants(PLAN) == {
        "task/floor_loss": 1 / 6,
        "task/floor_error": pytest.approx(0.36),
        "with/seq_len": 21.0,
        "with/units": 3.0,
        "with/batch_size": 4.0,
        "with/seed": 7.0,
        "with/init_gain": 0.5,
        "with/clip_threshold": 2.0,
        "with/learning_rate": 0.25,
        "with/log10_learning_rate": pytest.approx(-0.60206),
    }
    assert all(type(value) is float for value in metrics.constants(PLAN).values())


def test_the_length_is_what_a_comparison_of_runs_opens_on():
    assert next(iter(metrics.constants(PLAN))) == "with/seq_len"


def test_a_threshold_that_there_is_not_is_not_a_number():
    for clip in (NoClip(), GlobalNorm("auto")):
        constants = metrics.constants(dataclasses.replace(PLAN, clip=clip))
        assert math.isnan(constants["with/clip_threshold"])


def test_bits_are_reported_for_losses_per_character_only():
    score = Validation(math.log(8), 0.1, 0.5, enough=True, below=0.2, below_half_width=0.1)
    plain = {
        "val/loss": math.log(8),
        "val/loss_half_width": 0.1,
        "val/error": 0.5,
        "val/loss_below_floor": 0.2,
        "val/loss_below_floor_half_width": 0.1,
        "task/proven_horizon": 0.0,
    }
    assert metrics.validation_metrics(PLAN, score) == plain
    characters = dataclasses.replace(PLAN, task=Characters(T))
    found = metrics.validation_metrics(characters, score)
    assert found.pop("val/bits_per_character") == pytest.approx(3)
    assert math.isnan(found.pop("task/proven_horizon"))
    assert found.items() <= plain.items()


def test_proven_horizon_uses_the_upper_end_of_the_interval():
    plan = dataclasses.replace(PLAN, task=Adding(200))
    score = Validation(0.079, 0.001, 0.16, enough=True, below=0.088, below_half_width=0.002)
    proven = metrics.validation_metrics(plan, score)["task/proven_horizon"]
    assert proven == pytest.approx(200 * (1 - 6 * 0.08))
    near = Validation(0.16, 0.002, 0.35, enough=True, below=0.004, below_half_width=0.001)
    proven = metrics.validation_metrics(plan, near)["task/proven_horizon"]
    assert proven == pytest.approx(200 * 6 * 0.003)


def test_the_totals_of_a_run():
    found = metrics.totals(PLAN, result())
    assert math.isnan(found.pop("grad/spike_step"))
    assert found == {
        "train/loss_min": 0.5,
        "grad/global_norm_max": 4.0,
        "grad/global_norm_median": 3.0,
        "grad/spikes": 0,
        "grad/clip_fraction": 0.5,
        "time/steps_per_second": 3.0,
        "time/train_seconds": 2.0,
    }


def test_the_totals_of_a_run_that_diverged_count_up_to_there():
    """Six updates were taken, of which the fourth was the last that counts."""
    totals = metrics.totals(PLAN, result(diverged_at=3))
    assert totals["grad/clip_fraction"] == 3 / 4
    assert totals["time/steps_per_second"] == 3


def test_extremes_leave_out_what_is_not_finite():
    lost = result()
    lost.history.kept.scalars[0, :2] = (-math.inf, math.inf)
    lost.history.kept.scalars[1, :2] = math.nan
    totals = metrics.totals(PLAN, lost)
    assert (totals["train/loss_min"], totals["grad/global_norm_max"]) == (0.75, 3.0)
    lost.history.kept.scalars[:] = math.nan
    totals = metrics.totals(PLAN, lost)
    assert np.isnan([totals["train/loss_min"], totals["grad/global_norm_max"]]).all()


def test_the_totals_of_a_run_without_steps():
    totals = metrics.totals(PLAN, result(steps=0, seconds=0.0))
    assert {name: value for name, value in totals.items() if not math.isnan(value)} == {
        "time/train_seconds": 0.0
    }


def test_there_are_about_fifty_metrics_in_sections():
    names = {
        *metrics.constants(PLAN),
        *metrics.totals(PLAN, result()),
        *metrics.validation_metrics(dataclasses.replace(PLAN, task=Characters(T)), LEARNING),
        *measurement(0.0).metrics(),
        *("train/loss", "grad/global_norm", "grad/clipped_norm"),
    }
    assert len(names) <= 55
    sections = {name.partition("/")[0] for name in names}
    assert sections == {
        *("task", "with", "train", "val", "grad", "jacobian", "lyapunov"),
        *("recurrent", "state", "theory", "time"),
    }
