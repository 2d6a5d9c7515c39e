import runpy
import sys

import pytest

from rnnexp.report import command


@pytest.mark.parametrize("code", [0, 2, 130])
def test_the_module_ends_with_what_the_command_returns(monkeypatch, code):
    monkeypatch.setattr(command, "main", lambda: code)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("rnnexp.report", run_name="__main__")
    assert ended.value.code == code


def test_it_reads_the_command_line(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["rnnexp.report", "--where", "nowhere"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("rnnexp.report", run_name="__main__")
    assert ended.value.code == 2
    assert capfd.readouterr().err.startswith("python run.py report: where: expected a tracking address")
