import sys

import pytest

from rnnexp import __main__ as command


@pytest.fixture(autouse=True)
def streams(monkeypatch):
    """Put back afterwards what the command prints to: it has its own."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))


def test_a_word_that_is_no_command(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["run.py", "reprot", "--all"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    sentence = "command: expected key=value, or one of plot, report, sync, treat, ui (did you mean report?)"
    assert capfd.readouterr() == ("", f"run.py: {sentence}, received 'reprot'\n")


def test_ctrl_c_while_the_command_line_is_read_is_no_traceback(monkeypatch, capfd):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("rnnexp.cli.main", interrupted)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 130
    assert capfd.readouterr() == ("", "stopped by SIGINT before anything was begun\n")
