"""The end of a run, from what a small training found: once as it is, once as if it had diverged."""

import contextlib
import dataclasses
import json
import time
from typing import NamedTuple

import keras
import numpy as np
import pytest

from rnnexp.diagnosis.comparison import RATIO
from rnnexp.plotting.run_figures import catalogue
from rnnexp.report.terminal import Summary
from rnnexp.runs import build
from rnnexp.runs.finish import finish
from rnnexp.runs.run_context import OpenRun
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.signals import Interruption, interruption
from rnnexp.tracking import Tracker
from rnnexp.training.replica import Observer, Result
from rnnexp.training.trainer import Member, Trainer

SMALL = (
    *("tracking=none", "seq_len=8", "units=4", "batch_size=4", "steps=6", "jit=false"),
    *("probe.batch_size=4", "probe.bootstrap=100", "checkpoint.every=0"),
)


class Concluded(NamedTuple):
    """What `finish` was given, what it returned, and where it wrote."""

    network: keras.Model
    result: Result
    summary: Summary
    folder: RunFolder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    job = build.compose_job(SMALL)
    told = Observer(
        on_block=lambda block: None,
        on_measurement=lambda measurement: None,
        on_validation=lambda validated: None,
        on_checkpoint=lambda: None,
    )
    with interruption() as signals:
        member = Member(job.plan, tmp_path_factory.mktemp("state") / "state.npz", told)
        trainer = Trainer([member], signals)
        return job, trainer.replicas[0].network, trainer.run([False])[0]


@pytest.fixture(scope="module")
def as_it_is(trained, tmp_path_factory):
    return concluded(trained, tmp_path_factory.mktemp("as_it_is"))


def concluded(trained, tmp_path, figure_format="png", **changes):
    job, network, found = trained
    job = dataclasses.replace(job, figure_format=figure_format)
    result = dataclasses.replace(found, **changes)
    folder = RunFolder.create(tmp_path, job.name)
    tracker = Tracker(folder.path, job.name)
    run = OpenRun(job, folder, tracker, resumed=False, records=contextlib.ExitStack())
    summary = finish(run, network, result, Interruption(), time.perf_counter())
    tracker.end("FINISHED")
    return Concluded(network, result, summary, folder)


def tags(found):
    return json.loads((found.folder.path / "tags.json").read_text())


def test_the_summary_says_what_was_found(as_it_is):
    found = as_it_is
    score, gradient = found.result.validations[-1].score, found.result.end.gradient
    assert (found.summary["val/loss"], found.summary["val/error"]) == (score.loss, score.error)
    assert (found.summary["grad/rate"], found.summary.measured(RATIO).value) == (
        gradient.rate,
        gradient.log10_ratio,
    )
    assert found.summary.learning_verdict == tags(found)["verdict.learning"]
    assert found.summary.gradient_verdict == tags(found)["verdict.gradient"]
    assert found.folder.state()["verdicts"]["verdict.gradient"] == found.summary.gradient_verdict
    assert found.summary.notes == ()


def test_figures_arrays_theory_words_and_model_are_kept(as_it_is):
    found = as_it_is
    path = found.folder.path
    assert {path.stem for path in found.folder.figures.glob("*.png")} == {*catalogue()}
    with np.load(found.folder.arrays) as arrays:
        np.testing.assert_array_equal(arrays["loss"], found.result.history.kept.series("loss"))
    assert len((path / "theory.csv").read_text().splitlines()) > 1
    sentences = [line.rpartition("  [")[0] for line in (path / "verdict.txt").read_text().splitlines()]
    sentences = [sentence.partition("  python run.py ")[0] for sentence in sentences]
    assert " ".join(sentences) == found.summary.words == tags(found)["mlflow.note.content"]
    assert [line for line in (path / "verdict.txt").read_text().splitlines() if "  python run.py " in line]
    state = found.folder.state()
    assert tags(found)["remedy"] == " ".join(state["remedies"][0])
    assert found.summary.remedies[0].endswith(state["remedies"][0][-1])
    kept = keras.models.load_model(path / "model.keras")
    for weight, expected in zip(kept.get_weights(), found.network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_the_summary_says_what_the_clip_did(trained, tmp_path):
    metrics = {"grad/skipped": 2.0, "grad/replaced": 3.0, "grad/clip_threshold": 0.9371}
    found = concluded(trained, tmp_path, "none", clip_metrics=metrics)
    assert found.summary.notes == (
        "2 updates were skipped, as a gradient was not finite",
        "3 gradients were lost (norm not finite or above 1e10): W_hh shrank in their place",
        "the clip found a threshold of 0.937",
    )
    rows = (found.folder.path / "metrics.csv").read_text()
    assert all(f"\n{name}," in rows for name in metrics)


def test_of_a_run_that_diverged_there_is_the_step_and_no_model(trained, tmp_path):
    found = concluded(trained, tmp_path, "none", diverged_at=3, validations=[])
    assert tags(found)["diverged_at"] == "3"
    assert not (found.folder.path / "model.keras").exists()
    assert found.summary.learning_verdict == "diverged"
    assert np.isnan(found.summary["val/loss"])
    assert found.summary.notes[0].startswith("diverged at training step 3: ")
