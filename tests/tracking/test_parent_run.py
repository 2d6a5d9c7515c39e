"""The parent of the runs of a command, in a store of its own."""

import contextlib
import json
import signal
import threading
import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking import MlflowTracker, ParentRun, Tracker, ensure_store, parent_run
from rnnexp.tracking.client import connect
from rnnexp.tracking.links import NOWHERE
from rnnexp.tracking.parent_run import keep_with_parent, within
from rnnexp.tracking.upload import update

TAGS = {"sweep_id": "7"}


def opened(uri, **more):
    return ParentRun(uri, "study", "all", "`the command`", **more)


def test_without_mlflow_there_is_none():
    parent = opened(None, known=["a"], tags=TAGS)
    assert (parent.run_id, parent.place) == (None, NOWHERE)
    parent.end("FAILED", [Path("nowhere")])


def test_it_is_ended_at_once_and_says_at_the_end_what_was_found(tracking_uri, tmp_path):
    parent = opened(tracking_uri, tags=TAGS)
    client = connect(tracking_uri)
    run = client.get_run(parent.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "all")
    assert run.data.tags.items() >= {**TAGS, "mlflow.note.content": "`the command`"}.items()
    assert parent.run_id in str(parent.place.where)
    (tmp_path / "table.csv").write_text("a")
    parent.describe("two failed", {"sweep.failed": 2})
    parent.end("FAILED", [tmp_path / "table.csv"])
    run = client.get_run(parent.run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags.items() >= {"sweep.failed": "2", "mlflow.note.content": "two failed"}.items()
    assert [file.path for file in client.list_artifacts(parent.run_id)] == ["table.csv"]


def test_the_first_known_run_that_is_not_deleted_goes_on(tracking_uri):
    gone, kept = opened(tracking_uri).run_id, opened(tracking_uri).run_id
    connect(tracking_uri).delete_run(gone)
    assert opened(tracking_uri, known=[None, gone, kept]).run_id == kept
    assert opened(tracking_uri, known=[gone]).run_id not in (gone, kept)


def test_one_whose_id_was_lost_is_found_by_its_tags(tracking_uri):
    first = opened(tracking_uri, tags=TAGS).run_id
    assert opened(tracking_uri, tags=TAGS).run_id == first
    assert opened(tracking_uri, tags={"sweep_id": "8"}).run_id != first


@pytest.mark.parametrize(
    ("error", "status"), [(Killed(signal.SIGTERM), "KILLED"), (ZeroDivisionError(), "FAILED")]
)
def test_its_status_is_what_ended_the_command(error, status, tracking_uri):
    parent = opened(tracking_uri)
    with pytest.raises(type(error)), parent.ended(Interruption()):
        raise error
    assert connect(tracking_uri).get_run(parent.run_id).info.status == status


def test_one_that_is_gone_at_the_end_is_no_reason_to_fail(tracking_uri, caplog):
    parent = opened(tracking_uri)
    Path(tracking_uri.removeprefix("sqlite:///")).write_bytes(b"no database any more")
    parent.end("FINISHED")
    assert "MLflow is away, the run of the command is not closed: " in caplog.text


@contextlib.contextmanager
def hidden(uri):
    """Nobody is at that address for a while."""
    path = Path(uri.removeprefix("sqlite:///"))
    kept = path.rename(path.with_name("kept"))
    path.mkdir()
    yield
    path.rmdir()
    kept.rename(path)


def test_one_that_mlflow_does_not_take_is_made_at_the_end(tracking_uri, tmp_path, caplog):
    below = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "one")
    late, sent = tmp_path / "late", tmp_path / "sent"
    for folder in (late, sent):
        Tracker(folder, "one").tags({"sweep_id": "7"})
    update(sent, run_id=below.run_id)
    with hidden(tracking_uri):
        parent = opened(tracking_uri, tags=TAGS)
        assert parent.run_id is None
        assert "MLflow is away, the run of the command is made at its end: " in caplog.text
    parent.below = [late, sent]
    parent.end("FINISHED")
    assert connect(tracking_uri).get_run(parent.run_id).info.status == "FINISHED"
    assert connect(tracking_uri).get_run(below.run_id).data.tags["mlflow.parentRunId"] == parent.run_id
    assert json.loads((late / "tags.json").read_text())["mlflow.parentRunId"] == parent.run_id


def test_what_hangs_is_left_behind():
    over = threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer in 0.1 s"):
        within(0.1, lambda: over.wait(60))
    with pytest.raises(TimeoutError):
        within(60.0, lambda: over.wait(60), told_to_stop=lambda: True)
    assert time.monotonic() - began < 20
    over.set()


FILES = [Path("a"), Path("b"), Path("c")]
PARENTS = ["p"]


class Client:
    """Takes files until one has the name that it fails at."""

    def __init__(self, error=None, at="b"):
        self.taken: list[tuple[str, str, str]] = []
        self._error = error
        self._at = at

    def log_artifact(self, run, path, folder):
        if self._error is not None and path == self._at:
            raise self._error
        self.taken.append((run, path, folder))


def test_each_file_replaces_its_artifact_on_the_parent_run(tracking_uri, tmp_path):
    run = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "sweep").run_id
    files = [tmp_path / "report.html", tmp_path / "runs.csv"]
    for content in ("first", "second"):
        for path in files:
            path.write_text(content)
        assert keep_with_parent([run], files, tracking_uri) == run
    client = connect(tracking_uri)
    assert [file.path for file in client.list_artifacts(run, "report")] == [
        "report/report.html",
        "report/runs.csv",
    ]
    kept = client.download_artifacts(run, "report/runs.csv", str(tmp_path))
    assert Path(kept).read_text() == "second"


@pytest.mark.parametrize("parents", [["p", "q"], ["p", None], [float("nan")], [None], []])
def test_without_one_parent_of_all_no_store_is_asked(parents, monkeypatch):
    monkeypatch.setattr(parent_run, "connect", lambda _: pytest.fail("a store was asked"))
    assert keep_with_parent(parents, FILES, "sqlite:///a.db") is None
    assert keep_with_parent(PARENTS, FILES, None) is None


@pytest.mark.parametrize("error", [MlflowException("no such run"), OSError("full"), ConnectionError()])
def test_what_the_store_does_not_take_is_no_reason_to_fail(error, monkeypatch):
    client = Client(error)
    monkeypatch.setattr(parent_run, "connect", lambda _: client)
    assert keep_with_parent(PARENTS, FILES, "sqlite:///a.db") is None
    assert client.taken == [("p", "a", "report")]


def test_a_fault_that_is_none_of_the_stores_is_seen(monkeypatch):
    monkeypatch.setattr(parent_run, "connect", lambda _: Client(TypeError("a fault")))
    with pytest.raises(TypeError, match="a fault"):
        keep_with_parent(PARENTS, FILES, "sqlite:///a.db")
