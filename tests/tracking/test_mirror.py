"""Records that are files first: outages of MLflow, and the records that arrive afterwards."""

import contextlib
import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import Mirror, Point, Tracker, Upload, ensure_store
from rnnexp.tracking.client import connect
from rnnexp.tracking.sync import main, sync


class Destination(NamedTuple):
    """A run's folder, and the store that is to have it."""

    folder: Path
    uri: str


@pytest.fixture
def destination(tracking_uri, tmp_path):
    return Destination(tmp_path / "run", tracking_uri)


def mirrored(destination, **options):
    upload = Upload(destination.folder, destination.uri, "study", "relu-T200-s1")
    mirror = Mirror(upload, **{"patience": 10.0, **options})
    return Tracker(destination.folder, "relu-T200-s1", mirror)


def write_all(tracker, folder):
    tracker.params({"units": 8, "clip": {"threshold": 1}})
    tracker.tags({"verdict.learning": "solved"})
    tracker.metrics([Point("loss", 0.5, 0), Point("loss", 0.25, 1), Point("loss", float("nan"), 2)])
    (folder / "arrays.npz").write_bytes(b"numbers")
    tracker.artifact(folder / "arrays.npz")
    (folder / "words.txt").write_text("in words")
    tracker.artifact(folder / "words.txt", "notes")


def in_mlflow(destination):
    """What MLflow has of the only run of the experiment, by its own client."""
    client = connect(destination.uri)
    experiment = client.get_experiment_by_name("study")
    (run,) = client.search_runs([experiment.experiment_id])
    history = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    return run, sorted(history), files


def assert_whole(destination):
    run, history, files = in_mlflow(destination)
    assert run.info.status == "FINISHED" and run.info.run_name == "relu-T200-s1"
    assert run.data.params == {"units": "8", "clip.threshold": "1"}
    assert run.data.tags["verdict.learning"] == "solved"
    assert history == [(0, 0.5), (1, 0.25)]
    assert files == {"arrays.npz", "notes"}


@contextlib.contextmanager
def locked(destination):
    """Somebody else holds the database."""
    ensure_store(destination.uri, "other")
    path = destination.uri.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def test_with_mlflow_at_hand_it_has_everything(destination):
    tracker = mirrored(destination)
    write_all(tracker, destination.folder)
    tracker.end("FINISHED")
    assert tracker.complete
    assert_whole(destination)
    assert tracker.run_id in tracker.place.where
    assert json.loads((destination.folder / "params.json").read_text())["units"] == "8"


def test_an_outage_costs_no_time_and_no_record(destination, caplog):
    with locked(destination):
        began = time.monotonic()
        tracker = mirrored(destination, patience=1.0)
        write_all(tracker, destination.folder)
        tracker.flush()
        assert time.monotonic() - began < 4
        assert str(destination.folder) in tracker.place.where
    assert [record.message for record in caplog.records if "MLflow is away" in record.message]
    deadline = time.monotonic() + 30
    while tracker.run_id is None and time.monotonic() < deadline:
        time.sleep(0.1)
    tracker.end("FINISHED")
    assert tracker.complete
    assert_whole(destination)
    assert "MLflow is back: it has all records up to now" in [record.message for record in caplog.records]


def test_a_server_that_hangs_does_not_hold_a_stop_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        began = time.monotonic()
        tracker = mirrored(Destination(tmp_path / "run", address), patience=60.0, told_to_stop=stop.is_set)
        tracker.metrics([Point("loss", 1.0, 0)])
        tracker.end("KILLED")
        assert time.monotonic() - began < 8
    assert not tracker.complete
    assert (tmp_path / "run" / "metrics.csv").read_text().count("loss") == 1


def test_what_mlflow_refuses_is_refused_before_training(destination):
    client = connect(destination.uri)
    client.delete_experiment(ensure_store(destination.uri, "study"))
    with pytest.raises(ArgumentError, match=r"^tracking.experiment: expected one that is not deleted"):
        mirrored(destination)


LEAVES = """
import os, sys
from pathlib import Path
from rnnexp.tracking import Mirror, Point, Tracker, Upload
folder, uri = Path(sys.argv[1]), sys.argv[2]
mirror = Mirror(Upload(folder, uri, "study", "relu-T200-s1"), patience=0.2)
tracker = Tracker(folder, "relu-T200-s1", mirror)
tracker.params({"units": 8, "clip": {"threshold": 1}})
tracker.tags({"verdict.learning": "solved"})
tracker.metrics([Point("loss", 0.5, 0), Point("loss", 0.25, 1)])
(folder / "arrays.npz").write_bytes(b"numbers")
tracker.artifact(folder / "arrays.npz")
(folder / "words.txt").write_text("in words")
tracker.artifact(folder / "words.txt", "notes")
tracker.end("FINISHED")
os._exit(0)
"""


def left_behind(destination):
    """A run whose process ended while MLflow was away."""
    destination.folder.mkdir()
    with locked(destination):
        command = [sys.executable, "-c", LEAVES, str(destination.folder), destination.uri]
        subprocess.run(command, check=True, capture_output=True)


def test_sync_sends_what_is_missing_once(destination):
    left_behind(destination)
    assert sync(destination.folder)
    assert_whole(destination)
    assert not sync(destination.folder)
    assert_whole(destination)


def test_sync_by_its_command(destination, capsys, tmp_path):
    left_behind(destination)
    assert main([str(tmp_path)]) == 0
    assert main([str(destination.folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{destination.folder}: sent",
        f"{destination.folder}: nothing to send",
    ]
    assert_whole(destination)


def test_sync_of_what_is_no_run_gets_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "python run.py sync: folder: expected the folder of a run with tracking=mlflow, or one above such "
        f"folders, received {str(tmp_path)!r}\n"
    )


def test_a_run_that_was_deleted_in_mlflow_is_recorded_anew(destination):
    tracker = mirrored(destination)
    write_all(tracker, destination.folder)
    tracker.end("KILLED")
    first = tracker.run_id
    connect(destination.uri).delete_run(first)
    again = mirrored(destination)
    again.end("FINISHED")
    assert again.complete and again.run_id != first
    assert_whole(destination)
