"""ZClip against a twin in plain Python over lists, and through training."""

import dataclasses
import math
import statistics

import numpy as np
import pytest
import tensorflow as tf
from plans import small_plan

from rnnexp.optim.clipping import ZClip
from rnnexp.optim.optimizers import Adam
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.signals import Interruption
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer


class Twin:
    """The paper's algorithm 1 over norms alone: a buffer in the warm-up, moving averages afterwards."""

    def __init__(self, decay=0.97, z=2.5, warm_up=25):
        self.decay, self.z, self.warm_up = decay, z, warm_up
        self.norms, self.skipped = [], 0
        self.mean = self.variance = math.nan

    def clipped(self, norm):
        """The norm after clipping."""
        if not math.isfinite(norm):
            self.skipped += 1
            return 0.0
        if len(self.norms) < self.warm_up:
            self.norms.append(norm)
            self.mean, self.variance = statistics.fmean(self.norms), statistics.pvariance(self.norms)
            return norm
        sigma = math.sqrt(self.variance)
        score = (norm - self.mean) / (sigma + 1e-6)
        after = self.mean + self.z * sigma / (score / self.z) if score > self.z else norm
        self.mean = self.decay * self.mean + (1 - self.decay) * after
        self.variance = self.decay * self.variance + (1 - self.decay) * (after - self.mean) ** 2
        return after


def gradients(count=80):
    """Gradients of a matrix and a vector, with spikes, and some that are not finite."""
    generator = np.random.default_rng(0)
    scales = np.exp(0.2 * generator.standard_normal(count))
    scales[[30, 41, 42, 70]] *= [50, 8, 1e6, 3]
    made = [
        (scale * generator.standard_normal((3, 4)), scale * generator.standard_normal(4)) for scale in scales
    ]
    made[10][0][0, 0], made[50][1][2], made[51][0][1, 1] = np.nan, np.inf, -np.inf
    return made


@pytest.mark.parametrize(("arguments", "jit"), [({}, True), ({"decay": 0.5, "z": 1.0, "warm_up": 2}, False)])
def test_norms_and_state_are_those_of_the_algorithm(arguments, jit):
    clip, twin = ZClip(**arguments), Twin(**arguments)
    update = tf.function(lambda given, state: clip.update(given, given, state), jit_compile=jit)
    state, clips = clip.init([]), 0
    for given in gradients():
        norm = math.hypot(*(float(entry) for value in given for entry in value.flat))
        norm = norm if all(np.isfinite(value).all() for value in given) else math.nan
        expected = twin.clipped(norm)
        clipped, state = update([tf.constant(value) for value in given], state)
        assert float(clipped.norm_after) == pytest.approx(expected, rel=1e-10)
        assert bool(clipped.skipped) == math.isnan(norm)
        assert bool(clipped.clipped) == (expected != norm)
        clips += bool(clipped.clipped)
        if not math.isnan(norm):
            for value, after in zip(given, clipped.gradients, strict=True):
                np.testing.assert_allclose(after, value * (expected / norm), rtol=1e-10)
    mean, variance, taken, skipped = map(float, state)
    assert (mean, variance) == (pytest.approx(twin.mean, rel=1e-9), pytest.approx(twin.variance, rel=1e-9))
    assert (taken, skipped) == (77, 3)
    assert clip.metrics([np.array(value) for value in state]) == {"grad/skipped": 3.0}
    assert clips > 3 + 2


@pytest.mark.parametrize(
    ("arguments", "name"), [({"decay": 1.0}, "decay"), ({"z": 0.0}, "z"), ({"warm_up": 1}, "warm_up")]
)
def test_what_is_outside_its_domain_is_refused(arguments, name):
    with pytest.raises(ArgumentError, match=f"^{name}: "):
        ZClip(**arguments)


PLAN = small_plan(clip=ZClip(decay=0.5, z=0.1, warm_up=3), optimizer=Adam(learning_rate=0.3), train_steps=14)


def test_a_run_survives_a_gradient_that_is_not_finite(tmp_path):
    nothing = [lambda *arguments: None] * len(dataclasses.fields(Observer))
    trainer = Trainer([Member(PLAN, tmp_path / "state.npz", Observer(*nothing))], Interruption())
    (replica,) = trainer.replicas
    good = replica.network.get_weights()
    replica.network.set_weights([np.full_like(value, np.inf) for value in good])
    x, y = PLAN.task.batch(0, "train", 0, PLAN.batch_size)
    replica.model.step(tf.constant(x, tf.float32), tf.constant(y))
    replica.network.set_weights(good)
    (result,) = trainer.run([False])
    assert (result.diverged_at, result.clip_metrics) == (None, {"grad/skipped": 1.0})
    assert np.isfinite(np.concatenate([value.ravel() for value in replica.network.get_weights()])).all()
