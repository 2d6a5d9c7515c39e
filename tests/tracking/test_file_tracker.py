import json
import time

import pytest

from rnnexp.tracking import FileTracker, Point

HEADER = "key,value,step,timestamp\n"


def test_the_status_holds_name_and_times(tmp_path):
    before = time.time_ns() // 1_000_000
    FileTracker(tmp_path / "run", "a").end("FINISHED")
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (status["name"], status["status"]) == ("a", "FINISHED")
    assert before <= status["start_time"] <= status["end_time"]


def test_a_resumed_run_keeps_its_start(tmp_path):
    FileTracker(tmp_path, "a").end("KILLED")
    path = tmp_path / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"start_time": 7}))
    FileTracker(tmp_path, "b").end("FINISHED")
    status = json.loads(path.read_text())
    assert (status["name"], status["start_time"]) == ("a", 7)


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        ("", HEADER),
        ("key,va", HEADER),
        (HEADER, HEADER),
        (HEADER + "loss,1.5,3,99\nloss,2", HEADER + "loss,1.5,3,99\n"),
        (HEADER + "loss,1.5,3,99\n", HEADER + "loss,1.5,3,99\n"),
    ],
)
def test_a_line_that_a_kill_has_broken_is_removed(left, kept, tmp_path):
    (tmp_path / "metrics.csv").write_text(left)
    tracker = FileTracker(tmp_path, "a")
    assert (tmp_path / "metrics.csv").read_text() == kept
    assert tracker.last_step("loss") == (3 if "99" in kept else None)
    tracker.metrics([Point("loss", 2.5, 4)])
    tracker.flush()
    added = (tmp_path / "metrics.csv").read_text().removeprefix(kept)
    assert added.startswith("loss,2.5,4,")
    assert added.endswith("\n")


def test_steps_below_zero_count_too(tmp_path):
    (tmp_path / "metrics.csv").write_text(HEADER + "loss,1.5,-3,99\n")
    assert FileTracker(tmp_path, "a").last_step("loss") == -3


def test_values_are_kept_to_the_last_bit(tmp_path):
    tracker = FileTracker(tmp_path, "a")
    tracker.metrics([Point("x", 0.1 + 0.2, 0)])
    tracker.flush()
    assert float((tmp_path / "metrics.csv").read_text().splitlines()[1].split(",")[1]) == 0.1 + 0.2


def test_what_lies_in_the_folder_is_not_copied(tmp_path):
    tracker = FileTracker(tmp_path, "a")
    (tmp_path / "figure.svg").write_text("<svg/>")
    tracker.artifact(tmp_path / "figure.svg", "figures")
    assert not (tmp_path / "figures").exists()


def test_where_it_lies(tmp_path):
    tracker = FileTracker(tmp_path / "run", "a")
    assert (tracker.where, tracker.run_id, tracker.open_command) == (str(tmp_path / "run"), "run", None)
