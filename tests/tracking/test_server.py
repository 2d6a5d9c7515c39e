import socket
import subprocess
import sys

import pytest

from rnnexp.tracking import server
from rnnexp.tracking.client import connect
from rnnexp.tracking.links import verdicts_page
from rnnexp.tracking.store import ensure_store

PAGES = "http://127.0.0.1:5000"


def test_an_experiment_with_runs_has_a_link(tracking_uri):
    ensure_store(tracking_uri, "empty")
    experiment = ensure_store(tracking_uri, "study")
    connect(tracking_uri).create_run(experiment, run_name="a")
    assert server.links(tracking_uri, PAGES) == {"study": verdicts_page(PAGES, experiment)}


def test_a_wrong_address_is_one_sentence(working_folder, capsys):
    assert server.main(["--where", "./mlruns"]) == 2
    assert capsys.readouterr().err.startswith("python run.py ui: tracking.uri: expected sqlite:")


def test_a_port_that_is_taken_is_one_sentence(tracking_uri, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert server.main(["--where", tracking_uri, "--port", str(port)]) == 2
    assert capsys.readouterr().err.endswith(f"port: expected one that is free, received {port}\n")


@pytest.mark.sweep
def test_a_server_that_dies_tells_its_last_words(tmp_path, capfd):
    (tmp_path / "mlflow.db").write_text("no database")
    assert server.serve(f"sqlite:///{tmp_path}/mlflow.db", 5392) == 1
    assert "not a database" in capfd.readouterr().err


@pytest.mark.sweep
def test_the_pages_are_served_without_noise(tracking_uri):
    connect(tracking_uri).create_run(ensure_store(tracking_uri, "study"), run_name="a")
    command = [sys.executable, "-m", "rnnexp.tracking.server", "--where", tracking_uri, "--port", "5391"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(2)
        rest = process.stdout.read()
    assert lines[0] == "MLflow's pages are open:\n"
    assert lines[1].startswith("  study  http://127.0.0.1:5391/#/experiments/")
    assert (rest, process.returncode) == ("", 0)
