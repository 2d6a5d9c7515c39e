"""MLflow's pages over the runs: `rnnexp ui`."""

import argparse
import os
import sys
from collections.abc import Sequence

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.places import COMMAND, data_folder
from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.address import is_server, resolve


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the pages until they are stopped; of a store that a server keeps, say where they are.

    The server takes the place of this process, so that Ctrl-C and signals reach it alone.
    """
    parser = argparse.ArgumentParser(prog=f"{COMMAND} ui", description="Show MLflow's pages over all runs.")
    parser.add_argument("--port", type=int, default=5000, help="of the pages (default: 5000)")
    parser.add_argument(
        "--where",
        metavar="ADDRESS",
        help="the store (default: MLFLOW_TRACKING_URI, else mlflow.db, beside run.py or in this folder)",
    )
    options = parser.parse_args(arguments)
    try:
        address = resolve(options.where, os.environ, data_folder())
    except ArgumentError as error:
        print(f"{COMMAND} ui: {error}", file=sys.stderr)
        return 2
    if is_server(address):
        print(f"a server keeps the runs, open it: {without_login(address)}")
        return 0
    print(f"MLflow's pages over {address}: http://127.0.0.1:{options.port} (Ctrl-C ends them)", flush=True)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    command = [sys.executable, "-m", "mlflow", "ui"]
    command += ["--backend-store-uri", address, "--port", str(options.port)]
    os.execv(sys.executable, command)
