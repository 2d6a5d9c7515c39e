"""Runs in this process, from configuration to records."""

import csv
import dataclasses
import json
import math
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from jobs import job_of

from rnnexp.optim.clipping import StatelessClip
from rnnexp.plotting.run_figures import OF_TRAINING, catalogue
from rnnexp.runs import callbacks
from rnnexp.runs.run import run_job
from rnnexp.runtime.signals import Killed

TINY = ("units=8", "batch_size=8", "jit=false", "probe.bootstrap=100", "tracking=none")
SMALL = (
    *(*TINY, "seq_len=12", "steps=40", "clip=global_norm", "clip.threshold=0.1", "tracking.every=10"),
    *("probe.every=20", "validation.every=20", "checkpoint.every=20"),
)
BARE = ("tracking.model=false", "figures.format=none")
"""Leaves no model and no figures."""

METRICS = {
    *("train/loss", "train/loss_min", "val/loss", "val/loss_half_width", "val/error"),
    *("val/loss_below_floor", "val/loss_below_floor_half_width", "task/proven_horizon"),
    *("task/floor_loss", "task/floor_error"),
    *("grad/log10_ratio", "grad/log10_ratio_low", "grad/log10_ratio_high"),
    *("grad/rate", "grad/rate_low", "grad/rate_high", "grad/zero_share", "grad/nonfinite_share"),
    *("grad/global_norm", "grad/global_norm_max", "grad/clipped_norm", "grad/clip_fraction"),
    *("recurrent/spectral_radius", "recurrent/sigma_max", "recurrent/nonnormality"),
    *("state/saturated", "state/dead", "state/effective_rank", "grad/median_lag"),
    *("jacobian/log10_sigma_max", "jacobian/log10_sigma_max_low", "jacobian/log10_sigma_max_high"),
    *("jacobian/log10_sigma_median", "lyapunov/lambda_1"),
    *("theory/rate", "theory/rate_measured_q", "theory/rate_measured_slopes", "theory/rate_closure"),
    *("theory/rate_kernels", "theory/rate_kernels_sd", "theory/rate_spreads"),
    *("grad/rate_rms", "grad/effective_samples", "grad/global_norm_median", "grad/spikes"),
    *("sensitivity/log10_ratio", "sensitivity/lag_95"),
    *("theory/rate_bound", "theory/lambda_1"),
    *("with/seq_len", "with/units", "with/batch_size", "with/seed", "with/init_gain", "with/clip_threshold"),
    *("with/learning_rate", "with/log10_learning_rate"),
    *("time/steps_per_second", "time/train_seconds", "time/total_seconds"),
}


class Left:
    """What the one run in `outputs` left."""

    def __init__(self, outputs=Path("outputs")):
        (status,) = outputs.glob("*/*/status.json")
        self.folder = status.parent
        self.status = json.loads(status.read_text())["status"]
        self.tags = json.loads((self.folder / "tags.json").read_text())
        with (self.folder / "metrics.csv").open() as file:
            self.points = {
                (row["key"], int(row["step"])): float(row["value"]) for row in csv.DictReader(file)
            }

    def last(self, key):
        return self.points[max((name, step) for name, step in self.points if name == key)]

    def arrays(self):
        with np.load(self.folder / "gradient_flow.npz") as file:
            return {name: file[name] for name in file.files}


def composed(*overrides):
    return job_of(overrides)


def ran(*overrides):
    run_job(composed(*overrides))
    return Left()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed."""
    outputs = tmp_path_factory.mktemp("whole")
    run_job(composed(*SMALL, f"output_dir={outputs}"))
    return Left(outputs)


def assert_same_arrays(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name, strict=True)


def test_a_run_records_what_the_contract_names(whole):
    keys = {key for key, _ in whole.points}
    assert keys == METRICS
    assert len(keys) <= 60
    assert all(map(math.isfinite, whole.points.values()))
    assert whole.tags.keys() >= {
        *("verdict.gradient", "verdict.gradient_start", "verdict.learning", "budget_exhausted"),
        *("config_hash", "group_hash", "git.sha", "git.dirty"),
    }
    assert "diverged_at" not in whole.tags
    assert {step for key, step in whole.points if key == "train/loss"} == {0, 10, 20, 30}
    assert {step for key, step in whole.points if key == "grad/rate"} == {0, 20, 40}
    assert {step for key, step in whole.points if key == "val/loss"} == {20, 40}


def test_the_records_agree_with_the_arrays(whole):
    arrays = whole.arrays()
    assert arrays["steps"].tolist() == list(range(40))
    assert arrays["log_norms"].shape == (40, 12)
    assert whole.points["train/loss", 20] == arrays["loss"][20]
    assert whole.last("train/loss_min") == arrays["loss"].min()
    assert whole.last("grad/global_norm_max") == arrays["global_norm"].max()
    assert whole.last("grad/clip_fraction") == arrays["clipped"].mean()
    assert arrays["clipped"].any()
    np.testing.assert_allclose(arrays["clipped_norm"][arrays["clipped"]], 0.1, rtol=1e-5)


def test_a_run_leaves_figures_model_and_log_and_no_checkpoint(whole):
    assert {path.stem for path in (whole.folder / "figures").glob("*.png")} == {*catalogue()}
    network = keras.models.load_model(whole.folder / "model.keras")
    assert network.get_layer("recurrent").cell.units == 8
    assert not (whole.folder / "checkpoint.npz").exists()
    log = (whole.folder / "run.log").read_text()
    for line in (
        "step 0: rate ",
        "step 20: validation loss ",
        "step 40: validation loss ",
        "verdict.gradient ",
    ):
        assert line in log


def interrupt_at(monkeypatch, step, end):
    """Call `end` when `step` was read from the device."""
    observer = callbacks.observer

    def interrupted(*arguments):
        hooks = observer(*arguments)

        def on_block(block):
            if step in block.train_steps:
                end()
            hooks.on_block(block)

        return dataclasses.replace(hooks, on_block=on_block)

    monkeypatch.setattr(callbacks, "observer", interrupted)


def test_a_run_that_was_stopped_and_resumed_is_the_same_run(whole, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(Killed):
        interrupt_at(patched, 10, lambda: signal.raise_signal(signal.SIGTERM))
        run_job(composed(*SMALL, *BARE))
    stopped = Left()
    assert stopped.status == "KILLED"
    assert stopped.arrays()["steps"].tolist() == list(range(20))
    resumed = ran(*SMALL, *BARE, "resume=true")
    assert resumed.status == "FINISHED"
    assert resumed.folder == stopped.folder
    assert_same_arrays(resumed.arrays(), whole.arrays())

    def timeless(left):
        return {place: value for place, value in left.points.items() if not place[0].startswith("time/")}

    assert timeless(resumed) == timeless(whole)
    assert resumed.tags.keys() == whole.tags.keys()


def test_a_fault_in_mid_training_keeps_what_there_was(monkeypatch):
    def fail():
        raise ZeroDivisionError("of nothing")

    interrupt_at(monkeypatch, 30, fail)
    with pytest.raises(ZeroDivisionError):
        run_job(composed(*SMALL))
    left = Left()
    assert left.status == "FAILED"
    assert left.arrays()["steps"][-1] >= 19
    log = (left.folder / "run.log").read_text()
    assert "the run failed: ZeroDivisionError: of nothing" in log
    assert "Traceback (most recent call last):" in log


class Broken(StatelessClip):
    def _clip(self, gradients):
        raise RuntimeError("no such clip")


def test_a_part_that_raises_ends_it_failed():
    whole_job = composed(*SMALL)
    with pytest.raises(RuntimeError, match="no such clip"):
        run_job(dataclasses.replace(whole_job, plan=dataclasses.replace(whole_job.plan, clip=Broken())))
    left = Left()
    assert left.status == "FAILED"
    assert 'raise RuntimeError("no such clip")' in (left.folder / "run.log").read_text()
    assert left.arrays()["steps"].tolist() == []


def test_a_linear_orthogonal_network_keeps_the_gradient():
    left = ran(*TINY, *BARE, "activation=linear", "init=orthogonal", "steps=0", "seq_len=200")
    assert abs(left.last("recurrent/sigma_max") - 1) < 1e-5
    assert abs(left.last("recurrent/spectral_radius") - 1) < 1e-5
    assert abs(left.last("grad/rate")) < 1e-3
    assert left.tags["verdict.gradient"] == "stable"


def test_a_shrunk_identity_loses_the_gradient_at_its_known_rate():
    # Without training: after one step the identity is one no more.
    shrunk = ("activation=linear", "init=identity", "init.gain=0.9", "steps=0", "seq_len=200")
    left = ran(*TINY, *BARE, *shrunk)
    assert left.last("grad/rate") == pytest.approx(math.log(0.9), rel=0.01)
    assert left.last("grad/log10_ratio") == pytest.approx(199 * math.log10(0.9), rel=0.01)
    assert left.tags["verdict.gradient"] == "vanishing"


def test_a_run_that_diverges_is_a_result(capsys):
    exploding = ("activation=relu", "init=gaussian", "init.gain=3", "seq_len=200", "steps=60")
    left = ran(*TINY, "units=50", "figures.format=none", *exploding)
    assert left.status == "FINISHED"
    assert left.tags["verdict.learning"] == "diverged"
    assert left.tags["verdict.gradient_start"] == "exploding"
    assert left.tags["diverged_at"].isdigit()
    assert left.tags["budget_exhausted"] == "false"
    assert all(map(math.isfinite, left.points.values()))
    assert not (left.folder / "model.keras").exists()
    assert not np.isfinite(left.arrays()["loss"]).all()
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        f"diverged at training step {left.tags['diverged_at']}: the loss or a gradient was not finite"
        in shown
    )
    assert "before training the gradient was exploding" in shown


def test_without_training_the_start_is_measured(capsys):
    left = ran(*SMALL, "steps=0")
    assert left.status == "FINISHED"
    assert {step for _, step in left.points} == {0}
    drawn = {path.stem for path in (left.folder / "figures").glob("*.png")}
    assert drawn == {*catalogue()} - {*OF_TRAINING}
    assert "train/loss" not in {key for key, _ in left.points}
