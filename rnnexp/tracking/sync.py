"""Send the records of runs to MLflow that could not be reached: `rnnexp sync FOLDER`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnexp.runtime import output
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.places import COMMAND
from rnnexp.tracking.address import resolve
from rnnexp.tracking.upload import UNSENT, Upload, is_sent

_EXPLAIN = (
    "Send the records of runs to MLflow that could not be reached while they ran. What has arrived is not "
    "sent again, so the command can be given as often as one likes."
)


def sync(folder: Path, uri: str | None = None) -> bool:
    """Send what MLflow lacks of the run in `folder`; return whether there was anything to send.

    Args:
        folder: The folder of a run with tracking=mlflow.
        uri: Another address than the one that the run was recorded for, such as one with a login.

    Raises:
        ArgumentError: The folder holds no such run, or the experiment has been deleted in MLflow.
        Exception: Of MLflow, its server or its database.
    """
    upload = Upload.noted(folder, uri)
    if is_sent(folder):
        return False
    upload.push()
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the runs of the command line; return 0, 2 where one is wrong, 3 where MLflow cannot be reached."""
    parser = argparse.ArgumentParser(prog=f"{COMMAND} sync", description=_EXPLAIN)
    parser.add_argument("folders", nargs="+", type=Path, help="a run's folder, or one above such folders")
    parser.add_argument("--to", metavar="ADDRESS", help="the store, if it has a login or another address now")
    options = parser.parse_args(arguments)
    try:
        uri = None if options.to is None else resolve(options.to, {}, Path.cwd())
        return max((_sync(folder, uri) for folder in _runs(options.folders)), default=0)
    except ArgumentError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def _runs(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        found = sorted(path.parent for path in folder.rglob("upload.json"))
        if not found:
            expected = "the folder of a run with tracking=mlflow, or one above such folders"
            raise ArgumentError("folder", expected, str(folder))
        yield from found


def _sync(folder: Path, uri: str | None) -> int:
    try:
        print(f"{folder}: {'sent' if sync(folder, uri) else 'nothing to send'}")
    except ArgumentError:
        raise
    except Exception as error:
        print(f"{folder}: MLflow cannot be reached: {str(error).partition(chr(10))[0]}", file=sys.stderr)
        return UNSENT
    return 0


if __name__ == "__main__":
    output.protect()
    sys.exit(main())
