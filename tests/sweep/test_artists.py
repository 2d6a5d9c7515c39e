import functools
import multiprocessing
import os
import signal
import time

import pytest

from rnnexp.artist import Artist, Drawing, helped
from rnnexp.sweep import artists

SECONDS = 60
CONTEXT = multiprocessing.get_context("forkserver")


@pytest.fixture(autouse=True)
def nobody_left():
    artists.dismiss()
    yield
    artists.dismiss()


def sign(path):
    """Draw the number of the process that draws."""
    path.write_text(str(os.getpid()))


def drawn(folder, count=2):
    """Let a job have as many figures drawn as there are helpers; return who drew them."""
    paths = [folder / f"{time.monotonic_ns()}_{place}" for place in range(count)]
    with helped(artists.at_hand(CONTEXT, count).connections):
        artist = Artist()
        artist.begin(Drawing(path, functools.partial(sign, path)) for path in paths)
        artist.finish()
    return [int(path.read_text()) for path in paths]


def test_they_are_kept_from_job_to_job(tmp_path):
    first = drawn(tmp_path)
    assert os.getpid() not in first and len(set(first)) == 2
    assert drawn(tmp_path) == first


def test_one_that_was_killed_is_replaced(tmp_path):
    first = drawn(tmp_path)
    os.kill(first[0], signal.SIGKILL)
    wait_until(lambda: not artists._kept[0].ready)
    second = drawn(tmp_path)
    assert os.getpid() not in second and first[0] not in second


def test_an_answer_that_nobody_waited_for_is_not_the_next_job_s(tmp_path):
    left = tmp_path / "left"
    first = artists.at_hand(CONTEXT, 1)
    first.connections[0].send(Drawing(left, functools.partial(sign, left)))
    wait_until(first.connections[0].poll)
    assert int(left.read_text()) not in drawn(tmp_path, 1)


def test_dismissed_they_end(tmp_path):
    processes = artists.at_hand(CONTEXT, 1)._processes
    artists.dismiss()
    for process in processes:
        process.join(SECONDS)
        assert process.exitcode == 0


def test_there_may_be_none(tmp_path):
    assert artists.at_hand(CONTEXT, 0).connections == []
    assert drawn(tmp_path, 0) == []


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()
