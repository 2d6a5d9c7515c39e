import os
import sys

import pytest

from rnnexp.tracking import pages


def test_of_a_server_its_address_is_said_without_login(capsys):
    assert pages.main(["--where", "http://ann:secret@localhost:5001"]) == 0
    assert capsys.readouterr().out == "a server keeps the runs, open it: http://localhost:5001\n"


def test_a_wrong_store_is_one_sentence(capsys):
    assert pages.main(["--where", "mlruns"]) == 2
    assert capsys.readouterr().err.startswith("python run.py ui: tracking.uri: expected sqlite:///FILE")


def test_mlflow_takes_the_place_of_this_process(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/a.db")
    begun = []

    def execv(path, command):
        begun.append((path, command))
        raise SystemExit

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(SystemExit):
        pages.main(["--port", "5007"])
    uri = f"sqlite:///{tmp_path}/a.db"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--port", "5007"]
    assert begun == [(sys.executable, command)]
    assert "http://127.0.0.1:5007" in capsys.readouterr().out
