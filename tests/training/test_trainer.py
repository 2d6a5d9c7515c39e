import dataclasses
import signal
from typing import Any, NamedTuple

import numpy as np
import pytest
from interruptions import SignalAt
from plans import small_plan

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.initializers import GlorotUniform, Identity
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import GlobalNorm, NoClip
from rnnexp.optim.optimizers import Sgd
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.evaluation import Evaluator
from rnnexp.training.replica import Observer, Result
from rnnexp.training.trainer import Member, Trainer

T, H, B, STEPS = 12, 6, 4, 12

PLAN = small_plan(
    task=Adding(T),
    clip=GlobalNorm(3.0),
    units=H,
    batch_size=B,
    train_steps=STEPS,
    record_every=3,
    probe_batch_size=8,
)
"""Training returns to Python after steps 2, 4, 6, 8, 10, 11, since the last look is there, and 12."""


class Watcher:
    """Writes down what a trainer tells, and does something on the way if asked to."""

    def __init__(self, then=None):
        self.blocks, self.measured, self.validated, self.saved = [], [], [], []
        self._then = then or {}

    def observer(self):
        return Observer(
            lambda block: self._note("block", self.blocks, block),
            lambda measurement: self._note("measurement", self.measured, measurement.step),
            lambda validated: self._note("validation", self.validated, validated.step),
            lambda: self._note("checkpoint", self.saved, self._told()),
        )

    def _told(self):
        return int(self.blocks[-1].train_steps[-1]) + 1 if self.blocks else None

    def _note(self, kind, seen, item):
        seen.append(item)
        if (kind, len(seen)) in self._then:
            self._then[kind, len(seen)]()


def start(plan, folder, watcher=None, interruption=None):
    watcher = watcher or Watcher()
    member = Member(plan, folder / "state.npz", watcher.observer())
    return Trainer([member], interruption or Interruption())


def variables(trainer: Any):
    """Weights and the optimizer's variables."""
    return [
        *trainer.replicas[0].network.get_weights(),
        *(np.asarray(v) for v in trainer.replicas[0].model.optimizer.variables),
    ]


def findings(trainer, result: Result):
    """All numbers of a run but its duration."""
    kept = result.history.kept
    return {
        **{f"variable {place}": value for place, value in enumerate(variables(trainer))},
        "record": np.column_stack([kept.train_steps, kept.log_norms, kept.scalars]),
        "counts": [result.history.clipped, result.diverged_at is None, result.steps_taken],
        "validations": [(v.step, *dataclasses.astuple(v.score)) for v in result.validations],
        **{f"{name} {key}": value for name in ("start", "end") for key, value in look(result, name).items()},
    }


def look(result, name):
    measurement = getattr(result, name)
    return {
        "step": measurement.step,
        "profile": measurement.gradient.log_norm,
        "eigenvalues": measurement.spectrum.eigenvalues,
        "metrics": list(measurement.metrics().values()),
    }


def assert_same(found, expected, but=()):
    assert found.keys() == expected.keys()
    for name in found.keys() - set(but):
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def run(plan, folder, resume=False, watcher=None, interruption=None):
    trainer = start(plan, folder, watcher, interruption)
    return findings(trainer, trainer.run([resume])[0])


def run_killed(plan, folder, resume=False, watcher=None, interruption=None):
    """Run until the signal; return the trainer."""
    trainer = start(plan, folder, watcher, interruption)
    with pytest.raises(Killed, match="SIGTERM"):
        trainer.run([resume])
    return trainer


class Whole(NamedTuple):
    """An uninterrupted run, what it told, and all its numbers."""

    trainer: Trainer
    watcher: Watcher
    result: Result
    found: dict
    before: list  # the weights at its second look
    stored: list  # the steps in the file when a checkpoint is announced (None: no file), and at the end


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    state, before, stored = tmp_path_factory.mktemp("whole") / "state.npz", [], []

    def note():
        stored.append(checkpoint.steps_in(state) if state.exists() else None)

    watcher = Watcher({
        ("measurement", 2): lambda: before.extend(trainer.replicas[0].network.get_weights()),
        **{("checkpoint", count): note for count in range(1, STEPS)},
    })  # fmt: skip
    trainer: Trainer = start(PLAN, state.parent, watcher)
    result = trainer.run([False])[0]
    note()
    return Whole(trainer, watcher, result, findings(trainer, result), before, stored)


def test_what_a_run_finds_and_when(whole):
    trainer, watcher, result, *_ = whole
    assert watcher.measured == [0, 4, 8, STEPS]
    assert (result.start.step, result.end.step) == (0, STEPS)
    assert watcher.validated == [validated.step for validated in result.validations] == [4, 8, STEPS]
    assert [validated.score.enough for validated in result.validations] == [False, False, True]
    np.testing.assert_array_equal(
        np.concatenate([block.train_steps for block in watcher.blocks]), np.arange(STEPS)
    )
    np.testing.assert_array_equal(result.history.kept.train_steps, [0, 3, 6, 9])
    assert 0 < result.history.clipped < STEPS
    assert (result.diverged_at, result.steps_taken, trainer.replicas[0].steps_taken) == (None, STEPS, STEPS)
    assert result.history.seconds > 0


def test_the_last_look_is_at_the_weights_that_are_saved(whole):
    """The final look, the final validation, the checkpoint and the network have the last update in them."""
    trainer, _, result, *_ = whole
    weights = checkpoint_weights(trainer)
    for saved, kept in zip(weights, trainer.replicas[0].network.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, kept)
    again = measurer(PLAN.task.batch(PLAN.seed, "probe", 0, PLAN.probe_batch_size)).measure(weights, STEPS)
    assert again.metrics() == result.end.metrics()
    final = Evaluator(trainer.replicas[0].network, PLAN.task, PLAN.seed, jit=False).evaluate()
    assert result.validations[-1].score.loss == pytest.approx(final.loss, rel=1e-5)


def test_a_training_step_records_what_a_look_before_it_finds(whole):
    """On the batch of a training step the probe finds what the step recorded."""
    step = whole.watcher.measured[1]
    trained = measurer(PLAN.task.batch(PLAN.seed, "train", step, B)).measure(whole.before, step)
    recorded = np.concatenate([block.log_norms for block in whole.watcher.blocks])
    np.testing.assert_allclose(recorded[step], trained.gradient.log_norm, atol=1e-5)


def measurer(batch):
    """What measures on a batch as the run of `PLAN` measures."""
    cell = PLAN.cell.build(PLAN.units, PLAN.activation, GlorotUniform(), PLAN.initializer, "float64")
    network = build_network(PLAN.task, cell, seed=0)
    return Measurer(network, PLAN.cell, PLAN.activation, PLAN.task.loss, batch, PLAN.bootstrap)


def test_a_look_reaches_beyond_the_dtype_of_the_training(tmp_path):
    """1e-6 to the 11th is a zero in float32."""
    initializer = Identity(gain=1e-6)
    result = start(dataclasses.replace(PLAN, initializer=initializer, train_steps=0), tmp_path).run([False])[
        0
    ]
    assert result.start.gradient.zero_share == 0
    assert result.start.gradient.log10_ratio == pytest.approx(-66, abs=2)


def checkpoint_weights(trainer):
    """The weights of the last checkpoint, which is taken after the last step."""
    with np.load(trainer.replicas[0]._state) as stored:
        assert stored["steps_taken"] == STEPS
        return [stored[f"variable_{place}"] for place in range(5)]


def test_everything_is_reported_before_a_checkpoint_is_saved(whole):
    assert whole.stored == [None, *whole.watcher.saved]
    assert whole.watcher.saved == [4, 6, 10, STEPS]


def test_a_run_that_was_stopped_in_every_way_goes_on_to_the_bit(whole, tmp_path):
    def steps_left(stopped=None):
        steps = checkpoint.steps_in(tmp_path / "state.npz")
        assert stopped is None or stopped.replicas[0].steps_taken == steps
        return steps

    # A signal waits for a running hook only.
    waiting = Interruption()
    in_hook = Watcher({("validation", 1): lambda: waiting.receive(signal.SIGTERM)})
    assert steps_left(run_killed(PLAN, tmp_path, watcher=in_hook, interruption=waiting)) == 4

    def die():
        raise MemoryError

    # After a crash a run goes on from its last checkpoint, not from where it was.
    with pytest.raises(MemoryError):
        run(PLAN, tmp_path, resume=True, watcher=Watcher({("validation", 1): die}))
    assert steps_left() == 6

    # A second signal, while the checkpoint is saved, does not spoil it.
    twice = SignalAt(1)
    saving = Watcher({("checkpoint", 1): lambda: twice.receive(signal.SIGINT)})
    trainer = run_killed(PLAN, tmp_path, resume=True, watcher=saving, interruption=twice)
    assert steps_left(trainer) == 8
    assert trainer.replicas[0].result().validations == whole.result.validations[:2]

    # A signal in the last hook of all.
    late = Interruption()
    at_end = Watcher({("validation", 1): lambda: late.receive(signal.SIGTERM)})
    assert steps_left(run_killed(PLAN, tmp_path, resume=True, watcher=at_end, interruption=late)) == STEPS
    assert [step for block in at_end.blocks for step in block.train_steps] == [8, 9, 10, 11]

    assert_same(run(PLAN, tmp_path, resume=True), whole.found)


def test_without_checkpoints_nothing_is_written(tmp_path):
    plan = dataclasses.replace(PLAN, checkpoint_every=0, train_steps=4)
    trainer = run_killed(plan, tmp_path, interruption=SignalAt(1))
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(trainer.replicas[0].result().history.kept.train_steps, [0])


def test_a_signal_before_the_training_leaves_no_checkpoint(tmp_path):
    interruption = Interruption()
    watcher = Watcher({("measurement", 1): lambda: interruption.receive(signal.SIGTERM)})
    trainer = start(PLAN, tmp_path, watcher, interruption)
    with pytest.raises(Killed):
        trainer.run([False])
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_not_overwritten(tmp_path):
    path = tmp_path / "state.npz"
    path.write_bytes(b"PK")
    with pytest.raises(ArgumentError, match=r"^resume: expected a whole checkpoint \(remove this one, "):
        start(PLAN, tmp_path).run([True])
    assert path.read_bytes() == b"PK"


@pytest.mark.parametrize("steps", [0, 1])
def test_the_shortest_runs(steps, tmp_path):
    watcher = Watcher()
    trainer = start(dataclasses.replace(PLAN, train_steps=steps), tmp_path, watcher)
    before = trainer.replicas[0].network.get_weights()
    result = trainer.run([False])[0]
    assert watcher.measured == ([0] if steps == 0 else [0, 1])
    assert (result.end is result.start) is (steps == 0)
    assert watcher.validated == [steps]
    assert result.validations[0].score.enough
    np.testing.assert_array_equal(result.history.kept.train_steps, np.arange(steps))
    assert result.steps_taken == steps
    changed = [
        not np.array_equal(*pair)
        for pair in zip(before, trainer.replicas[0].network.get_weights(), strict=True)
    ]
    assert all(changed) == any(changed) == (steps == 1)


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    """A plan whose run diverges and is looked at seldom, and what was found."""
    plan = dataclasses.replace(
        PLAN,
        optimizer=Sgd(learning_rate=1e3),
        clip=NoClip(),
        train_steps=40,
        record_every=1,
        probe_every=16,
        validation_every=100,
        checkpoint_every=100,
    )
    return plan, start(plan, tmp_path_factory.mktemp("diverged")).run([False])[0]


def test_a_run_that_diverges_stops_and_says_at_which_step(diverged):
    _, result = diverged
    kept, step = result.history.kept, result.diverged_at
    assert step is not None and 1 < step < 14
    finite = np.isfinite(kept.series("loss")) & np.isfinite(kept.series("global_norm"))
    np.testing.assert_array_equal(kept.train_steps, np.arange(step + 1))
    np.testing.assert_array_equal(np.flatnonzero(~finite), [step])
    assert result.end.step == result.steps_taken == 16
    assert result.validations == []
    assert np.isnan(result.end.spectrum.sigma_max)
    assert np.isfinite(list(result.start.metrics().values())).all()


def test_a_diverged_run_killed_unnoticed_ends_at_the_same_step(diverged, tmp_path):
    plan, expected = diverged
    assert run_killed(plan, tmp_path, interruption=SignalAt(7)).replicas[0].steps_taken == 14
    result = start(plan, tmp_path).run([True])[0]
    assert result.diverged_at == expected.diverged_at
    assert result.steps_taken == 14  # no step was taken after it was known
    for name in ("train_steps", "log_norms", "scalars"):
        np.testing.assert_array_equal(
            getattr(result.history.kept, name), getattr(expected.history.kept, name)
        )


@pytest.mark.parametrize("segment", [None, 5])
def test_the_layer_has_the_segment_of_the_plan(segment, tmp_path):
    trainer = start(dataclasses.replace(PLAN, segment=segment), tmp_path)
    assert trainer.replicas[0].network.get_layer("recurrent").segment == segment


def test_neither_looking_nor_an_earlier_run_disturbs(whole, tmp_path):
    run(dataclasses.replace(PLAN, seed=1, units=7, train_steps=0, activation="relu"), tmp_path)
    plan = dataclasses.replace(PLAN, probe_every=1, validation_every=3, record_every=1, checkpoint_every=1)
    found = run(plan, tmp_path)
    assert_same(found, whole.found, but=("record", "validations"))
    np.testing.assert_array_equal(found["record"][::3], whole.found["record"])


@pytest.mark.parametrize("seed", [0, 5])
def test_each_weight_has_a_seed_of_its_own(seed, tmp_path):
    plan = dataclasses.replace(PLAN, seed=seed, initializer=GlorotUniform(seed=3 * seed + 1))
    kernel, recurrent_kernel, bias, readout, readout_bias = (
        start(plan, tmp_path).replicas[0].network.get_weights()
    )
    np.testing.assert_array_equal(kernel, GlorotUniform(seed=3 * seed)((2, H)))
    np.testing.assert_array_equal(recurrent_kernel, GlorotUniform(seed=3 * seed + 1)((H, H)))
    np.testing.assert_array_equal(readout, GlorotUniform(seed=3 * seed + 2)((H, 1)))
    assert not bias.any() and not readout_bias.any()
