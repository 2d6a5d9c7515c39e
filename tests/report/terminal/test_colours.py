from typing import get_args

import pytest
from rich.style import Style

from rnnexp.diagnosis.verdict import GradientVerdict, LearningVerdict
from rnnexp.report.terminal.colours import COLOURS
from rnnexp.sweeps.outcome import ENDED

VERDICTS = {*get_args(GradientVerdict), *get_args(LearningVerdict)}
ENDS = {status.lower() for status in ENDED} - {"skipped"}  # a job that was skipped has the result of another


def test_only_verdicts_and_ends_have_a_colour():
    assert set(COLOURS) == VERDICTS | ENDS


@pytest.mark.parametrize("word", COLOURS)
def test_a_colour_is_one_that_a_terminal_has(word):
    colour = Style.parse(COLOURS[word]).color
    assert colour is not None
    assert colour.number in range(8)  # as the reader's theme paints it


def test_what_breaks_a_run_is_not_coloured_as_what_goes_well():
    good = {COLOURS[word] for word in ("solved", "stable", "finished", "learning")}
    bad = {COLOURS[word] for word in ("diverged", "exploding", "non_finite", "failed", "killed")}
    assert not good & bad
