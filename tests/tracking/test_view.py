import json

from rnnexp.tracking import ensure_store
from rnnexp.tracking.client import connect
from rnnexp.tracking.view import view_tags


def test_a_new_experiment_has_the_view(tracking_uri):
    experiment = connect(tracking_uri).get_experiment(ensure_store(tracking_uri, "new"))
    assert view_tags().items() <= experiment.tags.items()


def test_the_filter_of_the_view_finds_the_runs_with_a_verdict_in_its_order(tracking_uri):
    client, experiment = connect(tracking_uri), ensure_store(tracking_uri, "new")
    client.create_run(experiment, run_name="parent")
    for name, rate in (("later", 0.1), ("first", -0.1)):
        run = client.create_run(experiment, run_name=name, tags={"verdict.learning": "solved"})
        client.log_metric(run.info.run_id, "grad/rate", rate)
    state = json.loads(json.loads(view_tags()["mlflow.sharedViewState.verdicts"])["state"])
    found = client.search_runs([experiment], state["searchFilter"], order_by=[f"{state['orderByKey']} ASC"])
    assert [run.info.run_name for run in found] == ["first", "later"]
