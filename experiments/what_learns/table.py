"""Print the README's table of what learns from results.csv: python experiments/what_learns/table.py."""

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

STUDY = Path(__file__).parent


def lines(table: Path = STUDY / "results.csv") -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| command after `python run.py` | gradient at start, at end | found |"
    yield "|---|---|---|"
    with table.open(newline="") as file:
        for command, rows in itertools.groupby(csv.DictReader(file), lambda row: row["command"]):
            yield _line(command, list(rows))


def _line(command: str, rows: Sequence[Mapping[str, str]]) -> str:
    seeds = f" (seeds {', '.join(row['seed'] for row in rows)})" if len(rows) > 1 else ""
    start, end = ("/".join(dict.fromkeys(_words(row[key]) for row in rows)) for key in ("start", "end"))
    return f"| `{command}`{seeds} | {start}, {end} | {found(rows)} |"


def found(rows: Sequence[Mapping[str, str]]) -> str:
    """Return in words what became of the runs of a command."""
    verdict = "/".join(dict.fromkeys(_words(row["learning"]) for row in rows))
    first = rows[0]
    if first["spike_step"]:
        return (
            f"{verdict}: the gradient jumped to {float(first['spike_norm']):g} at step {first['spike_step']}"
        )
    wrong = ", ".join(f"{float(row['error']):.2%}".removesuffix("%") for row in rows if row["error"])
    return f"{verdict}: {wrong} % wrong" if wrong else verdict


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")


if __name__ == "__main__":
    print(*lines(), sep="\n")
