"""A sweep of one job at a time, as its user calls it: the next job begins while the last one is drawn."""

import datetime
import itertools
from pathlib import Path

from whole_sweeps import asked, jobs

SEEDS = 5


def span(folder):
    """Return when a run began, by the name of its folder, and when its state was written last."""
    began = datetime.datetime.strptime(f"{folder.parent.name} {folder.name[:15]}", "%Y-%m-%d %H-%M-%S-%f")
    return began.timestamp(), (folder / "run.json").stat().st_mtime


def test_jobs_follow_each_other_closely_and_each_is_written_down(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert asked("steps=20", "launcher=basic", f"seed=range({SEEDS})", "tracking=none").returncode == 0
    found = jobs()
    assert [(job["status"], job["tries"]) for job in found] == [("FINISHED", 1)] * SEEDS

    begins, ends = zip(*(span(Path(job["run_folder"])) for job in found), strict=True)
    assert any(begin < end for end, begin in zip(ends, begins[1:], strict=False))
    # Two at a time at most.
    assert all(end <= begin for end, begin in zip(ends, begins[2:], strict=False))
    # A second that two of them share counts for one; the first has to wait for the fork server.
    assert sum(job["seconds"] for job in found[1:]) < ends[-1] - begins[0]
    assert all(before <= after for before, after in itertools.pairwise(begins))
