import json
import shutil

import pytest

from rnnexp.analysis.folder_reader import read_folders
from rnnexp.runtime.checks import ArgumentError


@pytest.fixture
def written(in_folder, tmp_path):
    """Write a run, begun at the second that is given, and return its folder."""

    def write(name, start, **values):
        in_folder(name, **values)
        folder = tmp_path / "outputs" / "today" / name
        change(folder / "status.json", start_time=1000 * start)
        return folder

    return write


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def names(root, sweep=None):
    return [record.run_name for record in read_folders(root, sweep)]


def test_a_record_is_what_the_files_hold(written, tmp_path):
    folder = written("a", 7, tags={"verdict.learning": "solved"}, errors=[(50, 0.4), (100, 0.25)])
    change(folder / "status.json", end_time=9500)
    (record,) = read_folders(tmp_path, None)
    assert (record.run_id, record.run_name, record.status) == ("a", "a", "FINISHED")
    assert (record.start, record.end) == (7000, 9500)
    assert record.params == json.loads((folder / "params.json").read_text())
    assert record.tags == json.loads((folder / "tags.json").read_text())
    assert record.metrics == {
        "grad/rate": -0.25,
        "val/loss": 0.01,
        "task/floor_loss": 1 / 24,
        "val/error": 0.25,
    }
    assert (record.artifacts, record.link) == (str(folder), None)
    assert record.errors == ((50, 0.4), (100, 0.25))


def test_folders_are_found_at_any_depth_oldest_first(written, tmp_path):
    written("a", 2)
    written("b", 3)
    shutil.move(written("c", 1), tmp_path / "outputs" / "c")
    shutil.copytree(tmp_path / "outputs" / "c", tmp_path / "outputs" / "today" / "a" / "copy")
    assert names(tmp_path) == ["c", "a", "b"]  # and not again the one within a run
    assert names(tmp_path / "outputs" / "today" / "b") == ["b"]


def test_the_newest_sweep_is_that_of_the_newest_run(written, tmp_path):
    written("a", 3, tags={"sweep_id": "late"})
    written("b", 2, tags={"sweep_id": "early"})
    written("c", 1, tags={"sweep_id": "early"})
    assert names(tmp_path) == ["a"]
    assert names(tmp_path, "early") == ["c", "b"]
    with pytest.raises(ArgumentError, match=r"^sweep: .* \(newest: late, early\), received 'none'$"):
        read_folders(tmp_path, "none")


def test_metrics_are_ordered_by_step_then_by_line(written, tmp_path):
    folder = written("a", 1, tags={"verdict.learning": "solved"})
    (folder / "metrics.csv").write_text(
        "key,value,step,timestamp\nval/error,0.1,20,5\nval/error,0.5,10,6\nval/error,0.2,20,7\n"
    )
    (record,) = read_folders(tmp_path, None)
    assert record.errors == ((10, 0.5), (20, 0.1), (20, 0.2))
    assert record.metrics == {"val/error": 0.2}


def test_a_run_that_goes_on_has_no_end_and_perhaps_no_metrics(written, tmp_path):
    folder = written("a", 1)
    status = json.loads((folder / "status.json").read_text()) | {"status": "RUNNING"}
    (folder / "status.json").write_text(json.dumps({key: status[key] for key in status if key != "end_time"}))
    (folder / "metrics.csv").unlink()
    (record,) = read_folders(tmp_path, None)
    assert (record.status, record.end, record.metrics, record.errors) == ("RUNNING", None, {}, ())


@pytest.mark.parametrize("name", ["status.json", "tags.json", "params.json"])
def test_a_file_that_is_not_whole_is_named(written, tmp_path, name):
    path = written("a", 1) / name
    path.write_text('{"name": ')
    with pytest.raises(ArgumentError, match=r"^where: expected runs whose files are whole \(") as caught:
        read_folders(tmp_path, None)
    assert caught.value.received == str(path)


def test_folders_that_hold_no_run_of_this_project_are_refused(written, tmp_path):
    (written("a", 1) / "tags.json").unlink()
    with pytest.raises(ArgumentError, match="^where: expected a folder that holds runs, received"):
        read_folders(tmp_path, None)
    for name, store in ("b", "none"), ("c", "http://host"), ("d", "sqlite:////a.db"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"store": store}))
    with pytest.raises(ArgumentError, match=r"\(these are recorded in http://host, sqlite:////a.db\)"):
        read_folders(tmp_path, None)


@pytest.mark.parametrize("cut", [0, 5, 38, 47, 49, 56])
def test_a_line_of_metrics_that_a_kill_broke_off_is_none(written, tmp_path, cut):
    whole = "key,value,step,timestamp\nval/loss,0.25,1,5\nval/lößs,0.0625,20,6\n".encode()
    (written("a", 1) / "metrics.csv").write_bytes(whole[:cut])
    (record,) = read_folders(tmp_path, None)
    assert record.metrics == ({"val/loss": 0.25} if cut > 42 else {})
