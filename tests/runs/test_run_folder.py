import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rnnexp.runs.run_folder import RunFolder, check_root
from rnnexp.runtime.checks import ArgumentError

ROOT = Path(__file__).parents[2]


def test_the_path_is_day_time_and_name(tmp_path):
    folder = RunFolder.create(tmp_path / "runs", "relu-T200-s1")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d-\d{6}_relu-T200-s1", str(folder.path.relative_to(tmp_path / "runs"))
    )
    assert folder.path.is_dir()


def test_folders_made_together_differ_and_sort_by_time(tmp_path):
    paths = [RunFolder.create(tmp_path, "same").path for _ in range(20)]
    assert len(set(paths)) == 20
    assert paths == sorted(paths)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("a/b", "a_b"), ("../x", ".._x"), ("a b'\n", "a_b__"), ("é", "_"), ("x" * 500, "x" * 100)],
)
def test_a_name_is_made_a_file_name(tmp_path, name, kept):
    folder = RunFolder.create(tmp_path, name)
    assert folder.path.name.partition("_")[2] == kept
    assert folder.path.parents[1] == tmp_path


def test_the_state_is_written_over(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    assert folder.state() == {}
    folder.update(run_id="7", status="RUNNING")
    folder.update(status="FINISHED")
    assert RunFolder(folder.path).state() == {"run_id": "7", "status": "FINISHED"}
    assert [path.name for path in folder.path.iterdir()] == ["run.json"]


def test_half_a_state_is_none(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    (folder.path / "run.json").write_text('{"run_id": ')
    assert folder.state() == {}


def test_removing_the_only_run_of_a_day_removes_the_day(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    (folder.path / "run.log").touch()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_removing_one_run_leaves_the_others(tmp_path):
    first, second = RunFolder.create(tmp_path, "a"), RunFolder.create(tmp_path, "b")
    second.remove()
    assert first.path.is_dir()
    assert not second.path.exists()


def test_a_held_folder_is_refused_to_another_process(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    program = (
        "import sys; from pathlib import Path; from rnnexp.runs.run_folder import RunFolder\n"
        "try:\n  with RunFolder(Path(sys.argv[1])).held(): pass\n"
        "except ValueError as error: sys.exit(str(error))"
    )
    command = [sys.executable, "-c", program, str(folder.path)]
    with folder.held():
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert refused.stderr.strip() == (
        f"resume: expected a run that no other process is at work on, received {str(folder.path)!r}"
    )
    subprocess.run(command, cwd=ROOT, check=True)


def test_a_root_that_can_be_made_passes_and_is_not_made(tmp_path):
    check_root(tmp_path / "a" / "b")
    check_root(Path("relative"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_root(tmp_path):
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(ArgumentError) as refused:
            check_root(root)
        assert str(refused.value) == (
            f"output_dir: expected a folder that can be written, which {tmp_path}/file is not,"
            f" received {str(root)!r}"
        )


def test_a_folder_that_cannot_be_written_is_no_root(tmp_path, monkeypatch):
    # Access is asked for, as a test that runs as root could not be refused it.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(ArgumentError, match="output_dir: expected a folder that can be written"):
        check_root(tmp_path / "runs")


def test_a_name_that_no_file_can_bear_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"a folder that can be written \(File name too long\)"):
        check_root(tmp_path / ("x" * 300))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match=r"output_dir: expected .* written \(Not a directory\)"):
        RunFolder.create(tmp_path / "file", "a")
