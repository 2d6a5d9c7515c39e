"""The command: `rnnexp`, `python -m rnnexp` and, in a checkout, `python run.py`."""

import importlib
import signal
import sys
from collections.abc import Mapping

from rnnexp.runtime import output
from rnnexp.runtime.checks import ArgumentError, one_of
from rnnexp.runtime.extras import MissingPackage, explained
from rnnexp.runtime.places import PROGRAM

TOOLS: Mapping[str, str] = {
    "plot": "rnnexp.report.plot_command",
    "report": "rnnexp.report.command",
    "sync": "rnnexp.tracking.sync",
    "treat": "rnnexp.treat",
    "ui": "rnnexp.tracking.server",
}
"""The first word of a command that is no run and no sweep -> the module whose `main` does it."""


def main() -> None:
    """Do what the command line asks for: a run, a sweep (`-m`), or one of `TOOLS`."""
    arguments = sys.argv[1:]
    output.protect()
    try:
        with explained():
            if arguments and arguments[0] in TOOLS:
                sys.exit(importlib.import_module(TOOLS[arguments[0]]).main(arguments[1:]))
            if arguments and arguments[0].isidentifier():
                raise ArgumentError(
                    "command", f"key=value, or {one_of(list(TOOLS), arguments[0])}", arguments[0]
                )
            importlib.import_module("rnnexp.cli").main(arguments)
    except (MissingPackage, ArgumentError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # while the command line is read; later a run and a sweep see to it themselves
        print("stopped by SIGINT before anything was begun", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
