"""Whether a store has a run, asked without MLflow, whose import takes seconds."""

import contextlib
import http.client
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path

from rnnexp.tracking.address import is_server, sqlite_path, without_login

_SECONDS = 5.0


def is_known(uri: str, run_id: str) -> bool:
    """Return whether the store at `uri` has the run `run_id`, not deleted.

    A store that cannot be asked this way (another database, a server with a login) is taken to have it.
    """
    path = sqlite_path(uri)
    if path is not None:
        return _in_database(path, run_id)
    return not is_server(uri) or _on_server(without_login(uri), run_id)


def _in_database(path: Path, run_id: str) -> bool:
    if not path.is_file():
        return False
    query = "SELECT lifecycle_stage FROM runs WHERE run_uuid = ?"
    try:
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_SECONDS)
        with contextlib.closing(database):
            found = database.execute(query, (run_id,)).fetchone()
    except sqlite3.DatabaseError:
        return True
    return found is not None and found[0] == "active"


def _on_server(address: str, run_id: str) -> bool:
    url = f"{address}/api/2.0/mlflow/runs/get?run_id={run_id}"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            return b'"lifecycle_stage": "deleted"' not in answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code != 404
    except (OSError, http.client.HTTPException):
        return True
