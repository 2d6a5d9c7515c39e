"""Verdicts and statuses in the terminal: their words and their colours."""

from rich.text import Text

# A colour only repeats the meaning of its word: the output is complete without colours.
COLOURS = {
    "solved": "green",
    "stable": "green",
    "finished": "green",
    "learning": "cyan",
    "vanishing": "yellow",
    "borderline": "yellow",
    "at_chance": "yellow",
    "worse_than_chance": "red",
    "exploding": "red",
    "non_finite": "red",
    "not_measured": "yellow",
    "diverged": "red",
    "failed": "red",
    "killed": "red",
}
"""Word -> style of rich; other words have none."""


def spelt(verdict: str) -> str:
    """Return a verdict or status in words.

    >>> spelt("at_chance"), spelt("non_finite")
    ('at chance', 'non-finite')
    """
    return verdict.replace("non_", "non-").replace("_", " ")


def coloured(verdict: str | None) -> Text:
    """Return a verdict or status in words and in its colour; "" if there is none."""
    return Text("") if verdict is None else Text(spelt(verdict), COLOURS.get(verdict, ""))
