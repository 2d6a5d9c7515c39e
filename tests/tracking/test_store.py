"""The store, and how its pages show an experiment."""

import contextlib
import json
import subprocess
import sys

import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.client import connect
from rnnexp.tracking.store import ensure_store, view_tags
from rnnexp.tracking.store_check import check_store

# Says "ready" when MLflow is imported and waits for a line, so that all open the store at one moment.
JOB = """
import sys
from rnnexp.tracking import MlflowTracker, Point, ensure_store
from rnnexp.tracking.client import quietly
with quietly():
    import mlflow.store.tracking.sqlalchemy_store
print("ready", flush=True)
sys.stdin.readline()
tracker = MlflowTracker(sys.argv[1], ensure_store(sys.argv[1], "race"), "job")
tracker.params({"seed": 1})
tracker.metrics(Point("loss", float(step), step) for step in range(500))
tracker.end("FINISHED")
"""


def test_two_processes_open_a_fresh_store_silently(tmp_path):
    uri = f"sqlite:///{tmp_path}/new folder/mlflow.db"
    with contextlib.ExitStack() as stack:
        jobs = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-W", "default", "-c", JOB, uri],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]
        for job in jobs:
            assert job.stdout is not None
            assert job.stdout.readline() == "ready\n"
        errors = [job.communicate("go\n")[1] for job in jobs]
    assert errors == [""] * 2
    client = connect(uri)
    assert sorted(found.name for found in client.search_experiments()) == ["Default", "race"]
    runs = client.search_runs([client.get_experiment_by_name("race").experiment_id])
    assert [(run.info.status, run.data.metrics) for run in runs] == [("FINISHED", {"loss": 499.0})] * 2
    check_store(uri)


def test_the_experiment_is_made_once(tracking_uri):
    assert ensure_store(tracking_uri, "a") == ensure_store(tracking_uri, "a")
    assert ensure_store(tracking_uri, "b") != ensure_store(tracking_uri, "a")


@pytest.mark.parametrize(
    ("name", "folder"), [("adding T=200", "adding T_200"), ("../a/b", "__a_b"), ("ü", "ü")]
)
def test_artifacts_lie_beside_the_database(name, folder, tracking_uri, tmp_path):
    client = connect(tracking_uri)
    experiment = client.get_experiment(ensure_store(tracking_uri, name))
    assert experiment.name == name
    assert experiment.artifact_location == str(tmp_path / "mlartifacts" / folder)


def test_what_a_killed_creator_left_is_no_obstacle(tmp_path):
    (tmp_path / ".mlflow.db.new").write_bytes(b"half a database")
    (tmp_path / ".mlflow.db.lock").touch()
    (tmp_path / "mlflow.db").touch()
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    ensure_store(uri, "a")
    check_store(uri)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


def test_a_deleted_experiment_is_refused_with_restore_command(tracking_uri):
    identity = ensure_store(tracking_uri, "gone")
    connect(tracking_uri).delete_experiment(identity)
    expected = (
        f"tracking.experiment: .*`mlflow experiments restore --experiment-id {identity}`.* received 'gone'"
    )
    with pytest.raises(ArgumentError, match=expected):
        ensure_store(tracking_uri, "gone")


def test_a_new_experiment_has_the_view(tracking_uri):
    experiment = connect(tracking_uri).get_experiment(ensure_store(tracking_uri, "new"))
    assert view_tags().items() <= experiment.tags.items()


def test_both_verdicts_fit_on_a_small_screen():
    state = json.loads(json.loads(view_tags()["mlflow.sharedViewState.verdicts"])["state"])
    order, widths = state["columnOrder"], state["columnWidths"]
    assert set(state["selectedColumns"]) < set(order) == set(widths)
    last = max(order.index(f"tags.`verdict.{one}`") for one in ("gradient", "learning"))
    # Of 1440 pixels the sidebars and the assistant leave 820, and 73 hold the boxes to mark runs.
    assert 73 + sum(widths[column] for column in order[: last + 1]) < 820


def test_the_view_filters_runs_with_a_verdict_in_order(tracking_uri):
    client, experiment = connect(tracking_uri), ensure_store(tracking_uri, "new")
    client.create_run(experiment, run_name="parent")
    for name, rate in (("later", 0.1), ("first", -0.1)):
        run = client.create_run(experiment, run_name=name, tags={"verdict.learning": "solved"})
        client.log_metric(run.info.run_id, "grad/rate", rate)
    state = json.loads(json.loads(view_tags()["mlflow.sharedViewState.verdicts"])["state"])
    found = client.search_runs([experiment], state["searchFilter"], order_by=[f"{state['orderByKey']} ASC"])
    assert [run.info.run_name for run in found] == ["first", "later"]
