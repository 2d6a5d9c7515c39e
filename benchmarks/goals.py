"""What the table has to show: a goal for every figure, and whether it is met."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.jobs import MOST_COST
from benchmarks.steps import FIT, FIT_XLA, FLOOR, JAX, RECORDING, SHAPES, SILENT, TORCH

Results = Mapping[str, Any]


class Goal(NamedTuple):
    """A figure and what it should be.

    Attributes:
        work: What is timed.
        against: What it is compared with.
        section: Where the results hold it.
        figure: Section -> the figure.
        bound: The goal.
        at_least: Whether the figure should be at least the bound, else at most.
        unit: "x", "s" or "MiB".
    """

    work: str
    against: str
    section: str
    figure: Callable[[Any], float]
    bound: float
    at_least: bool = True
    unit: str = "x"

    @property
    def comparison(self) -> str:
        """What is timed, and against what."""
        return f"{self.work} against {self.against}" if self.against else self.work

    @property
    def wanted(self) -> str:
        """The goal in words."""
        return f"{'>=' if self.at_least else '<='} {self.bound:g} {self.unit}"

    def met(self, figure: float) -> bool:
        """Whether a figure reaches the goal."""
        return figure >= self.bound if self.at_least else figure <= self.bound


class Judged(NamedTuple):
    """A goal beside what was measured."""

    goal: Goal
    figure: float
    met: bool

    @property
    def measured(self) -> str:
        """The figure with its unit."""
        return f"{self.figure:,.0f} MiB" if self.goal.unit == "MiB" else f"{self.figure:.2f} {self.goal.unit}"


def judge(results: Results) -> list[Judged]:
    """Return all goals of which the results hold the figure."""
    judged = []
    for goal in GOALS:
        try:
            figure = goal.figure(results[goal.section])
        except (KeyError, ValueError):  # a contestant, a case or a section that was left out
            continue
        judged.append(Judged(goal, figure, goal.met(figure)))
    return judged


def _ratio(row: int, *others: str, over: str = RECORDING) -> Callable[[Any], float]:
    """The best of `others` over `over`, at the shape of that row."""

    def figure(section: Mapping[str, Any]) -> float:
        ratios = section["rows"][row]["ratios"]
        return min(ratios[other] for other in others) / ratios[over]

    return figure


def _steps() -> list[Goal]:
    bounds = {FIT: (3, 2.5, 1.4), TORCH: (3, 5, 1.8), JAX: (1, 1.3, 1.8)}
    goals = []
    for row, shape in enumerate(SHAPES):
        work = f"step, recording: {', '.join(map(str, shape))}"
        for name, bound in bounds.items():
            goals.append(Goal(work, name, "steps", _ratio(row, name), bound[row]))
        goals.append(
            Goal(work, "better of both Keras fits", "steps", _ratio(row, FIT, FIT_XLA), (1.5, 2, 1.3)[row])
        )
        goals.append(
            Goal(work, "not recording", "steps", _ratio(row, RECORDING, over=SILENT), 1.03, at_least=False)
        )
        if row > 0:
            goals.append(
                Goal(work, "floor", "steps", _ratio(row, RECORDING, over=FLOOR), 1.3, at_least=False)
            )
    return goals


def _of(*path: str) -> Callable[[Any], float]:
    def figure(section: Any) -> float:
        for key in path:
            section = section[key]
        return section

    return figure


def _row_of(rows: Sequence[Mapping[str, Any]], **fields: object) -> Mapping[str, Any]:
    """The row of `benchmarks.long_sequences` with these fields; of rnnexp, that with a segment."""
    wanted = [row for row in rows if all(row[key] == value for key, value in fields.items())]
    (found,) = [row for row in wanted if row["kind"] != "rnnexp" or row["segment"] is not None]
    return found


def _memory(*, jit: bool) -> Callable[[Any], float]:
    """Peak of our process over that of the stock one, both under XLA or both without."""

    def figure(section: Any) -> float:
        case = {"steps": 10_000, "batch_size": 8, "jit": jit}
        kinds = ("rnnexp", "SimpleRNN")
        ours, stock = (_row_of(section["rows"], kind=kind, **case)["peak_mebibytes"] for kind in kinds)
        return ours / stock

    return figure


def _longest(section: Any) -> float:
    return _row_of(section["rows"], kind="rnnexp", steps=100_000)["peak_mebibytes"]


def _linear(section: Any) -> float:
    """Seconds per step of time at T = 100,000 over those at T = 1,000."""
    long, short = (_row_of(section["rows"], kind="rnnexp", steps=steps) for steps in (100_000, 1000))
    return long["seconds"] / long["steps"] / (short["seconds"] / short["steps"])


GOALS: list[Goal] = [
    *_steps(),
    Goal("all dl_b/dh_t: 200, 32, 32", "torch RNNCell loop, retain_grad", "adjoints", _of("ratio"), 8),
    Goal("memory: 10,000, 64, 8", "stock SimpleRNN, XLA", "long_sequences", _memory(jit=True), 1, False),
    Goal("memory, no XLA: 10,000, 64, 8", "stock SimpleRNN", "long_sequences", _memory(jit=False), 1, False),
    Goal("memory: 100,000, 64, 4", "", "long_sequences", _longest, 2048, False, "MiB"),
    Goal("time per step: T = 100,000", "T = 1,000", "long_sequences", _linear, 1.2, False),
    Goal("python run.py --help", "", "startup", _of("seconds", "help"), 1.5, False, "s"),
    Goal("python run.py seq_len=-1", "", "startup", _of("seconds", "refusal"), 1.5, False, "s"),
    Goal("first step of a process", "stock Keras script", "startup", _of("ratio"), 1.1, False),
    Goal("job of a sweep, beside its training", "", "jobs", _of("cost"), MOST_COST, False, "s"),
    Goal("whole run, relu over 200", "stock Keras script", "whole_run", _of("ratio"), 2),
]
