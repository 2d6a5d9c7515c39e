import contextlib
import functools
import logging
import multiprocessing
import threading
from pathlib import Path

import pytest

from rnnexp.runs.artist import Artist, Drawing, help_out, helped

SECONDS = 30


def write(path, text):
    path.write_text(text, encoding="utf-8")


def fail():
    raise ZeroDivisionError


def drawing(path, text="drawn"):
    return Drawing(path, functools.partial(write, path, text))


@contextlib.contextmanager
def helpers(count):
    """Processes would do the same; threads show what they did."""
    pairs = [multiprocessing.Pipe() for _ in range(count)]
    threads = [threading.Thread(target=help_out, args=(theirs,)) for _, theirs in pairs]
    for thread in threads:
        thread.start()
    try:
        with helped([ours for ours, _ in pairs]):
            yield [ours for ours, _ in pairs]
    finally:
        for ours, _ in pairs:
            ours.close()
        for thread in threads:
            thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_everything_is_drawn_once_and_told_in_order(tmp_path, count):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    with helpers(count):
        artist = Artist()
        artist.begin(map(drawing, paths[:2]))
        artist.begin(drawing(path, "again") for path in paths)
        assert artist.finish() == paths
    assert [path.read_text() for path in paths] == ["drawn", "drawn", "again", "again", "again"]


@pytest.mark.parametrize("count", [0, 1])
def test_it_is_told_when_only_the_figures_are_left(tmp_path, count):
    path = tmp_path / "a.png"
    with helpers(count) as connections, helped(connections, lambda: path.write_text("left alone")):
        artist = Artist()
        artist.begin([] if count else [drawing(path)])
        assert not path.exists()
        artist.finish()
    assert path.read_text() == ("left alone" if count else "drawn")


def test_without_a_helper_nothing_is_drawn_before_it_has_to_be(tmp_path):
    artist = Artist()
    artist.begin([drawing(tmp_path / "a.png")])
    assert not list(tmp_path.iterdir())
    artist.finish()
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, 2])
def test_what_cannot_be_drawn_raises_here(tmp_path, count):
    with helpers(count):
        artist = Artist()
        artist.begin([Drawing(tmp_path / "a.png", fail), drawing(tmp_path / "b.png")])
        with pytest.raises(ZeroDivisionError):
            artist.finish()


def test_a_helper_that_is_gone_leaves_its_work_to_the_run(tmp_path, caplog):
    ours, theirs = multiprocessing.Pipe()
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    with helped([ours]), caplog.at_level(logging.WARNING):
        artist = Artist()
        artist.begin([drawing(paths[0])])
        theirs.close()
        artist.begin([drawing(paths[1])])
        assert artist.finish() == paths
    assert [path.read_text() for path in paths] == ["drawn", "drawn"]
    assert "a process that draws is gone" in caplog.text


def test_the_least_asked_is_asked(tmp_path):
    pairs = [multiprocessing.Pipe() for _ in range(2)]
    with helped([ours for ours, _ in pairs]):
        artist = Artist()
        artist.begin(drawing(tmp_path / name) for name in "abcd")
        received = [[theirs.recv().path.name for _ in range(2)] for _, theirs in pairs]
        assert received == [["a", "c"], ["b", "d"]]
        pairs[1][1].send((Path(tmp_path / "b"), True))
        artist.begin([drawing(tmp_path / "e")])
        assert pairs[1][1].recv().path.name == "e"
