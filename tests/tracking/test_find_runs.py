"""Runs that are looked up."""

import http.server
import threading

import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import MlflowTracker, ensure_store, run_with_tags
from rnnexp.tracking.client import connect
from rnnexp.tracking.find_runs import find_run
from rnnexp.tracking.store_check import is_known


@pytest.fixture
def mlflow(tracking_uri):
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    return mlflow


def test_the_active_run_is_found_with_its_store(mlflow, tracking_uri):
    with mlflow.start_run() as run:
        assert find_run() == (tracking_uri, run.info.run_id, None)


def test_what_is_given_wins(mlflow, tracking_uri):
    other = connect(tracking_uri).create_run("0").info.run_id
    connect(tracking_uri).set_terminated(other, "KILLED")
    mlflow.set_tracking_uri("sqlite:///elsewhere.db")
    assert find_run(other, tracking_uri) == (tracking_uri, other, "KILLED")


def test_without_any_run_one_is_asked_for(mlflow):
    with pytest.raises(ArgumentError, match=r"^run_id: expected the id of an MLflow run, or an active run"):
        find_run()


def test_a_database_knows_its_runs_until_they_are_deleted(tracking_uri, tmp_path):
    tracker = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "e"), "run")
    tracker.end("FINISHED")
    assert is_known(tracking_uri, tracker.run_id)
    assert not is_known(tracking_uri, "0" * 32)
    connect(tracking_uri).delete_run(tracker.run_id)
    assert not is_known(tracking_uri, tracker.run_id)
    assert not is_known(f"sqlite:///{tmp_path}/absent.db", tracker.run_id)
    assert not (tmp_path / "absent.db").exists()


@pytest.fixture
def server():
    """Answers as MLflow does: one run, one deleted run, a login wanted for the third, else 404."""
    answers = {
        "here": (200, b'{"run": {"info": {"lifecycle_stage": "active"}}}'),
        "gone": (200, b'{"run": {"info": {"lifecycle_stage": "deleted"}}}'),
        "locked": (401, b""),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, run_id = self.path.partition("?run_id=")
            assert path == "/api/2.0/mlflow/runs/get"
            code, body = answers.get(run_id, (404, b""))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("run_id", "known"), [("here", True), ("gone", False), ("locked", True), ("no", False)]
)
def test_a_server_is_asked(server, monkeypatch, run_id, known):
    monkeypatch.setenv("no_proxy", "*")
    assert is_known(server, run_id) is known


def test_who_cannot_be_asked_is_taken_to_know(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    assert is_known("postgresql://host/base", "any")
    assert is_known("http://127.0.0.1:1", "any")


@pytest.mark.parametrize("folder", ["/runs/a", "/runs/it's", '/runs/"a"'])
def test_a_run_is_found_by_all_of_its_tags(tracking_uri, folder):
    experiment = ensure_store(tracking_uri, "study")
    tags = {"run_folder": folder, "sweep_id": "s"}
    run = MlflowTracker(tracking_uri, experiment, "a", tags=tags)
    MlflowTracker(tracking_uri, experiment, "b", tags={"run_folder": folder, "sweep_id": "other"})
    assert run_with_tags(tracking_uri, experiment, tags) == run.run_id
    assert run_with_tags(tracking_uri, experiment, {"run_folder": "/runs/b"}) is None
    assert run_with_tags(tracking_uri, ensure_store(tracking_uri, "other"), tags) is None
