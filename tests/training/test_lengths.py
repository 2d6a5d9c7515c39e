"""Training on several lengths, and scores at others."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from plans import small_plan

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.initializers import GlorotUniform
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import NoClip
from rnnexp.plotting.arrays import read_arrays
from rnnexp.plotting.run_figures import Recorded, draw_figures
from rnnexp.runs import artifacts, metrics
from rnnexp.runtime.signals import Interruption
from rnnexp.tasks import Lengths, Parity, TemporalOrder
from rnnexp.training.evaluation import Evaluator, score_at, sequences_at_once
from rnnexp.training.model import RecordingModel
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer

H, B = 5, 4
AT = (20, 40)


def model_of(task, time_steps, layers=1):
    draws = [(GlorotUniform(seed=seed), GlorotUniform(seed=seed + 1)) for seed in range(1, 10 * layers, 10)]
    cells = (ElmanCell(H, kernel_initializer=one, recurrent_initializer=other) for one, other in draws)
    cell, *above = cells
    network = build_network(task, cell, seed=3, any_length=True, above=above)
    model = RecordingModel(network, task.loss, NoClip(), time_steps=time_steps, rows=4, layers=layers)
    model.compile(optimizer=keras.optimizers.SGD(0.1), jit_compile=False)
    return model


@pytest.mark.parametrize(("task", "layers"), [(TemporalOrder, 1), (Parity, 1), (Parity, 2)])
def test_a_padded_step_is_the_step_without_padding(task, layers):
    lengths = Lengths(12, 16, task)
    index = next(index for index in range(9) if lengths.drawn(0, "train", index) == 13)
    batch, plain = lengths.batch(0, "train", index, B), task(13).batch(0, "train", index, B)
    padded, expected = model_of(task(14), 16, layers), model_of(task(14), 13, layers)
    padded.step(tf.constant(batch.x), tf.constant(batch.y), tf.constant(batch.first))
    expected.step(tf.constant(plain.x), tf.constant(plain.y))
    for one, other in zip(padded.network.get_weights(), expected.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    found, usual = padded.read(0), expected.read(0)
    np.testing.assert_allclose(found.scalars, usual.scalars, rtol=1e-5)
    profiles = zip((found.log_norms, *found.upper), (usual.log_norms, *usual.upper), strict=True)
    for of_layer, without in profiles:
        np.testing.assert_allclose(of_layer[:, 3:], without, rtol=1e-5, atol=1e-6)
        assert np.isnan(of_layer[:, :3]).all()


LENGTHS = Lengths(10, 14, TemporalOrder)
PLAN = small_plan(
    task=TemporalOrder(12),
    lengths=LENGTHS,
    evaluate_at=tuple(map(TemporalOrder, AT)),
    probe_every=100,
    validation_every=100,
    jit=True,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    silent = Observer(lambda _: None, lambda _: None, lambda _: None, lambda: None)
    trainer = Trainer([Member(PLAN, tmp_path_factory.mktemp("run") / "state.npz", silent)], Interruption())
    return trainer.run([False])[0], trainer.replicas[0]


def test_the_record_has_the_longest_length(trained):
    kept = trained[0].history.kept
    drawn = [LENGTHS.drawn(0, "train", index) for index in range(12)]
    assert kept.log_norms.shape == (12, 14)
    assert np.isfinite(kept.log_norms).sum(axis=1).tolist() == drawn


def test_it_is_scored_at_other_lengths(trained):
    """By the same network built for one length, on the same sequences."""
    result, replica = trained
    assert [each.task.seq_len for each in result.at_lengths] == list(AT)
    for task, score in result.at_lengths:
        cell = ElmanCell(PLAN.units)
        fixed = build_network(task, cell, seed=0)
        fixed.set_weights(replica.network.get_weights())
        expected = Evaluator(fixed, task, PLAN.seed, jit=False).evaluate(PLAN.validation_sequences)
        assert dataclasses.astuple(score) == pytest.approx(dataclasses.astuple(expected), rel=1e-5)


def test_metrics_say_how_far_it_generalises(trained):
    scores = trained[0].at_lengths
    errors = {20: 0.004, 40: 0.2}

    def with_errors(**changes):
        return dataclasses.replace(
            trained[0],
            at_lengths=tuple(
                each._replace(score=dataclasses.replace(each.score, error=error, below=0.1, **changes))
                for each, error in zip(scores, errors.values(), strict=True)
            ),
        )

    assert metrics.at_lengths(with_errors(below_half_width=0.05)) == {
        "lengths/solved_to": 20,
        "lengths/learned_to": 40,
        "lengths/longest_error": 0.2,
    }
    assert metrics.at_lengths(with_errors(below_half_width=0.5))["lengths/learned_to"] == 0
    assert metrics.at_lengths(dataclasses.replace(trained[0], at_lengths=())) == {}


def test_its_figures_are_drawn_from_the_folder(trained, tmp_path):
    artifacts.save_arrays(tmp_path / "gradient_flow.npz", PLAN, trained[0])
    arrays = read_arrays(tmp_path / "gradient_flow.npz")
    assert arrays["trained_lengths"].tolist() == [10, 14]
    drawn = draw_figures(Recorded(arrays, "title"), tmp_path)
    assert {"lengths.png", "gradient_heatmap.png"} <= {path.name for path in drawn.paths}


def test_long_sequences_are_scored_few_at_a_time():
    network = build_network(Parity(3), ElmanCell(2), seed=0, any_length=True)
    (score,) = score_at(network, [Parity(7)], seed=0, sequences=9)
    assert score.score.error == pytest.approx(0.5, abs=0.3)
    assert sequences_at_once(10**9, 64) == 1
