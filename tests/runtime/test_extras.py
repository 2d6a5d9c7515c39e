import importlib
import sys

import pytest

import rnnexp
from rnnexp import __main__ as command
from rnnexp.runtime import extras

SENTENCE = "this needs {}, which comes with: pip install 'rnnexp[lab]'"


def test_a_missing_package_of_the_lab_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(extras.MissingPackage) as missing, extras.explained():
        import pandas  # noqa: F401
    assert str(missing.value) == SENTENCE.format("pandas")


def test_another_missing_package_is_not_explained():
    with pytest.raises(ModuleNotFoundError, match="no_such_package") as missing, extras.explained():
        importlib.import_module("no_such_package")
    assert not isinstance(missing.value, extras.MissingPackage)


def test_the_command_ends_with_one_sentence(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("rnnexp.report.command")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith(("pandas", "rnnexp.analysis"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr(sys, "argv", ["run.py", "report"])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert capsys.readouterr() == ("", f"run.py: {SENTENCE.format('pandas')}\n")


def test_a_public_name_of_the_lab_says_it_too(monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("pandas", "rnnexp.analysis"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(extras.MissingPackage, match="this needs pandas"):
        rnnexp.load_runs  # noqa: B018
