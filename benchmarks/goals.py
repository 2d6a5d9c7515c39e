"""What the table has to show: a goal for every figure, and whether it is met."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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


def judge(results: Results) -> list[Judged]:
    """Return all goals of which the results hold the figure."""
    judged = []
    for goal in GOALS:
        try:
            figure = goal.figure(results[goal.section])
        except KeyError:  # a contestant or a section that was left out
            continue
        judged.append(Judged(goal, figure, goal.met(figure)))
    return judged


def _ratio(row: int, *others: str, over: str = RECORDING) -> Callable[[Any], float]:
    """The best of `others` over `over`, at the shape of that row."""

    def figure(rows: Sequence[Mapping[str, Any]]) -> float:
        ratios = rows[row]["ratios"]
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


GOALS: list[Goal] = [
    *_steps(),
    Goal("all ln ||dl_b/dh_t||", "torch RNNCell loop, retain_grad", "adjoints", _of("ratio"), 8),
    Goal("python run.py --help", "", "startup", _of("seconds", "help"), 1.5, False, "s"),
    Goal("python run.py seq_len=-1", "", "startup", _of("seconds", "refusal"), 1.5, False, "s"),
    Goal("first step of a process", "stock Keras script", "startup", _of("ratio"), 1.1, False),
    Goal("whole run, relu over 200", "stock Keras script", "whole_run", _of("ratio"), 2),
]
