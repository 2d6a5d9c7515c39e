import dataclasses
import json
from pathlib import Path

import pytest

from rnnexp.runs import build as experiment
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.outcome import Outcome
from rnnexp.sweep.parent_run import ParentRun
from rnnexp.sweep.request import Request
from rnnexp.sweep.table import Ending
from rnnexp.tracking.client import connect


@pytest.fixture
def folder():
    return SweepFolder.create(Path("outputs"))


def asked(address):
    first = experiment.compose_job([address, "seed=0"])
    jobs = ((address, "seed=0"), (address, "seed=1"))
    return Request(sweeping=True, typed=("seed=0,1",), jobs=jobs, first=first, launcher="basic", workers=1)


def ended(folder, *statuses):
    outcomes = [Outcome(n, (), status, learning="solved") for n, status in enumerate(statuses)]
    return Ending("t", outcomes, (), seconds=1.0, workers=1, folder=folder)


def test_without_mlflow_there_is_none(folder, tmp_path):
    parent = ParentRun(asked("tracking=none"), folder)
    assert (parent.where, parent.open_command) == (None, None)
    parent.end(ended(folder, "FINISHED", "FAILED"))
    assert folder.state.read() == {}


def test_it_names_the_sweep_is_ended_at_once_and_goes_on(folder, tracking_uri):
    request = asked(f"tracking.uri={tracking_uri}")
    parent = ParentRun(request, folder)
    run_id = folder.state.read()["run_id"]
    client = connect(tracking_uri)
    run = client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "sweep seed")
    assert (
        run.data.tags.items()
        >= {
            "sweep_id": folder.id,
            "sweep_folder": str(folder.path.absolute()),
            "mlflow.note.content": "`python run.py -m seed=0,1`",
        }.items()
    )
    assert run_id in str(parent.where)
    parent.end(ended(folder, "FINISHED", "FAILED"))
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags.items() >= {"sweep.solved": "1", "sweep.failed": "1", "sweep.killed": "0"}.items()
    assert run.data.tags["mlflow.note.content"].endswith("1 solved, 1 failed")
    table = Path(run.info.artifact_uri.removeprefix("file://"), "jobs.json")
    assert [row["status"] for row in json.loads(table.read_text())] == ["FINISHED", "FAILED"]

    ParentRun(request, folder).end(ended(folder, "FINISHED", "SKIPPED"))
    assert folder.state.read()["run_id"] == run_id
    assert client.get_run(run_id).info.status == "FINISHED"


def test_one_that_was_deleted_is_made_again(folder, tracking_uri):
    request = asked(f"tracking.uri={tracking_uri}")
    ParentRun(request, folder)
    first = folder.state.read()["run_id"]
    connect(tracking_uri).delete_run(first)
    ParentRun(request, folder)
    assert folder.state.read()["run_id"] != first


def test_a_store_that_is_gone_at_the_end_is_no_reason_to_fail(folder, tracking_uri, caplog):
    parent = ParentRun(asked(f"tracking.uri={tracking_uri}"), folder)
    parent._settings = dataclasses.replace(parent._settings, uri="sqlite:////nowhere/at/all.db")
    parent.end(ended(folder, "FINISHED"))
    assert "the sweep's own run could not be closed" in caplog.text


def test_one_that_was_opened_by_a_call_that_was_killed_is_no_second_one(folder, tracking_uri):
    request = asked(f"tracking.uri={tracking_uri}")
    ParentRun(request, folder)
    first = folder.state.read()["run_id"]
    folder.state.write({})
    ParentRun(request, folder)
    assert folder.state.read()["run_id"] == first
    ParentRun(request, SweepFolder.create(Path("outputs")))
    client = connect(tracking_uri)
    experiment = client.get_run(first).info.experiment_id
    runs = client.search_runs([experiment])
    assert len(runs) == 2
    assert {run.info.status for run in runs} == {"FINISHED"}
