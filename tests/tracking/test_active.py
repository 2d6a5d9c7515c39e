import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.active import find_run
from rnnexp.tracking.client import connect


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
