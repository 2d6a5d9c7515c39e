"""The README fits on a screen or two, and its commands and links are taken."""

import re
import shlex
from pathlib import Path

import pytest

from rnnexp import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every `python run.py ...` of the README, and the first cell of every row of what learns."""
    typed = re.findall(r"python run\.py((?: [^`\s#]+)+)", README)
    return [*typed, *re.findall(r"^\| `(\w+=[^`]*)`", README, flags=re.MULTILINE)]


def test_it_is_short():
    lines = README.splitlines()
    # Rows of a table are looked up, not read.
    assert len([line for line in lines if not line.startswith("|")]) < 60
    assert len(lines) < 90


@pytest.mark.parametrize("command", [command for command in commands() if " --" not in f" {command}"])
def test_its_commands_are_accepted(command):
    cli.check(shlex.split(command))


def test_there_are_commands():
    assert len(commands()) >= 5


def test_every_file_that_it_links_is_there():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file()
