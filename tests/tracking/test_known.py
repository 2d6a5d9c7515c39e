import http.server
import threading

import pytest

from rnnexp.tracking import MlflowTracker, ensure_store
from rnnexp.tracking.client import connect
from rnnexp.tracking.known import is_known


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
