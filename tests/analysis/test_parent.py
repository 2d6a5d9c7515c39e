from pathlib import Path

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from rnnexp.analysis import parent
from rnnexp.analysis.parent import keep_with_parent
from rnnexp.tracking import MlflowTracker, ensure_store
from rnnexp.tracking.client import connect

FILES = [Path("a"), Path("b"), Path("c")]
CHILDREN = pd.DataFrame({"parent_id": ["p", "p"]})


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


def test_every_file_is_an_artifact_of_the_parent_and_replaces_the_one_before(tracking_uri, tmp_path):
    run = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "sweep").run_id
    runs = pd.DataFrame({"parent_id": [run] * 3})
    files = [tmp_path / "report.html", tmp_path / "runs.csv"]
    for content in ("first", "second"):
        for path in files:
            path.write_text(content)
        assert keep_with_parent(runs, files, tracking_uri) == run
    client = connect(tracking_uri)
    assert [file.path for file in client.list_artifacts(run, "report")] == [
        "report/report.html",
        "report/runs.csv",
    ]
    kept = client.download_artifacts(run, "report/runs.csv", str(tmp_path))
    assert Path(kept).read_text() == "second"


@pytest.mark.parametrize("parents", [["p", "q"], ["p", None], ["p", float("nan")], [None, None], []])
def test_without_one_parent_of_all_no_store_is_asked(parents, monkeypatch):
    monkeypatch.setattr(parent, "connect", lambda _: pytest.fail("a store was asked"))
    assert (
        keep_with_parent(pd.DataFrame({"parent_id": parents}, dtype=object), FILES, "sqlite:///a.db") is None
    )
    assert keep_with_parent(CHILDREN, FILES, None) is None


@pytest.mark.parametrize("error", [MlflowException("no such run"), OSError("full"), ConnectionError()])
def test_what_the_store_does_not_take_is_no_reason_to_fail(error, monkeypatch):
    client = Client(error)
    monkeypatch.setattr(parent, "connect", lambda _: client)
    assert keep_with_parent(CHILDREN, FILES, "sqlite:///a.db") is None
    assert client.taken == [("p", "a", "report")]


def test_a_fault_that_is_none_of_the_stores_is_seen(monkeypatch):
    monkeypatch.setattr(parent, "connect", lambda _: Client(TypeError("a fault")))
    with pytest.raises(TypeError, match="a fault"):
        keep_with_parent(CHILDREN, FILES, "sqlite:///a.db")
