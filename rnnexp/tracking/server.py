"""MLflow's pages over a store: served quietly, with the address of the verdicts printed once they are there.

`python run.py ui --port 5000`, `rnnexp ui`
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.places import COMMAND, data_folder
from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.address import is_server, resolve
from rnnexp.tracking.client import connect
from rnnexp.tracking.links import verdicts_page

_PATIENCE = 120.0  # seconds until a server that says nothing is given up
_POLL = 0.2
_LINES = 15  # of what a server said before it died


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the pages of the store that is meant, until Ctrl-C; of a server, say where they are."""
    parser = argparse.ArgumentParser(prog=f"{COMMAND} ui", description="Show MLflow's pages over all runs.")
    parser.add_argument("--port", type=int, default=5000, help="of the pages (default: 5000)")
    parser.add_argument(
        "--where",
        metavar="ADDRESS",
        help="the store (default: MLFLOW_TRACKING_URI, else mlflow.db, where runs put it)",
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which ends the server, too
    try:
        return serve(resolve(options.where, os.environ, data_folder()), options.port)
    except ArgumentError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def serve(address: str, port: int) -> int:
    """Serve the pages of a store until they are stopped; return 0, or 1 after what the server said last.

    Args:
        address: From `resolve`. Where it is a server's, its pages are named and nothing is started.
        port: Of the pages.

    Raises:
        ArgumentError: Another program has the port.
    """
    if is_server(address):
        _print_links(address, without_login(address))
        return 0
    _check_free(port)
    with (
        tempfile.TemporaryDirectory(prefix="rnnexp-ui-") as folder,
        _server(address, port, folder) as process,
    ):
        pages = f"http://127.0.0.1:{port}"
        try:
            if not _answers(f"{pages}/health", process):
                said = (Path(folder) / "log").read_text(encoding="utf-8", errors="replace").splitlines()
                print(*said[-_LINES:], sep="\n", file=sys.stderr)
                return 1
            _print_links(address, pages)
            print("Ctrl-C ends them.", flush=True)
            return process.wait()
        except KeyboardInterrupt:
            return 0


def _check_free(port: int) -> None:
    with socket.socket() as here:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            here.bind(("127.0.0.1", port))
        except OverflowError:
            raise ArgumentError("port", "an integer from 0 to 65535", port) from None
        except OSError:
            raise ArgumentError("port", "one that is free", port) from None


def links(address: str, pages: str) -> dict[str, str]:
    """Return the address of the verdicts of every experiment that has runs, by its name, the newest first."""
    client = connect(address)
    found: dict[str, Any] = {}
    for experiment in client.search_experiments():
        if client.search_runs([experiment.experiment_id], max_results=1):
            found[experiment.name] = verdicts_page(pages, experiment.experiment_id)
    return found


def _print_links(address: str, pages: str) -> None:
    found = links(address, pages)
    print("MLflow's pages are open:" if found else f"No runs yet. MLflow's pages: {pages}", flush=True)
    for name, link in found.items():
        print(f"  {name}  {link}", flush=True)


@contextlib.contextmanager
def _server(address: str, port: int, folder: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run MLflow's server; what it writes goes to a file, where it is read if it fails."""
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", address, "--port", str(port)]
    environ = {"MLFLOW_DISABLE_TELEMETRY": "true"} | os.environ
    with (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _answers(health: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(health, timeout=_PATIENCE):
            return process.poll() is None
        time.sleep(_POLL)
    return False


if __name__ == "__main__":
    sys.exit(main())
