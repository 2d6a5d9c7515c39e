"""One command, one table: `python -m benchmarks` (or `make bench`)."""

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from rnnexp.runtime import provenance
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.device import check_device, import_tensorflow

SECTIONS = ("steps", "adjoints", "long_sequences", "startup", "jobs", "whole_run")
"""Modules of this folder whose `measure` fills a section of the results."""

_PAIRED = ("steps", "adjoints")
RESULTS = Path(__file__).with_name("results.json")

# Each library would take the whole memory of a GPU for itself, and they take turns on it.
_SHARING = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def main() -> None:
    """Measure what was asked for, print the tables, write the result file where asked."""
    arguments = _parse()
    if arguments.device == "gpu":
        os.environ.update(_SHARING)
    try:
        check_device(arguments.device)
        import_tensorflow(arguments.device)
    except ArgumentError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        sys.exit(2)
    from benchmarks import tables

    results: dict[str, Any] = {"machine": _machine(), "device": arguments.device}
    # The other sections are about the CPU.
    for section in arguments.only if arguments.device == "cpu" else ["steps"]:
        try:
            results[section] = _measure(section, arguments)
        except ImportError as error:
            print(f"{section} is left out: {error}.")
    tables.show(results)
    if arguments.write and arguments.device == "cpu":
        _write(results)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds of steps (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="of each in a round (default: %(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="(default: all, ten minutes)"
    )
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="(default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} and the pages (cpu)")
    return parser.parse_args()


def _measure(section: str, arguments: argparse.Namespace) -> dict[str, Any]:
    # Imported only here, after TensorFlow and for its device.
    module = importlib.import_module(f"benchmarks.{section}")
    return module.measure(arguments.seconds, arguments.rounds) if section in _PAIRED else module.measure()


def _write(results: dict[str, Any]) -> None:
    """Write them over the file; sections that were not asked for stay if they are of the same machine."""
    from benchmarks import pages

    old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    kept = old if old.get("machine") == results["machine"] else {}
    whole = kept | results
    RESULTS.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    pages.write(whole)


def _machine() -> dict[str, str]:
    head = provenance.environment().splitlines()[2].removeprefix("# processor ")
    return {"processor": head, "system": platform.platform(), **provenance.versions(), **_contestants()}


def _contestants() -> dict[str, str]:
    found = {}
    for name in ("torch", "jax"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


if __name__ == "__main__":
    main()
