"""One command, one table: `python -m benchmarks` (or `make bench`)."""

import argparse
import importlib
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnexp import provenance
from rnnexp.device import import_tensorflow

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Measure what was asked for, print the tables, write the result file where asked."""
    arguments = _parse()
    import_tensorflow(arguments.device)
    from benchmarks import tables

    old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    # The other sections are about the CPU.
    sections = arguments.only if arguments.device == "cpu" else ["steps"]
    results: dict[str, Any] = {
        "machine": _machine(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
    }
    for section in sections:
        try:
            results[section] = SECTIONS[section](arguments)
        except ImportError as error:
            print(f"{section} is left out: {error}.")
    tables.show(results)
    if arguments.write and arguments.device == "cpu":
        # Rows from elsewhere stay only if they were measured on the same machine with the same versions.
        kept = old if old.get("machine") == results["machine"] else {}
        RESULTS.write_text(json.dumps(kept | results, indent=1) + "\n", encoding="utf-8")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="of each in a round (default: %(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="(default: all, ten minutes)"
    )
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="(default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} (cpu)")
    return parser.parse_args()


def _section(name: str, *keys: str) -> Callable[[argparse.Namespace], Any]:
    """Return what measures a section; it is imported only then, after TensorFlow and for its device."""
    return lambda arguments: importlib.import_module(f"benchmarks.{name}").measure(
        *(getattr(arguments, key) for key in keys)
    )


SECTIONS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "steps": _section("steps", "seconds", "rounds"),
    "adjoints": _section("adjoints", "seconds", "rounds"),
    "long_sequences": lambda arguments: importlib.import_module("benchmarks.long_sequences").measure(),
    "startup": lambda arguments: importlib.import_module("benchmarks.startup").measure(5),
    "whole_run": lambda arguments: importlib.import_module("benchmarks.whole_run").measure(2),
}
"""Name of a module of this folder -> what runs it."""


def _machine() -> dict[str, str]:
    versions = provenance.versions()
    head = provenance.environment().splitlines()[2].removeprefix("# processor ")
    return {"processor": head, "system": platform.platform(), "cores": str(os.cpu_count()), **versions}


if __name__ == "__main__":
    main()
