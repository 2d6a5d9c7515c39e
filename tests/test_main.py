import sys

import pytest

from rnnexp import __main__ as command


def test_ctrl_c_while_the_command_line_is_read_is_no_traceback(monkeypatch, capfd):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("rnnexp.cli.main", interrupted)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    for name in ("stdout", "stderr"):  # put back afterwards: the command has its own
        monkeypatch.setattr(sys, name, getattr(sys, name))
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 130
    assert capfd.readouterr() == ("", "stopped by SIGINT before anything was begun\n")
