import io

from rich.console import Console
from rich.text import Text

from rnnexp.sweeps.grid import Grid
from rnnexp.sweeps.outcome import Outcome
from rnnexp.sweeps.progress import Count, progress

GRID = Grid([(f"units={4 + number}",) for number in range(3)], ["units"])


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def outcome(number, status, seconds=None, **values):
    return Outcome(number, (), status, name=f"job-{number}", seconds=seconds, **values)


def shown(*states, terminal=False, costs=(1.0, 1.0, 2.0), clock=None):
    file = io.StringIO()
    clock = Clock() if clock is None else clock
    console = Console(file=file, width=80, force_terminal=terminal)
    with progress(costs, 2, GRID, console, clock) as display:
        for outcomes in states:
            display.update({o.number: o for o in outcomes})
            clock.now += 10
    return file.getvalue()


def test_a_file_gets_a_line_for_each_job_that_was_run():
    first = outcome(0, "FINISHED", 4.0, learning="at_chance")
    second = outcome(1, "FAILED", 1.0, note="OSError: gone")
    third = outcome(2, "SKIPPED", 0.1, learning="solved")
    text = shown([], [first], [first], [first, second], [first, second, third])
    assert text.splitlines() == [
        "1/3 jobs  0 failed  0 running  6.0 s left  job-0 at chance",
        "2/3 jobs  1 failed  0 running  4.0 s left  job-1 failed: OSError: gone",
    ]


def test_a_file_gets_a_line_a_minute_where_nothing_ends():
    text = shown(*([[outcome(0, "RUNNING")]] * 8))
    assert text.splitlines() == ["0/3 jobs  0 failed  1 running"]


def test_the_time_left_is_weighed_by_cost_and_shared_by_workers():
    count = Count([1.0, 3.0, 4.0], workers=2, clock=Clock())
    assert count.left() is None
    # 2 s for a cost of 1: the other 7 take 14 s, 7 on two workers.
    count.outcomes = {0: outcome(0, "FINISHED", 2.0), 1: outcome(1, "RUNNING")}
    assert count.left() == 7.0
    count.outcomes = {**count.outcomes, 1: outcome(1, "FAILED", 9.0), 2: outcome(2, "SKIPPED", 0.1)}
    assert count.left() == 0.0


def test_before_the_first_job_it_is_starting():
    count = Count([1.0], workers=1, clock=Clock())
    assert count.state() == "0 failed  0 running  starting"
    count.outcomes = {0: outcome(0, "RUNNING")}
    assert count.state() == "0 failed  1 running"


def test_a_terminal_gets_the_grid_and_each_failure_once():
    failed = [outcome(0, "FAILED", 1.0, note="OSError: [gone]")]
    text = shown(failed, failed, terminal=True)
    assert text.count("job-0 failed: OSError: [gone]") == 1
    assert "1/3 jobs" in text
    lines = [line.split() for line in Text.from_ansi(text).plain.splitlines()]
    assert ["units", "4", "5", "6"] in lines and ["failed", "\N{MIDDLE DOT}", "\N{MIDDLE DOT}"] in lines
