import io
import math
from typing import Any

import pytest
from rich.console import Console

from rnnexp.report import terminal as console
from rnnexp.runtime.checks import ArgumentError


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def pipe():
    return Console(file=io.StringIO(), width=80)


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), width=80, force_terminal=True, legacy_windows=False)


def train(output, total, start=0, until=None, seconds_a_step=0.5, loss=0.25, norm=0.001):
    clock = Clock()
    with console.progress(total, start=start, console=output, clock=clock) as progress:
        for step in range(start + 1, (total if until is None else until) + 1):
            clock.now += seconds_a_step
            progress.update(step, loss, norm)
    return output.file.getvalue()


def steps_of(text):
    return [int(line.split("/")[0].removeprefix("step").replace(",", "")) for line in text.splitlines()]


@pytest.mark.parametrize("total", [1, 7, 10, 95, 1000])
def test_a_pipe_gets_a_line_each_tenth_and_the_last(pipe, total):
    steps = steps_of(train(pipe, total, seconds_a_step=0.01))
    assert steps[-1] == total
    assert len(steps) <= 11
    assert all(b - a <= math.ceil(total / 10) for a, b in zip([0, *steps], steps, strict=False))


def test_a_line_holds_step_loss_norm_speed_and_time_left(pipe):
    line = train(pipe, 10_000, start=4000, seconds_a_step=0.05).splitlines()[0]
    assert " ".join(line.split()) == (
        "step 5,000/10,000 50 % loss 0.2500 grad 1.00e-03 20 steps/s 4 min 10 s left"
    )


def test_a_slow_run_speaks_once_a_minute(pipe):
    steps = steps_of(train(pipe, 1000, until=100, seconds_a_step=10))
    assert steps == [*range(6, 97, 6), 100]


def test_a_resumed_run_counts_from_where_it_was(pipe):
    lines = train(pipe, 1000, start=700).splitlines()
    assert steps_of("\n".join(lines)) == [800, 900, 1000]
    assert all("2 steps/s" in line for line in lines)
    assert "1 min 40 s left" in lines[0]


def test_a_run_that_stops_early_shows_its_last_step(pipe):
    assert steps_of(train(pipe, 1000, until=312)) == [100, 200, 300, 312]


def test_a_run_that_fails_shows_its_last_step(pipe):
    with pytest.raises(RuntimeError), console.progress(1000, console=pipe) as progress:
        progress.update(42, 0.1, 0.1)
        raise RuntimeError
    assert steps_of(pipe.file.getvalue()) == [42]


def test_nothing_is_printed_of_a_run_without_a_step(pipe):
    assert train(pipe, 0) == ""
    assert train(pipe, 10, start=10) == ""


@pytest.mark.parametrize("shown", ["pipe", "terminal"])
def test_numbers_that_are_not_finite_are_shown_as_such(request, shown):
    text = train(request.getfixturevalue(shown), 10, loss=math.nan, norm=math.inf)
    assert "nan" in text and "inf" in text


def test_a_pipe_gets_no_escape_codes_and_a_terminal_gets_a_bar(pipe, terminal):
    assert "\x1b" not in train(pipe, 10)
    text = train(terminal, 10)
    assert "\x1b" in text and "━" in text and "10/10" in text and "0.2500" in text and "1.00e-03" in text


def test_a_resumed_bar_starts_where_the_run_was(terminal):
    assert "7/10" in train(terminal, 10, start=7, until=7)


def test_a_line_of_the_bar_fits_80_columns():
    output = Console(record=True, file=io.StringIO(), width=80, force_terminal=True)
    train(output, 5_000_000, start=4_999_990, loss=1.2345e-05, norm=1e10)
    text = output.export_text()
    last = text[text.rindex("5,000,000/5,000,000") :]
    assert len(last.rstrip()) <= 80
    assert "…" not in last and "1.234e-05" in last


@pytest.mark.parametrize(("total", "start", "name"), [(-1, 0, "total"), (10, -1, "start")])
def test_arguments_are_checked(total, start, name):
    message = f"{name}: expected an integer of at least 0, received -1"
    with pytest.raises(ArgumentError, match=message), console.progress(total, start=start):
        pass


def test_a_terminal_shows_the_profile_and_a_pipe_does_not(pipe, terminal):
    for output, shown in ((terminal, True), (pipe, False)):
        with console.progress(10, console=output) as progress:
            progress.update(1, 0.1, 0.1)
            progress.profile([-9.0, -3.0, 0.0])
            if shown:
                bar: Any = progress
                bar._bar.refresh()  # rich draws once a second
        assert ("t = 3" in output.file.getvalue()) == shown


@pytest.mark.parametrize("shown", ["pipe", "terminal"])
def test_what_is_said_stays(request, shown):
    output = request.getfixturevalue(shown)
    with console.progress(10, console=output) as progress:
        progress.say("it jumped [so] far")
    assert "it jumped [so] far" in output.file.getvalue()


def test_a_terminal_says_that_it_compiles_until_the_first_step(terminal):
    with console.progress(10, console=terminal) as progress:
        assert "compiling" in terminal.file.getvalue()
        progress.update(10, 0.1, 0.1)
    assert "compiling" not in terminal.file.getvalue().splitlines()[-1]
