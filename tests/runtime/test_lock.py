import subprocess
import sys

import pytest

from rnnexp.runtime import lock

HOLD = """
import sys, time
from pathlib import Path
from rnnexp.runtime import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path):
    with lock.held(tmp_path / "lock"), pytest.raises(BlockingIOError), lock.held(tmp_path / "lock"):
        pass
    with lock.held(tmp_path / "lock"):
        pass


def test_shared_locks_coexist_but_refuse_an_exclusive_one(tmp_path):
    path = tmp_path / "lock"
    with lock.shared(path), lock.shared(path), pytest.raises(BlockingIOError), lock.held(path):
        pass
    with lock.held(tmp_path / "lock"):
        pass


def test_a_holder_that_is_killed_holds_no_more(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), lock.held(path):
            pass
        holder.kill()
        holder.wait()
        with lock.held(path):
            pass


def test_a_folder_that_is_not_there_is_no_holder(tmp_path):
    with pytest.raises(FileNotFoundError), lock.held(tmp_path / "none" / "lock"):
        pass
