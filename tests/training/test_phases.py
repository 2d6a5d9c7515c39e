"""Phases before the task: flossing against NumPy, and a run that is killed in either phase."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from plans import small_plan

from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.initializers import Gaussian
from rnnexp.nn.network import build_network
from rnnexp.probes.lyapunov import measure_lyapunov
from rnnexp.probes.rollout import Rollout
from rnnexp.runs.build import compose_job
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.random import generator
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.flossing import Exponents
from rnnexp.training.phases import Flossing, PhaseRun
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer

TASK, H, K, B, TARGET = Adding(20), 5, 3, 4, -0.1


def network(task=TASK, units=H):
    keras.backend.clear_session()
    cell = ElmanCell(
        units,
        kernel_initializer=Gaussian(gain=0.5, seed=1),
        recurrent_initializer=Gaussian(gain=0.8, seed=2),
        dtype="float64",
    )
    return build_network(task, cell, seed=3)


def exponents(weights, x, count, warm_up):
    """The exponents by loops over samples and steps in NumPy, (K,)."""
    kernel, recurrent, bias = weights[:3]
    start = np.linalg.qr(generator(0, "probe").normal(size=(len(recurrent), count)))[0]
    means = []
    for sample in x.astype(float):
        state, frame, logs = np.zeros(len(recurrent)), start, []
        for x_t in sample:
            state = np.tanh(x_t @ kernel + state @ recurrent + bias)
            frame, triangle = np.linalg.qr(np.diag(1 - state**2) @ recurrent.T @ frame)
            logs.append(np.log(np.abs(np.diag(triangle))))
        means.append(np.mean(logs[warm_up:], axis=0))
    return np.mean(means, axis=0)


def flossed(weights, x):
    return np.mean((exponents(weights, x, K, 2) - TARGET) ** 2)


def test_the_exponents_are_those_of_a_loop_in_numpy():
    made, x = network(), TASK.batch(0, "train", 0, B).x
    found = Exponents(made, K, TARGET).exponents(tf.constant(x, tf.float64))
    np.testing.assert_allclose(found, exponents(made.get_weights(), x, K, 2), rtol=1e-10)


def test_fewer_time_steps_are_the_first_ones():
    made, x = network(), TASK.batch(0, "train", 0, B).x
    found = Exponents(made, K, TARGET, time_steps=10).exponents(tf.constant(x, tf.float64))
    np.testing.assert_allclose(found, exponents(made.get_weights(), x[:, :10], K, 1), rtol=1e-10)


def test_the_gradient_is_that_of_central_differences():
    made, x = network(), TASK.batch(0, "train", 0, B).x
    with tf.GradientTape() as tape:
        loss = Exponents(made, K, TARGET).loss(tf.constant(x, tf.float64))
    gradients = tape.gradient(loss, made.trainable_variables)
    weights, width = made.get_weights(), 1e-6
    assert float(loss) == pytest.approx(flossed(weights, x), rel=1e-10)
    for place, weight in enumerate(weights[:3]):
        expected = np.zeros_like(weight)
        for entry in np.ndindex(weight.shape):
            both = []
            for sign in (1, -1):
                changed = [each.copy() for each in weights]
                changed[place][entry] += sign * width
                both.append(flossed(changed, x))
            expected[entry] = (both[0] - both[1]) / (2 * width)
        np.testing.assert_allclose(gradients[place], expected, rtol=1e-5, atol=1e-8)
    assert gradients[3:] == [None, None]  # the readout


def test_flossing_moves_the_exponents_nearer_the_target():
    task = Adding(30)
    made = network(task, 8)
    rollout = Rollout(network(task, 8), Elman(), "tanh", task.loss, task.batch(0, "probe", 0, 16), 20)

    def distance():
        spectrum = measure_lyapunov(rollout.trajectory(made.get_weights()).jacobians, exponents=4)
        return np.sqrt(np.mean(spectrum.exponents**2))

    before = distance()
    run = PhaseRun(Flossing(exponents=4, steps=60, learning_rate=0.01).build(made), made, task, 0, 8)
    while not run.ended:
        run.step()
    metrics = run.metrics()
    assert distance() < 0.3 * before
    assert metrics["phase/distance_after"] < 0.3 * metrics["phase/distance_before"]
    assert metrics["phase/distance_before"] == pytest.approx(before, rel=0.2)  # of another batch
    assert metrics["phase/lambda_k_before"] < metrics["phase/lambda_1_before"] < 0


class SignalAt(Interruption):
    """A SIGTERM that comes before the `count`-th time that somebody asks whether one came."""

    def __init__(self, count=0):
        super().__init__()
        self._count = count

    def check(self):
        self._count -= 1
        if self._count == 0:
            self.receive(15)
        super().check()


FLOSSED = small_plan(phase=Flossing(exponents=2, steps=4, learning_rate=0.01))


def trained(path, interruption=None, resume=False, plan=FLOSSED):
    def ignore(found):
        pass

    silent = Observer(ignore, ignore, ignore, on_checkpoint=lambda: None)
    trainer = Trainer([Member(plan, path, silent)], interruption or Interruption())
    (result,) = trainer.run([resume])
    return result, checkpoint_of(path)


def checkpoint_of(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files if name != "seconds"}


def test_killed_in_either_phase_it_goes_on_to_the_same_bytes(tmp_path):
    whole, expected = trained(tmp_path / "whole.npz")
    for count, taken, steps in [(2, 2, 0), (6, 4, 4)]:
        path = tmp_path / f"{count}.npz"
        with pytest.raises(Killed):
            trained(path, SignalAt(count))
        assert (int(checkpoint.load_phase(path)["steps_taken"]), checkpoint.steps_in(path)) == (taken, steps)
        again, found = trained(path, resume=True)
        assert again.phase_metrics == whole.phase_metrics
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_without_a_phase_nothing_of_one_is_kept(tmp_path):
    result, kept = trained(tmp_path / "state.npz", plan=small_plan())
    assert result.phase_metrics == {}
    assert checkpoint.load_phase(tmp_path / "state.npz") == {}
    assert not [name for name in kept if name.startswith("before")]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["cell=gru"], "^cell: expected elman, whose exponents"),
        (["phase.exponents=65"], "^phase.exponents: expected at most 64, the units, received 65"),
        (["phase.time_steps=101"], "^phase.time_steps: expected at most 100, the sequence, received 101"),
        (["phase.steps=0"], "^phase.steps: expected an integer of at least 1"),
        (["phase.target=inf"], "^phase.target: expected a finite number"),
    ],
)
def test_what_does_not_fit_the_run_is_refused(overrides, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        compose_job(["phase=flossing", "output_dir=x", *overrides])
