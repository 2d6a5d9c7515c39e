"""The parent of the runs of a command, in a store of its own."""

import signal
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking import MlflowTracker, ParentRun, ensure_store, parent_run
from rnnexp.tracking.client import connect
from rnnexp.tracking.parent_run import keep_with_parent

TAGS = {"sweep_id": "7"}


@pytest.fixture
def experiment(tracking_uri):
    return ensure_store(tracking_uri, "study")


def opened(uri, experiment, **more):
    return ParentRun(uri, experiment, "all", "`the command`", **more)


def test_without_mlflow_there_is_none():
    parent = opened(None, None, known=["a"], tags=TAGS)
    assert (parent.run_id, parent.where, parent.open_command) == (None, None, None)
    parent.end("FAILED", [Path("nowhere")])


def test_it_is_ended_at_once_and_says_at_the_end_what_was_found(tracking_uri, experiment, tmp_path):
    parent = opened(tracking_uri, experiment, tags=TAGS)
    client = connect(tracking_uri)
    run = client.get_run(parent.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "all")
    assert run.data.tags.items() >= {**TAGS, "mlflow.note.content": "`the command`"}.items()
    assert parent.run_id in str(parent.where)
    (tmp_path / "table.csv").write_text("a")
    parent.describe("two failed", {"sweep.failed": 2})
    parent.end("FAILED", [tmp_path / "table.csv"])
    run = client.get_run(parent.run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags.items() >= {"sweep.failed": "2", "mlflow.note.content": "two failed"}.items()
    assert [file.path for file in client.list_artifacts(parent.run_id)] == ["table.csv"]


def test_the_first_known_run_that_is_not_deleted_goes_on(tracking_uri, experiment):
    gone, kept = opened(tracking_uri, experiment).run_id, opened(tracking_uri, experiment).run_id
    connect(tracking_uri).delete_run(gone)
    assert opened(tracking_uri, experiment, known=[None, gone, kept]).run_id == kept
    assert opened(tracking_uri, experiment, known=[gone]).run_id not in (gone, kept)


def test_one_whose_id_was_lost_is_found_by_its_tags(tracking_uri, experiment):
    first = opened(tracking_uri, experiment, tags=TAGS).run_id
    assert opened(tracking_uri, experiment, tags=TAGS).run_id == first
    assert opened(tracking_uri, experiment, tags={"sweep_id": "8"}).run_id != first


@pytest.mark.parametrize(
    ("error", "status"), [(Killed(signal.SIGTERM), "KILLED"), (ZeroDivisionError(), "FAILED")]
)
def test_its_status_is_what_ended_the_command(error, status, tracking_uri, experiment):
    parent = opened(tracking_uri, experiment)
    with pytest.raises(type(error)), parent.ended(Interruption()):
        raise error
    assert connect(tracking_uri).get_run(parent.run_id).info.status == status


def test_one_that_is_gone_at_the_end_is_no_reason_to_fail(tracking_uri, experiment, caplog):
    parent = opened(tracking_uri, experiment)
    connect(tracking_uri).delete_experiment(experiment)
    connect(tracking_uri).delete_run(parent.run_id)
    parent.end("FINISHED")
    assert "the parent run in MLflow could not be closed" in caplog.text


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
