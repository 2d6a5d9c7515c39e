"""The colours of verdicts and statuses in the terminal."""

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
