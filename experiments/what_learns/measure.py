"""Run the commands of the README's table of what learns: python experiments/what_learns/measure.py.

Rows that are in results.csv are not done again: a study that was stopped goes on.
"""

import argparse
import csv
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rnnexp.runs.build import PROJECT
from rnnexp.runs.run_folder import RunFolder

STUDY = Path(__file__).parent
FIELDS = ("command", "seed", "start", "end", "learning", "error", "spike_step", "spike_norm")
COMMANDS = {
    "activation=tanh seq_len=50": (0, 1, 2),
    "activation=relu seq_len=50": (0,),
    "cell=lstm seq_len=50": (0,),
    "activation=relu seq_len=100 init=identity clip=global_norm": (0,),
    "activation=relu seq_len=100 init=identity": (0,),
    "activation=relu seq_len=100 init=gaussian init.gain=1.7": (0,),
    "activation=relu seq_len=200": (0,),
    "activation=relu seq_len=200 clip=global_norm clip.threshold=0.9": (0,),
    "activation=tanh seq_len=64 task=digits": (0,),
}
"""What is typed after `python run.py`, and its seeds."""


def run(command: str, seed: int) -> dict[str, object]:
    """Run a command with a seed and return its row."""
    with tempfile.TemporaryDirectory() as folder:
        typed = [*shlex.split(command), f"seed={seed}", "tracking=none", f"output_dir={folder}"]
        subprocess.run([sys.executable, str(PROJECT / "run.py"), *typed], check=True)
        (path,) = Path(folder).glob("*/*/run.json")
        return row(command, seed, RunFolder(path.parent))


def row(command: str, seed: int, folder: RunFolder) -> dict[str, object]:
    """Return what the table keeps of a run."""
    verdicts, final = folder.state()["verdicts"], last(folder.path / "metrics.csv")
    wrecked = verdicts["verdict.learning"] != "solved" and "grad/spike_step" in final
    return {
        "command": command,
        "seed": seed,
        "start": verdicts["verdict.gradient_start"],
        "end": verdicts["verdict.gradient"],
        "learning": verdicts["verdict.learning"],
        "error": f"{final['val/error']:.4f}" if "val/error" in final else "",
        "spike_step": int(final["grad/spike_step"]) if wrecked else "",
        "spike_norm": f"{final['grad/global_norm_max']:.1e}" if wrecked else "",
    }


def last(path: Path) -> dict[str, float]:
    """Return the last value of every metric."""
    with path.open(newline="") as file:
        return {name: float(value) for name, value, *_ in csv.reader(file) if name != "key"}


def main() -> None:
    """Do what is missing of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=STUDY / "results.csv")
    table = parser.parse_args().table
    rows = read(table)
    done = {(each["command"], int(each["seed"])) for each in rows}
    for command, seeds in COMMANDS.items():
        for seed in seeds:
            if (command, seed) not in done:
                rows.append(run(command, seed))
                write(table, rows)


def read(table: Path) -> list[dict[str, object]]:
    """Return the rows of a table, none where there is no file."""
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def write(table: Path, rows: list[dict[str, object]]) -> None:
    """Write the table as a whole, in the order of the commands."""
    order = list(COMMANDS)
    rows = sorted(rows, key=lambda each: (order.index(str(each["command"])), int(str(each["seed"]))))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
