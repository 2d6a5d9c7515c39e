from pathlib import Path

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from rnnexp.analysis import files
from rnnexp.analysis.files import collect_files


@pytest.fixture
def runs(tmp_path):
    """Runs whose file lies in the folder, among local artifacts, at a file: address, on a server, nowhere."""
    for name in ("folder", "with space", "artifacts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.npz").write_text(name)
    return pd.DataFrame(
        {
            "run_id": ["a", "b", "c", "d", "e"],
            "run_folder": [str(tmp_path / "folder"), str(tmp_path / "absent"), None, None, None],
            "artifacts": [
                "mlflow-artifacts:/1/a",
                str(tmp_path / "artifacts"),
                (tmp_path / "with space").as_uri(),
                "mlflow-artifacts:/1/d",
                "mlflow-artifacts:/1/e",
            ],
        }
    )


def test_files_are_found_where_they_lie(runs, tmp_path):
    found = collect_files(runs, "a.npz", None, tmp_path)
    assert {run: path.read_text() for run, path in found.items()} == {
        "a": "folder",
        "b": "artifacts",
        "c": "with space",
    }


def test_what_lies_on_a_server_is_downloaded(runs, tmp_path, monkeypatch):
    class Client:
        def download_artifacts(self, run, name, folder):
            if run == "e":
                raise MlflowException("no such artifact")
            path = Path(folder) / name
            path.write_text(f"{run} from afar")
            return str(path)

    asked = []

    def connect(address):
        asked.append(address)
        return Client()

    monkeypatch.setattr(files, "connect", connect)
    found = collect_files(runs, "a.npz", "http://host:5000", tmp_path)
    assert set(found) == {"a", "b", "c", "d"}
    assert found["d"].read_text() == "d from afar"
    assert asked == ["http://host:5000"] * 2
    assert set(collect_files(runs, "a.npz", "sqlite:///a.db", tmp_path)) == {"a", "b", "c"}
