import dataclasses
import math

import numpy as np
import pytest
from looks import look
from plans import small_plan

from rnnexp.diagnosis import laws
from rnnexp.diagnosis.comparison import Comparison
from rnnexp.diagnosis.predictions import Predictions
from rnnexp.diagnosis.verdict import Validation
from rnnexp.nn.cells.gru import Gru
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.optim.clipping import GlobalNorm
from rnnexp.probes.spectrum import SpectrumHistory
from rnnexp.runs import metrics
from rnnexp.runs.evidence import gather
from rnnexp.tasks import Adding
from rnnexp.training.record import History, Recorded
from rnnexp.training.replica import Result, Validated

T, B = 21, 4
PLAN = small_plan(task=Adding(T), clip=GlobalNorm(2.0), probe_batch_size=B)
CHOICES = {"cell": "elman", "init": "orthogonal", "clip": "global_norm", "optimizer": "adam"}
RATES = ("rate", "rate_measured_q", "rate_measured_slopes", "rate_closure", "rate_bound")
SCORE = Validation(0.05, 0.001, 0.3, enough=True, below=0.117, below_half_width=0.002)


def result(rate=-0.5, predictions=None, spread=0.0):
    log_norms = rate * np.arange(T - 1, -1, -1)[:, None] + spread * np.arange(B) + np.zeros((T, B))
    predictions = Predictions() if predictions is None else predictions
    measured = look(0, log_norms, np.eye(3), predictions)
    scalars = np.array([(1.0, 4.0, 2.0, 1.0), (0.5, 1.0, 1.0, 0.0), (0.75, 3.0, 2.0, 1.0)])
    kept = Recorded(np.arange(3), np.zeros((3, T), np.float32), scalars)
    history = History(kept, clipped=2, seconds=1.0)
    spectra = SpectrumHistory.empty(3)
    return Result(measured, measured, history, spectra, [Validated(3, SCORE)], None, 3)


def gathered(found):
    return gather(PLAN, CHOICES, found, metrics.judge(PLAN, found))


def test_what_was_chosen_and_scored():
    found = gathered(result())
    assert (found.clip, found["grad/clip_threshold"], found.optimizer) == ("global_norm", 2.0, "adam")
    assert (found["val/loss"], found["val/loss_below_floor"], found.baseline) == (
        0.05,
        0.117,
        "best constant",
    )
    assert found["task/proven_horizon"] == pytest.approx(PLAN.task.proven_horizon(0.051))
    assert found.published_sequences == 74_000
    assert (found.time_steps, found.train_steps, found.probe_samples) == (T, 3, B)
    assert found["grad/clip_fraction"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("cell", "chosen"),
    [(Lstm(), False), (Lstm(forget_bias=3.0), True), (Lstm(chrono=9), True), (Gru(update_bias=1.0), True)],
)
def test_a_chosen_bias_of_a_gate_is_known(cell, chosen):
    found, plan = result(), dataclasses.replace(PLAN, cell=cell)
    assert gather(plan, CHOICES, found, metrics.judge(plan, found)).chosen_biases is chosen


def test_the_course_is_that_of_the_record():
    course = gathered(result()).course
    np.testing.assert_array_equal(course.losses, [1.0, 0.5, 0.75])
    np.testing.assert_array_equal(course.norms, [4.0, 1.0, 3.0])


def test_the_reach_is_where_the_profile_leaves_the_band():
    # 3 decades are 13.8 steps of 0.5 nats.
    assert gathered(result(-0.5)).reach == 14
    assert gathered(result(-0.1)).reach is None


def test_the_rms_norm_is_compared_at_h_1():
    found = gathered(result(spread=1.0))
    squares = np.exp(2.0 * np.arange(B))
    gap = 0.5 * math.log(squares.mean()) - np.arange(B).mean()
    assert found.rms_over_typical == pytest.approx(gap / math.log(10), rel=1e-9)
    assert gathered(result()).rms_over_typical == pytest.approx(0, abs=1e-12)


def test_laws_that_do_not_apply_are_nan():
    none = gathered(result())
    assert np.isnan([none[f"theory/{name}"] for name in RATES]).all()
    assert np.isnan([none.before("theory/rate_kernels"), none.critical_gain]).all()


def test_the_words_are_made_from_theories_that_apply():
    values = {
        laws.MEAN_FIELD: -0.1,
        laws.AT_VARIANCE: -0.2,
        laws.OF_SLOPES: -0.3,
        laws.CLOSURE: -0.4,
        laws.BOUND: 0.4,
    }
    said = tuple(Comparison(law, value, -0.25, -0.26, -0.24) for law, value in values.items())
    told = gathered(result(predictions=Predictions(critical_gain=1.5, comparisons=said)))
    assert [told[f"theory/{name}"] for name in RATES] == [-0.1, -0.2, -0.3, -0.4, 0.4]
    assert told.critical_gain == 1.5


def test_a_run_without_a_validation_has_no_score():
    found = gathered(dataclasses.replace(result(), validations=[]))
    names = ("val/loss", "val/loss_below_floor", "task/proven_horizon")
    assert np.isnan([found[name] for name in names]).all()
