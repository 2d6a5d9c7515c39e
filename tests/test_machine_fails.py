"""What a command says where no line of code is wrong: the disk is full, the memory too small."""

import errno

import pytest

from rnnexp import cli


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


NO_SPACE = OSError(errno.ENOSPC, "No space left on device", "outputs/x")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            NO_SPACE,
            "No space left on device (outputs/x): mend that; then a sweep goes on by the same command",
        ),
        (
            MemoryError("Unable to allocate 7.28 TiB"),
            "out of memory (Unable to allocate 7.28 TiB): a smaller b",
        ),
        (
            ResourceExhaustedError("OOM when\nallocating"),
            "out of memory (OOM when allocating): a smaller batch",
        ),
    ],
)
def test_it_is_one_sentence_and_no_traceback(monkeypatch, capfd, error, sentence):
    def fail(jobs, opened):
        raise error

    monkeypatch.setattr(cli, "run_jobs", fail)
    monkeypatch.setattr("sys.argv", ["run.py"])
    with pytest.raises(SystemExit) as ended:
        cli.main(["tracking=none"])
    printed = capfd.readouterr()
    assert (ended.value.code, printed.out, printed.err.count("\n")) == (1, "", 1)
    assert printed.err.startswith(f"run.py: {sentence}")
