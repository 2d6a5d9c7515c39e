"""Which colour a verdict or a status has in the terminal."""

# Colour repeats what the word says; without colour nothing is lost.
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
"""Word -> style of rich; a word that is not here has none."""
