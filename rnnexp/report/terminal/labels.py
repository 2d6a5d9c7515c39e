"""The last lines of what a run or a sweep prints: where everything is, each with its label."""

import shlex
from pathlib import Path

from rich.console import Console
from rich.text import Text

LABEL = 10
"""Characters of the widest label."""


def labelled(label: str, text: str) -> Text:
    """Return a line that begins with its label."""
    return Text.assemble((f"{label:<{LABEL}}  ", "dim"), text)


def print_place(label: str, text: str, console: Console) -> None:
    """Print a path, an address or a command, never broken into lines, so that it can be copied."""
    console.print(labelled(label, text), soft_wrap=True, highlight=False)


def as_typed(path: Path) -> str:
    """Return a path as it is typed in the working directory."""
    absolute, here = path.absolute(), Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))
