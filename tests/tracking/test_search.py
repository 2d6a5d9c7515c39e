import pytest

from rnnexp.tracking import MlflowTracker, ensure_store, run_with_tags


@pytest.mark.parametrize("folder", ["/runs/a", "/runs/it's", '/runs/"a"'])
def test_a_run_is_found_by_all_of_its_tags(tracking_uri, folder):
    experiment = ensure_store(tracking_uri, "study")
    tags = {"run_folder": folder, "sweep_id": "s"}
    run = MlflowTracker(tracking_uri, experiment, "a", tags=tags)
    MlflowTracker(tracking_uri, experiment, "b", tags={"run_folder": folder, "sweep_id": "other"})
    assert run_with_tags(tracking_uri, experiment, tags) == run.run_id
    assert run_with_tags(tracking_uri, experiment, {"run_folder": "/runs/b"}) is None
    assert run_with_tags(tracking_uri, ensure_store(tracking_uri, "other"), tags) is None
