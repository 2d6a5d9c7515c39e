"""Whether a store can be used and knows a run: asked without MLflow and TensorFlow. Creates nothing."""

import base64
import contextlib
import http.client
import importlib.metadata
import importlib.util
import os
import re
import shlex
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.address import OPTION, artifacts_beside, is_server, sqlite_path

_SECONDS = 5.0
_SERVER_SECONDS = 1.0  # before a run has begun
_LOCK_SECONDS = 0.2  # likewise
_READ = 100_000  # bytes of an answer; what is said of a run begins with its state
_ASSIGNMENT = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*(.+)$", re.MULTILINE)
_QUOTED = re.compile(r"[\"']([^\"']+)[\"']")


def check_store(uri: str) -> None:
    """Raise `ArgumentError` if the store at `uri` (see `resolve`) cannot be used.

    A server must answer within a second and accept the host name by which it is called. A SQLite file must
    be absent or empty in a folder that can be written or made, or a database of the installed MLflow. Other
    databases are not looked at.
    """
    path = sqlite_path(uri)
    if path is not None:
        _check_folder(uri, path)
        _check_artifacts(uri, path)
        _check_database(uri, path)
    elif is_server(uri):
        _check_server(uri)


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
        with contextlib.closing(_connect(path, "ro", _SECONDS)) as database:
            found = database.execute(query, (run_id,)).fetchone()
    except sqlite3.DatabaseError:
        return True
    return found is not None and found[0] == "active"


def _on_server(address: str, run_id: str) -> bool:
    try:
        status, body = _answer(f"{address}/api/2.0/mlflow/runs/get?run_id={run_id}", {}, _SECONDS)
    except (OSError, http.client.HTTPException):
        return True
    return status != 404 and b'"lifecycle_stage": "deleted"' not in body


def _check_folder(uri: str, path: Path) -> None:
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ArgumentError(OPTION, f"a file in a folder that can be written, which {folder} is not", uri)


def _check_artifacts(uri: str, path: Path) -> None:
    folder = artifacts_beside(path)
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        expected = f"a database beside which {folder} is a folder that can be written, or is not there"
        raise ArgumentError(OPTION, expected, uri)


def _check_database(uri: str, path: Path) -> None:
    if not path.exists():
        return
    if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        raise ArgumentError(OPTION, "a file that can be read and written", uri)
    found = _revisions(uri, path)
    known, heads = _migrations()
    if not found or not heads or set(found) == heads:
        return
    if known.issuperset(found):
        remedy = f"this one is older: copy it aside, then run `mlflow db upgrade {shlex.quote(uri)}`"
    else:
        remedy = "this one was made by a newer MLflow: install that, or name another file"
    raise ArgumentError(
        OPTION, f"a database of MLflow {importlib.metadata.version('mlflow')} ({remedy})", uri
    )


def _revisions(uri: str, path: Path) -> list[str]:
    """Return the schema revision that the database bears; none if it is empty or busy."""
    try:
        with contextlib.closing(_connect(path, "rw", _LOCK_SECONDS)) as database:
            tables = _column(database, "SELECT name FROM sqlite_master WHERE type = 'table'")
            if "alembic_version" in tables:
                return _column(database, "SELECT version_num FROM alembic_version")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            return []
        raise ArgumentError(OPTION, f"a SQLite database ({error})", uri) from error
    if tables:
        raise ArgumentError(OPTION, "a database that MLflow made (this one holds other tables)", uri)
    return []


def _column(database: sqlite3.Connection, query: str) -> list[str]:
    return [value for (value,) in database.execute(query)]


def _connect(path: Path, mode: str, seconds: float) -> sqlite3.Connection:
    # Neither mode creates a file; rw, unlike ro, may finish what a writer that was killed has left.
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=seconds)


def _migrations() -> tuple[set[str], set[str]]:
    """Return all schema revisions that the installed MLflow knows, and the latest, from its files' text."""
    revisions: set[str] = set()
    superseded: set[str] = set()
    for source in _migration_sources():
        for name, value in _ASSIGNMENT.findall(source):
            (revisions if name == "revision" else superseded).update(_QUOTED.findall(value))
    return revisions, revisions - superseded


def _migration_sources() -> Iterator[str]:
    spec = importlib.util.find_spec("mlflow")
    for home in (spec.submodule_search_locations or []) if spec is not None else []:
        for file in Path(home, "store", "db_migrations", "versions").glob("*.py"):
            yield file.read_text(encoding="utf-8")


def _check_server(uri: str) -> None:
    address, login = without_login(uri), _login(uri)
    try:
        health, _ = _answer(f"{address}/health", login, _SERVER_SECONDS)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return  # somebody answers; which certificates are trusted is a setting of MLflow
        raise ArgumentError(OPTION, f"a running MLflow server ({reason})", address) from error
    if health not in (200, 401):
        raise ArgumentError(OPTION, f"an MLflow server (this one answers {health} to /health)", address)
    # The server checks host names, logins and prefixes everywhere but at /health.
    with contextlib.suppress(OSError, http.client.HTTPException):
        url = f"{address}/api/2.0/mlflow/experiments/get?experiment_id=0"
        _check_answer(address, *_answer(url, login, _SERVER_SECONDS), login)


def _check_answer(address: str, status: int, body: bytes, login: Mapping[str, str]) -> None:
    if status == 403 and (not login or b"host" in body.lower()):
        expected = "an MLflow server that accepts this host name (start it with `--allowed-hosts`)"
    elif status == 401 and not _has_other_login():
        known = "another login" if login else "a login"
        expected = f"{known}, which MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD give"
    elif status == 404 and not body.lstrip().startswith(b"{"):
        expected = (
            "an MLflow server with its whole path, such as http://HOST/mlflow (its interface is not here)"
        )
    else:
        return
    raise ArgumentError(OPTION, expected, address)


def _login(uri: str) -> dict[str, str]:
    """Return the header of the login that MLflow would send, empty without one."""
    parts = urlsplit(uri)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user:
        user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    if user:
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _has_other_login() -> bool:
    """Whether MLflow may have a login from elsewhere: a plugin, or a file in the home folder."""
    named = any(f"MLFLOW_TRACKING_{name}" in os.environ for name in ("AUTH", "AWS_SIGV4", "CLIENT_CERT_PATH"))
    files = (Path("~/.netrc").expanduser(), Path("~/.mlflow/credentials").expanduser())
    return named or any(file.is_file() for file in files)


def _answer(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
    """Return status and beginning of what a server answers."""
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, answer.read(_READ)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(_READ)
