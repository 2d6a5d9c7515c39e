"""What holds for the records in a folder and for those in MLflow, by a second reader; then of the folder."""

import csv
import json
import math
import time
from typing import Any

import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import MlflowTracker, Point, Tracker, ensure_store
from rnnexp.tracking.client import connect


class InMlflow:
    def __init__(self, uri):
        self.uri = uri

    def open(self, run_id: str | None = None) -> Any:
        return MlflowTracker(self.uri, ensure_store(self.uri, "study"), "relu-T200-s1", run_id=run_id)

    def _run(self, tracker):
        return connect(self.uri).get_run(tracker.run_id)

    def params(self, tracker):
        return self._run(tracker).data.params

    def tags(self, tracker):
        return {
            key: value for key, value in self._run(tracker).data.tags.items() if not key.startswith("mlflow.")
        }

    def points(self, tracker, key):
        history = connect(self.uri).get_metric_history(tracker.run_id, key)
        return sorted((point.step, point.value) for point in history)

    def status(self, tracker):
        return self._run(tracker).info.status

    def text(self, tracker, name):
        import mlflow.artifacts

        uri = f"{self._run(tracker).info.artifact_uri}/{name}"
        return mlflow.artifacts.load_text(uri)


class InFiles:
    def __init__(self, folder):
        self.folder = folder

    def open(self, run_id: str | None = None) -> Any:
        return Tracker(self.folder, "relu-T200-s1")

    def params(self, tracker):
        return json.loads((self.folder / "params.json").read_text())

    def tags(self, tracker):
        return json.loads((self.folder / "tags.json").read_text())

    def points(self, tracker, key):
        with (self.folder / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        return sorted((int(row["step"]), float(row["value"])) for row in rows if row["key"] == key)

    def status(self, tracker):
        return json.loads((self.folder / "status.json").read_text())["status"]

    def text(self, tracker, name):
        """What MLflow is to show under that name."""
        (listed,) = [
            file
            for file, folder in json.loads((self.folder / "artifacts.json").read_text())["files"]
            if "/".join(filter(None, (folder, file))) == name
        ]
        return (self.folder / listed).read_text()


@pytest.fixture(params=["mlflow", "files"])
def store(request, tmp_path):
    if request.param == "files":
        return InFiles(tmp_path / "run")
    return InMlflow(request.getfixturevalue("tracking_uri"))


def test_a_run_begins_running_and_ends_as_told(store):
    tracker = store.open()
    assert store.status(tracker) == "RUNNING"
    tracker.end("FAILED")
    assert store.status(tracker) == "FAILED"


def test_parameters_are_flat_text(store):
    tracker = store.open()
    tracker.params({"seed": 0, "jit": True, "clip": {"threshold": 1.0}, "path": None, "long": "x" * 7000})
    read = store.params(tracker)
    assert len(read.pop("long")) == 6000
    assert read == {"seed": "0", "jit": "true", "clip.threshold": "1.0", "path": "null"}


def test_many_parameters(store):
    tracker = store.open()
    tracker.params({f"p{index}": index for index in range(250)})
    assert store.params(tracker) == {f"p{index}": str(index) for index in range(250)}


def test_a_parameter_keeps_its_first_value(store):
    tracker = store.open()
    tracker.params({"steps": 100, "seed": 0})
    tracker.params({"steps": 200, "units": 8})
    assert store.params(tracker) == {"steps": "100", "seed": "0", "units": "8"}


def test_a_tag_takes_its_last_value(store):
    tracker = store.open()
    tracker.tags({"verdict.gradient": "stable", "budget_exhausted": False, "note": "x" * 9000})
    tracker.tags({"verdict.gradient": "vanishing"})
    read = store.tags(tracker)
    assert len(read.pop("note")) == 8000
    assert read == {"verdict.gradient": "vanishing", "budget_exhausted": "false"}


def test_finite_points_arrive(store):
    tracker = store.open()
    values = [0.1, math.nan, 1e-300, math.inf, -3.0]
    tracker.metrics(Point("grad/rate", value, step) for step, value in enumerate(values))
    tracker.end("FINISHED")
    assert store.points(tracker, "grad/rate") == [(0, 0.1), (2, 1e-300), (4, -3.0)]


def test_more_points_than_one_batch(store):
    tracker = store.open()
    tracker.metrics(Point(key, step / 7, step) for step in range(1100) for key in ("a", "b"))
    tracker.end("FINISHED")
    assert (
        store.points(tracker, "a") == store.points(tracker, "b") == [(step, step / 7) for step in range(1100)]
    )


def test_a_resumed_run_holds_each_step_once(store):
    first = store.open()
    first.params({"steps": 5, "resume": False})
    first.metrics(Point("loss", float(step), step) for step in range(4))
    first.metrics([Point("val", 0.5, 0)])
    first.end("KILLED")
    second = store.open(first.run_id)
    assert second.run_id == first.run_id
    assert store.status(second) == "RUNNING"
    second.params({"steps": 5, "resume": True, "more": 1})
    second.metrics(Point("loss", float(step), step) for step in range(2, 6))
    second.metrics([Point("val", 0.25, 2), Point("new", 1.0, 0)])
    second.end("FINISHED")
    assert store.points(second, "loss") == [(step, float(step)) for step in range(6)]
    assert store.points(second, "val") == [(0, 0.5), (2, 0.25)]
    assert store.points(second, "new") == [(0, 1.0)]
    assert store.params(second) == {"steps": "5", "resume": "false", "more": "1"}
    assert store.status(second) == "FINISHED"


def test_files_are_kept(store, tmp_path):
    tracker = store.open()
    path = tmp_path / "run" / "figure.svg"
    path.parent.mkdir(exist_ok=True)
    path.write_text("<svg/>")
    tracker.artifact(path)
    tracker.artifact(path, "figures")
    assert store.text(tracker, "figure.svg") == store.text(tracker, "figures/figure.svg") == "<svg/>"


def opened(folder):
    return Tracker(folder, "a")


def status(folder):
    return json.loads((folder / "status.json").read_text())


def test_only_the_first_end_counts(tmp_path):
    tracker = opened(tmp_path)
    tracker.end("KILLED")
    tracker.end("FINISHED")
    assert status(tmp_path)["status"] == "KILLED"


def test_other_ends_are_refused(tmp_path):
    with pytest.raises(
        ArgumentError, match="status: expected one of FINISHED, FAILED, KILLED, received 'DONE'"
    ):
        opened(tmp_path).end("DONE")


def test_an_end_that_was_interrupted_can_be_told_again(tmp_path):
    tracker = opened(tmp_path)
    tracker.metrics([Point("loss", 1.0, 0)])
    path = tmp_path / "metrics.csv"
    path.rename(tmp_path / "away")
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        tracker.end("FINISHED")
    path.rmdir()
    (tmp_path / "away").rename(path)
    tracker.end("KILLED")
    assert status(tmp_path)["status"] == "KILLED"
    assert path.read_text().splitlines()[1].startswith("loss,1.0,0,")


def test_the_status_holds_name_and_times(tmp_path):
    before = time.time_ns() // 1_000_000
    opened(tmp_path / "run").end("FINISHED")
    found = status(tmp_path / "run")
    assert (found["name"], found["status"]) == ("a", "FINISHED")
    assert before <= found["start_time"] <= found["end_time"]


def test_a_resumed_run_keeps_its_start(tmp_path):
    opened(tmp_path).end("KILLED")
    (tmp_path / "status.json").write_text(json.dumps(status(tmp_path) | {"start_time": 7}))
    Tracker(tmp_path, "b").end("FINISHED")
    assert (status(tmp_path)["name"], status(tmp_path)["start_time"]) == ("a", 7)


def test_where_it_lies(tmp_path):
    tracker = opened(tmp_path / "run")
    assert (tracker.run_id, tracker.place) == ("run", (str(tmp_path / "run"), None, None))


class Broken:
    """Stands for a model whose saving is cut short."""

    def save(self, path):
        path.write_bytes(b"half of it")
        raise OSError("no space left on device")


def test_a_model_is_in_its_place_when_it_is_whole(tmp_path):
    tracker = opened(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"of an earlier attempt")
    with pytest.raises(OSError, match="no space"):
        tracker.model(Broken())
    assert (tmp_path / "model.keras").read_bytes() == b"of an earlier attempt"
