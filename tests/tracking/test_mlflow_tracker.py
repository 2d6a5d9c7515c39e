import getpass
import re
import shlex

import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import MlflowTracker, Point, ensure_store
from rnnexp.tracking.client import connect
from rnnexp.tracking.mlflow_tracker import open_meant
from rnnexp.tracking.mlflow_tracker import open_run as opened


@pytest.fixture
def open_run(tracking_uri):
    experiment = ensure_store(tracking_uri, "study")
    return lambda name="a", **options: MlflowTracker(tracking_uri, experiment, name, **options)


def test_the_run_bears_its_name_user_and_source(open_run, tracking_uri):
    run = connect(tracking_uri).get_run(open_run("relu-T200-s1").run_id)
    assert run.info.run_name == "relu-T200-s1"
    assert run.data.tags["mlflow.user"] == getpass.getuser()
    assert "mlflow.source.name" in run.data.tags


def test_a_user_without_a_name_is_no_fault(open_run, tracking_uri, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert connect(tracking_uri).get_run(open_run().run_id).data.tags["mlflow.user"] == "unknown"


def test_a_run_lies_under_its_parent_although_that_has_ended(open_run, tracking_uri):
    parent = open_run("sweep")
    parent.end("FINISHED")
    child = open_run(tags={"mlflow.parentRunId": parent.run_id})
    client = connect(tracking_uri)
    found = client.search_runs(
        [client.get_experiment_by_name("study").experiment_id], f"tags.mlflow.parentRunId = '{parent.run_id}'"
    )
    assert [run.info.run_id for run in found] == [child.run_id]


def test_two_runs_of_one_process_do_not_mix(open_run, tracking_uri):
    import mlflow

    first, second = open_run("first"), open_run("second")
    first.metrics([Point("loss", 1.0, 0)])
    second.metrics([Point("loss", 2.0, 0)])
    first.end("FINISHED")
    second.end("FINISHED")
    client = connect(tracking_uri)
    assert [client.get_run(run.run_id).data.metrics["loss"] for run in (first, second)] == [1.0, 2.0]
    assert mlflow.active_run() is None


def test_where_it_lies_and_how_to_open_it(open_run, tracking_uri, tmp_path):
    tracker = open_run("a")
    assert tracker.place.where == f"{tmp_path}/mlflow.db, run a ({tracker.run_id})"
    assert tracker.place.open_command == f"mlflow ui --backend-store-uri {shlex.quote(tracking_uri)}"
    assert tracker.place.page.startswith("http://127.0.0.1:5000/#/experiments/")


def test_an_unknown_run_cannot_be_reopened(open_run):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=re.escape("Run with id=0123 not found")):
        open_run(run_id="0123")


def test_the_address_of_the_process_is_left_alone(open_run, monkeypatch, tmp_path):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    open_run().end("FINISHED")
    assert mlflow.get_tracking_uri() == f"sqlite:///{tmp_path}/other.db"
    assert not (tmp_path / "other.db").exists()


def test_a_server_is_shown_by_the_page_of_the_run(open_run):
    tracker = open_run()
    experiment = tracker._info.experiment_id
    tracker._uri = "https://ann:secret@host/mlflow"
    page = f"https://host/mlflow/#/experiments/{experiment}/runs"
    assert tracker.place.where == f"{page}/{tracker.run_id}?workflowType=machine_learning"
    assert tracker.place.page == f"{page}?workflowType=machine_learning&viewStateShareKey=verdicts"
    assert tracker.place.open_command is None


@pytest.fixture
def mlflow(tracking_uri):
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    return mlflow


def test_the_active_run_is_found_with_its_store(mlflow, tracking_uri):
    with mlflow.start_run() as run:
        tracker, ended = open_meant()
        assert (tracker.run_id, ended) == (run.info.run_id, None)
        tracker.tags({"seen": "yes"})
    assert connect(tracking_uri).get_run(run.info.run_id).data.tags["seen"] == "yes"


def test_what_is_given_wins(mlflow, tracking_uri):
    other = connect(tracking_uri).create_run("0").info.run_id
    connect(tracking_uri).set_terminated(other, "KILLED")
    mlflow.set_tracking_uri("sqlite:///elsewhere.db")
    tracker, ended = open_meant(other, tracking_uri)
    assert (tracker.run_id, ended) == (other, "KILLED")


def test_without_any_run_one_is_asked_for(mlflow):
    with pytest.raises(ArgumentError, match=r"^run_id: expected the id of an MLflow run, or an active run"):
        open_meant()


@pytest.mark.parametrize("folder", ["/runs/a", "/runs/it's", '/runs/"a"'])
def test_a_run_is_found_by_all_of_its_tags(tracking_uri, folder):
    experiment = ensure_store(tracking_uri, "study")
    tags = {"run_folder": folder, "sweep_id": "s"}
    run = MlflowTracker(tracking_uri, experiment, "a", tags=tags)
    other = MlflowTracker(tracking_uri, experiment, "b", tags={"run_folder": folder, "sweep_id": "other"})
    assert opened(tracking_uri, "study", "c", tags=tags).run_id == run.run_id
    fresh = [opened(tracking_uri, "study", "c", tags={"run_folder": "/runs/b"})]
    fresh += [opened(tracking_uri, "another", "c", tags=tags)]
    assert not {each.run_id for each in fresh} & {run.run_id, other.run_id}
