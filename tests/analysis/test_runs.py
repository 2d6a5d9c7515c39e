import pytest

import rnnexp
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import MlflowTracker, ensure_store

SOLVED = {
    "tags": {"verdict.learning": "solved", "budget_exhausted": False},
    "errors": [(50, 0.2), (100, 0.004), (150, 0.02), (200, 0.003)],
}


def test_a_row_holds_configuration_tags_metrics_and_where_it_is(in_store, tracking_uri):
    tracker = in_store(
        "relu-T10-s0", config={"activation": "relu"}, tags={"diverged_at": 7, "mlflow.note.content": "Why."}
    )
    (row,) = rnnexp.load_runs(tracking_uri).to_dict("records")
    expected = {
        "run_id": tracker.run_id,
        "run_name": "relu-T10-s0",
        "status": "FINISHED",
        "activation": "relu",
        "seq_len": 10,
        "clip": "none",
        "task": "adding",
        "task.target": "mean",
        "verdict.learning": "learning",
        "budget_exhausted": True,
        "git.dirty": False,
        "diverged_at": 7,
        "grad/rate": -0.25,
        "val/error": 0.4,
        "words": "Why.",
        "sweep_id": "first",
    }
    assert {key: row[key] for key in expected} == expected
    assert row["seconds"] >= 0
    assert row["link"].endswith(f"/runs/{tracker.run_id}?workflowType=machine_learning")
    assert "mlflow.user" not in row


@pytest.mark.parametrize("recorded", ["with/units", "cfg/units"])
def test_numbers_of_the_configuration_have_both_names(in_store, tracking_uri, recorded):
    in_store("a", metrics={recorded: 8.0})
    (row,) = rnnexp.load_runs(tracking_uri).to_dict("records")
    assert (row["with/units"], row["cfg/units"]) == (8.0, 8.0)


def test_folders_give_the_same_table_as_the_store(in_store, in_folder, tracking_uri, tmp_path):
    for write in (in_store, in_folder):
        write("a", **SOLVED)
        write("b", config={"seed": 1, "dtype": "float64"}, metrics={"grad/rate": 0.5}, status="FAILED")
    store, folder = rnnexp.load_runs(tracking_uri), rnnexp.load_runs(tmp_path / "outputs")
    own = ["run_id", "start", "seconds", "artifacts", "link"]
    same = sorted(set(store.columns) - set(own))
    assert set(folder.columns) == set(store.columns)
    assert folder[same].astype(object).where(folder[same].notna(), None).to_dict("records") == store[
        same
    ].astype(object).where(store[same].notna(), None).to_dict("records")
    assert folder["run_id"].tolist() == ["a", "b"]


def test_runs_of_the_same_millisecond_are_ordered_by_folder(in_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("rnnexp.tracking.records.now", lambda: 1_700_000_000_000)
    names = ["c", "a", "e", "b", "d"]
    for seed, name in enumerate(names):
        in_folder(name, config={"seed": seed})
    monkeypatch.undo()
    assert rnnexp.load_runs(tmp_path / "outputs")["run_id"].tolist() == sorted(names)


def test_steps_to_criterion_are_taken_as_recorded(in_folder, tmp_path):
    in_folder(metrics={"train/steps_to_criterion": 30.0}, tags={"verdict.learning": "solved"})
    assert rnnexp.load_runs(tmp_path / "outputs")["steps_to_solve"].tolist() == [30]


def test_steps_to_solve_is_the_first_step_under_the_criterion(in_store, tracking_uri):
    in_store("a", **SOLVED)
    in_store("b", config={"seed": 1}, errors=SOLVED["errors"])
    table = rnnexp.load_runs(tracking_uri).set_index("run_name")
    assert table["steps_to_solve"]["a"] == 100
    assert table["steps_to_solve"].isna()["b"]


def test_the_newest_sweep_is_meant_unless_another_is_named(in_store, tracking_uri):
    in_store("a", tags={"sweep_id": "old"})
    in_store("b", tags={"sweep_id": "new"})
    in_store("c", tags={"sweep_id": ""})
    assert rnnexp.load_runs(tracking_uri)["run_name"].tolist() == ["b"]
    assert rnnexp.load_runs(tracking_uri, sweep="old")["run_name"].tolist() == ["a"]
    assert rnnexp.load_runs(tracking_uri, filter="")["run_name"].tolist() == ["a", "b", "c"]


def test_without_a_sweep_every_run_is_meant(in_store, tracking_uri, in_folder, tmp_path):
    for write in (in_store, in_folder):
        tracker = write("a")
    (tmp_path / "outputs/today/a/tags.json").write_text('{"config_hash": "x"}')
    assert rnnexp.load_runs(tmp_path / "outputs")["run_name"].tolist() == [tracker.run_id]


def test_a_sweep_that_has_no_run_yet_is_not_the_newest(in_store, tracking_uri):
    in_store("a")
    begun = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "sweep")
    begun.tags({"sweep_id": "begun"})
    assert rnnexp.load_runs(tracking_uri)["run_name"].tolist() == ["a"]
    assert refused(tracking_uri, sweep="begun").startswith("sweep: expected a sweep with runs in")


def test_a_filter_chooses_and_the_parent_of_a_sweep_is_no_run(in_store, tracking_uri):
    parent = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "sweep")
    parent.tags({"sweep_id": "first"})
    in_store("a", parent_id=parent.run_id)
    in_store("b", config={"activation": "relu"}, parent_id=parent.run_id)
    assert rnnexp.load_runs(tracking_uri)["parent_id"].tolist() == [parent.run_id] * 2
    chosen = rnnexp.load_runs(tracking_uri, filter="params.activation = 'relu'")
    assert chosen["run_name"].tolist() == ["b"]
    assert rnnexp.load_runs(tracking_uri, sweep="first", filter="params.activation = 'relu'")[
        "run_name"
    ].tolist() == ["b"]


def test_the_default_is_the_store_that_the_environment_names(in_store, tracking_uri, monkeypatch):
    in_store("a")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    assert rnnexp.load_runs()["run_name"].tolist() == ["a"]


def test_a_database_file_or_the_folder_of_one_run_will_do(in_store, in_folder, tmp_path):
    in_store("a")
    in_folder("b")
    assert rnnexp.load_runs(tmp_path / "mlflow.db")["run_name"].tolist() == ["a"]
    assert rnnexp.load_runs(tmp_path / "outputs" / "today" / "b")["run_name"].tolist() == ["b"]


def refused(*arguments, **options):
    with pytest.raises(ArgumentError) as caught:
        rnnexp.load_runs(*arguments, **options)
    return str(caught.value)


def test_refusals_say_what_there_is(in_store, in_folder, tracking_uri, tmp_path):
    in_store("a", tags={"sweep_id": "2026"})
    in_folder("b")
    folder = tmp_path / "outputs"
    assert refused(tracking_uri, sweep="none") == (
        f"sweep: expected a sweep with runs in {tracking_uri} (newest: 2026), received 'none'"
    )
    assert (
        refused(folder, sweep="none")
        == f"sweep: expected a sweep in {folder} (newest: first), received 'none'"
    )
    assert refused(tracking_uri, sweep="it's").startswith("sweep: expected an id without quotes")
    assert refused(tracking_uri, filter="what").startswith("filter: expected an MLflow filter (")
    assert refused(tracking_uri, filter="params.activation = 'elu'").startswith(
        "where: expected a store with runs where params.activation = 'elu'"
    )
    assert refused(folder, filter="params.seed = '1'").startswith("filter: expected no filter for a folder")


def test_refusals_of_what_cannot_be_read(tmp_path, in_folder):
    absent = tmp_path / "absent.db"
    assert refused(f"sqlite:///{absent}") == (
        f"where: expected a store that holds runs; this file is not there, received '{absent}'"
    )
    assert not absent.exists()
    assert refused("nowhere") == (
        "where: expected a tracking address, a SQLite file or a folder that is there, received 'nowhere'"
    )
    (tmp_path / "text.db").write_text("no database")
    assert refused(tmp_path / "text.db").startswith("where: expected a SQLite database (")
    assert refused("ftp://host").startswith("where: expected sqlite:///FILE or http://HOST:PORT")
    assert refused(tmp_path).startswith("where: expected a folder that holds runs, received")
    (tmp_path / "run.json").write_text('{"store": "sqlite:////a.db"}')
    assert refused(tmp_path).startswith(
        "where: expected a folder of runs with tracking=none (these are recorded in sqlite:////a.db)"
    )
    (tmp_path / "run.json").unlink()
    in_folder("b")
    broken = tmp_path / "outputs" / "today" / "b" / "tags.json"
    broken.write_text("{")
    assert refused(tmp_path).startswith("where: expected runs whose files are whole (")
