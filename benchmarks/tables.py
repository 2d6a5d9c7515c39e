"""Results -> tables in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import goals
from benchmarks.steps import RECORDING


def show(results: Mapping[str, Any]) -> None:
    """Print the tables and on what they were measured."""
    console = Console(width=150)
    if "steps" in results:
        console.print(_steps(results["steps"]["rows"]))
    if results["device"] == "cpu":  # the goals are a CPU's
        console.print(_goals(goals.judge(results)))
    rounds = [f"{name} {part['rounds']}" for name, part in results.items() if "rounds" in part]
    console.print(f"medians of paired rounds: {', '.join(rounds)}")
    console.print(", ".join(f"{name} {value}" for name, value in results["machine"].items()))


def _steps(rows: list[dict[str, Any]]) -> Table:
    names = [name for name in rows[-1]["ratios"] if name != RECORDING]
    table = Table(title="One training step: milliseconds, and times as long as rnnexp recording")
    for column in ("T, H, B", RECORDING, *names):
        table.add_column(column, justify="right")
    for row in rows:
        cells = [_cell(row, name) for name in names]
        shape = ", ".join(map(str, row["shape"]))
        table.add_row(shape, f"{row['milliseconds'][RECORDING]:.2f} ms", *cells)
    return table


def _cell(row: Mapping[str, Any], name: str) -> str:
    if name not in row["ratios"]:  # a run of this shape has one part anyway
        return "-"
    return f"{row['milliseconds'][name]:.2f} ms\n{row['ratios'][name]:.2f}x"


def _goals(judged: list[goals.Judged]) -> Table:
    table = Table(title="Goals")
    for column, justify in (("work", "left"), ("against", "left"), ("goal", "right"), ("measured", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("")
    for each in judged:
        goal, met = each.goal, "met" if each.met else "[red]missed"
        table.add_row(goal.work, goal.against, goal.wanted, each.measured, met)
    return table
