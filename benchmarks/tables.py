"""Results -> tables in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import goals
from benchmarks.steps import RECORDING


def show(results: Mapping[str, Any]) -> None:
    """Print the tables and on what they were measured."""
    console = Console(width=140)
    if "steps" in results:
        console.print(_steps(results["steps"]))
    if "floor" in results.get("steps", [{"ratios": "floor"}])[0]["ratios"]:  # the goals are those of a CPU
        console.print(_goals(goals.judge(results)))
    console.print(
        f"medians of {results['rounds']} paired rounds of {results['seconds']} s of each contestant"
    )
    console.print(", ".join(f"{name} {value}" for name, value in results["machine"].items()))


def _steps(rows: list[dict[str, Any]]) -> Table:
    names = [name for name in rows[0]["ratios"] if name != RECORDING]
    table = Table(title="One training step: milliseconds, and times as long as rnnexp recording")
    for column in ("T, H, B", RECORDING, *names):
        table.add_column(column, justify="right")
    for row in rows:
        cells = [f"{row['milliseconds'][name]:.2f} ms\n{row['ratios'][name]:.2f}x" for name in names]
        shape = ", ".join(map(str, row["shape"]))
        table.add_row(shape, f"{row['milliseconds'][RECORDING]:.2f} ms", *cells)
    return table


def _goals(judged: list[goals.Judged]) -> Table:
    table = Table(title="Goals")
    for column, justify in (("work", "left"), ("against", "left"), ("goal", "right"), ("measured", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("")
    for goal, figure, met in judged:
        measured = f"{figure:.2f} {goal.unit}" if goal.unit != "MiB" else f"{figure:,.0f} MiB"
        table.add_row(goal.work, goal.against, goal.wanted, measured, "met" if met else "[red]missed")
    return table
