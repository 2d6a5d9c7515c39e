"""One command, one table: `python -m benchmarks` (or `make bench`)."""

import argparse
import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any

from rnnexp import provenance
from rnnexp.device import import_tensorflow

RESULTS = Path(__file__).with_name("results.json")
SHAPES = ((200, 32, 32), (400, 100, 16), (200, 128, 128))
RECORDING = "rnnexp, recording"
SILENT = "rnnexp, not recording"


def main() -> None:
    """Time the contestants at every shape, print the table, write the result file where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="of each in a round (default: %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    import_tensorflow("auto")
    rows = [_measure(shape, arguments.seconds, arguments.rounds) for shape in SHAPES]
    result = {"machine": _machine(), "rounds": arguments.rounds, "seconds": arguments.seconds, "rows": rows}
    _print(result)
    if arguments.write:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _measure(sizes: tuple[int, int, int], budget: float, rounds: int) -> dict[str, Any]:
    """Time all contestants on one shape; ratios are theirs over ours, the median over rounds."""
    from benchmarks import contestants, timing

    shape = contestants.Shape(*sizes)
    field = {
        RECORDING: contestants.rnnexp_fit(shape, record=True),
        SILENT: contestants.rnnexp_fit(shape, record=False),
        "Keras fit": contestants.keras_fit(shape, jit=False),
        "Keras fit, XLA": contestants.keras_fit(shape, jit=True),
    }
    try:
        field["torch nn.RNN"] = contestants.torch_loop(shape)
    except ImportError:
        print("PyTorch is not installed; its column is left out (make torch).")
    seconds = timing.paired(field, budget, rounds)
    return {
        "shape": sizes,
        "milliseconds": {name: 1e3 * statistics.median(values) for name, values in seconds.items()},
        "ratios": {name: timing.median_ratio(values, seconds[RECORDING]) for name, values in seconds.items()},
    }


def _machine() -> dict[str, str]:
    versions = provenance.versions()
    head = provenance.environment().splitlines()[2].removeprefix("# processor ")
    return {"processor": head, "system": platform.platform(), "cores": str(os.cpu_count()), **versions}


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    names = [name for name in result["rows"][0]["ratios"] if name != RECORDING]
    table = Table(title="One training step (T, H, B): milliseconds, and times as long as rnnexp recording")
    for column in ("T, H, B", RECORDING, *names):
        table.add_column(column, justify="right")
    for row in result["rows"]:
        cells = [f"{row['milliseconds'][name]:.2f} ms  {row['ratios'][name]:.2f}x" for name in names]
        shape = ", ".join(map(str, row["shape"]))
        table.add_row(shape, f"{row['milliseconds'][RECORDING]:.2f} ms", *cells)
    console = Console(width=140)
    console.print(table)
    console.print(
        f"medians of {result['rounds']} paired rounds of {result['seconds']} s each", result["machine"]
    )


if __name__ == "__main__":
    main()
