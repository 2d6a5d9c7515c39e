"""Every command of the tour works as written, and its seven steps are complete."""

import re
from pathlib import Path

import pytest

from rnnexp import cli

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`python run\.py ([^`]*)`", TOUR)))
STEPS = re.findall(r"^\*\*(\d)\. [^*]+\*\* (.*?)^```python\n(.*?)^```", TOUR, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_runs(command: str, working_folder: Path) -> None:
    cli.check([*command.split(), "tracking=none"])


def test_seven_steps_each_have_equation_code_and_command() -> None:
    assert [number for number, _, _ in STEPS] == list("1234567")
    for number, words, code in STEPS:
        assert re.search(r"`[^`]* = [^`]*`", words), number
        assert "`python run.py " in words, number
        assert re.search(r"\(\*\*\w\*\*", words), number
        assert code.strip(), number


def test_each_disadvantage_has_a_run_and_remedies() -> None:
    section = TOUR.partition("## Three disadvantages")[2].partition("## ")[0]
    paragraphs = [text for text in section.split("\n\n") if text.startswith("**")]
    assert len(paragraphs) == 3
    for text in paragraphs:
        assert "`python run.py " in text and "Remedies:" in text


def test_it_is_read_in_a_quarter_of_an_hour() -> None:
    # At 150 words a minute, which is slow, the code counted as words too.
    assert len(TOUR.split()) < 15 * 150
