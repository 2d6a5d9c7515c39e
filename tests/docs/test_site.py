"""The documentation site has every page, and what its pages tell the reader to type is taken."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import rnnexp
from rnnexp import cli
from rnnexp.__main__ import TOOLS
from rnnexp.plotting.run_figures import catalogue

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`(python run\.py [^`\n]*)`")
MESSAGE = re.compile(r"^### `(.*)`\n```text\npython run\.py (.*)\n```$", flags=re.MULTILINE)
NOT_HERE = "launcher: expected its plugin "
"""What is said of a launcher whose packages only a cluster needs."""

TESTED = ("tour.md", "extending.md", "speed.md")
"""The first two have tests of their own; speed.md names a wrong command, whose answer is timed."""

CSV = "month,visitors\n" + "".join(f"2024-{month},{300 + month % 7}\n" for month in range(120))


def pages_of(nav: object) -> Iterator[str]:
    """The pages of a navigation, at any depth."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list):
        for entry in nav:
            yield from pages_of(list(entry.values()) if isinstance(entry, dict) else entry)


def typed(page: str) -> list[str]:
    """Every line that a page tells the reader to type in a shell."""
    blocks = [body for _, language, body in BLOCK.findall(page) if language == "bash"]
    whole = "\n".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in whole.splitlines() if line.strip()]


def commands() -> list[str]:
    """The arguments of every run that a page names; pages with a test of their own are left to it."""
    pages = [page for name, page in PAGES.items() if name not in TESTED]
    named = [line for page in pages for line in (*typed(page), *SPAN.findall(page))]
    lines = {line.partition(" #")[0].strip() for line in named if line.startswith("python run.py ")}
    runs = [line.removeprefix("python run.py ") for line in lines if not re.search(r"\.\.\.| --", line)]
    return sorted(run for run in runs if run.partition(" ")[0] not in TOOLS)


def tools() -> set[str]:
    """The first words of the commands that are no runs."""
    named = re.findall(r"python run\.py ([a-z]+)(?= |`|$)", "\n".join(PAGES.values()), flags=re.MULTILINE)
    return set(named)


def test_every_page_is_in_the_navigation_once():
    assert sorted(pages_of(SITE["nav"])) == sorted(PAGES)


def test_every_tool_is_one_of_the_command():
    assert {"plot"} <= tools() <= set(TOOLS)


def test_there_are_commands():
    assert len(commands()) > 15


@pytest.mark.parametrize("command", commands())
def test_a_command_of_a_page_is_taken(command, working_folder, capsys):
    (working_folder / "visitors.csv").write_text(CSV)
    try:
        cli.check(shlex.split(command))
    except SystemExit:
        assert NOT_HERE in capsys.readouterr().err


def test_every_target_of_make_and_every_module_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^(\w+):", makefile, flags=re.MULTILINE)
    for page in PAGES.values():
        assert set(re.findall(r"^`?make (\w+)", page, flags=re.MULTILINE)) <= set(targets)
        for module in re.findall(r"python -m ([\w.]+)", page):
            assert importlib.util.find_spec(module) is not None, module


def test_the_reference_has_every_public_name():
    shown = re.findall(r"^::: rnnexp[\w.]*\.(\w+)$", PAGES["api.md"], flags=re.MULTILINE)
    assert set(shown) == set(rnnexp.__all__)


@pytest.mark.parametrize(("message", "command"), MESSAGE.findall(PAGES["faq.md"]))
def test_a_message_is_the_one_that_is_printed(message, command, working_folder, capsys):
    with pytest.raises(SystemExit):
        cli.check(shlex.split(command))
    assert capsys.readouterr().err == f"run.py: {message}\n"


def test_the_gallery_has_every_figure_of_a_run():
    assert set(re.findall(r"`(\w+)\.png`", PAGES["gallery.md"])) == set(catalogue())
    assert len(MESSAGE.findall(PAGES["faq.md"])) >= 7
