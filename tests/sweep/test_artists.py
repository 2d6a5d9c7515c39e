import functools
import multiprocessing
import os
import signal
import time

import pytest

from rnnexp.runs.artist import Artist, Drawing, helped
from rnnexp.sweep import artists

SECONDS = 60
CONTEXT = multiprocessing.get_context("forkserver")


@pytest.fixture(autouse=True)
def nobody_left(monkeypatch):
    kept: list[artists.Artists] = []
    monkeypatch.setattr(artists, "_kept", kept)
    yield
    for left in kept:
        left.dismiss()


def sign(path):
    """Draw the number of the process that draws."""
    path.write_text(str(os.getpid()))


def write_niceness(path):
    path.write_text(str(os.nice(0)))


def drawn(folder, count=2):
    """Let a job have as many figures drawn as there are helpers; return who drew them."""
    paths = [folder / f"{time.monotonic_ns()}_{place}" for place in range(count)]
    found = artists.at_hand(CONTEXT, count)
    with helped(found.connections):
        artist = Artist()
        artist.begin(Drawing(path, functools.partial(sign, path)) for path in paths)
        artist.finish()
    artists.keep(found)
    return [int(path.read_text()) for path in paths]


def test_they_are_kept_from_job_to_job(tmp_path):
    first = drawn(tmp_path)
    assert os.getpid() not in first and len(set(first)) == 2
    assert drawn(tmp_path) == first


def test_two_jobs_at_a_time_have_their_own(tmp_path):
    first = artists.at_hand(CONTEXT, 1)
    second = drawn(tmp_path, 1)
    artists.keep(first)
    assert drawn(tmp_path, 1) != second
    assert len(artists._kept) == 2


def test_what_else_there_is_to_compute_goes_first(tmp_path):
    path = tmp_path / "nice"
    found = artists.at_hand(CONTEXT, 1)
    with helped(found.connections):
        artist = Artist()
        artist.begin([Drawing(path, functools.partial(write_niceness, path))])
        artist.finish()
    artists.keep(found)
    assert int(path.read_text()) > os.nice(0)


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
    artists.keep(first)
    assert int(left.read_text()) not in drawn(tmp_path, 1)


def test_dismissed_they_end(tmp_path):
    found = artists.at_hand(CONTEXT, 1)
    found.dismiss()
    for process in found._processes:
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
