import os
import sys

import pytest

from benchmarks.apart import Apart
from benchmarks.torch_loop import sees_gpu


@pytest.fixture(scope="module")
def apart():
    return Apart()


def counted(path):
    """A contestant that writes how many steps it took, and in which process."""

    def train(steps):
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{steps} {os.getpid()}\n")

    return train


def refused():
    raise ImportError("no such library")


def loaded():
    return "tensorflow" in sys.modules


def test_a_contestant_trains_in_the_other_process(apart, tmp_path):
    first, second = (apart.contestant(counted, tmp_path / name) for name in ("first", "second"))
    for train, steps in ((first, 10), (second, 20), (first, 30)):
        train(steps)
    taken = [(tmp_path / name).read_text(encoding="utf-8").split() for name in ("first", "second")]
    assert [words[::2] for words in taken] == [["10", "30"], ["20"]]
    (pid,) = {pid for words in taken for pid in words[1::2]}
    assert int(pid) != os.getpid()


def test_what_fails_there_fails_here(apart):
    with pytest.raises(ImportError, match="no such library"):
        apart.contestant(refused)


def test_tensorflow_is_not_in_that_process(apart):
    # It would bring its own CUDA, which is why there is another process.
    apart.answer(sees_gpu)
    assert not apart.answer(loaded)
