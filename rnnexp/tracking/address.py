"""Which tracking store is meant, as one absolute address."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.secrets import learn, masked

VARIABLE = "MLFLOW_TRACKING_URI"
OPTION = "tracking.uri"

_SERVERS = ("http", "https")
_DATABASES = ("postgresql", "mysql", "mssql")
_EXPECTED = "sqlite:///FILE or http://HOST:PORT (MLflow no longer takes a folder such as ./mlruns)"


def resolve(uri: str | None, environ: Mapping[str, str], root: Path) -> str:
    """Return the address of the store: `uri`, else MLFLOW_TRACKING_URI, else `root`/mlflow.db.

    A relative SQLite file lies in `root`. The address is always absolute: MLflow's own default changes with
    the working folder, and with what lies in it.

    Args:
        uri: What the configuration says, or None.
        environ: The environment variables; an empty variable counts as absent, as for MLflow.
        root: The project folder.

    Raises:
        ArgumentError: The address is none of a SQLite file, a server or another database, or the file's path
            holds % or ?, on which the parts of MLflow disagree.

    >>> resolve(None, {}, Path("/project"))
    'sqlite:////project/mlflow.db'
    >>> resolve("sqlite:///runs/a.db", {}, Path("/project"))
    'sqlite:////project/runs/a.db'
    """
    if uri is not None:
        return _absolute(OPTION, uri, root)
    variable = environ.get(VARIABLE, "")
    if variable != "":
        return _absolute(VARIABLE, variable, root)
    return _sqlite_uri(OPTION, root / "mlflow.db")


def sqlite_path(uri: str) -> Path | None:
    """Return the file of an absolute SQLite address, or None for any other address."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0])


def artifacts_beside(path: Path) -> Path:
    """Return the folder beside a SQLite file that holds the files of its runs."""
    return path.parent / "mlartifacts"


def is_server(uri: str) -> bool:
    """Return whether `uri` is that of an MLflow server."""
    return uri.partition("://")[0] in _SERVERS


def _absolute(name: str, uri: object, root: Path) -> str:
    if not isinstance(uri, str):
        raise ArgumentError(name, _EXPECTED, uri)
    learn(uri)
    scheme, separator, rest = uri.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest[1:] not in ("", ":memory:"):
        file, mark, query = rest[1:].partition("?")
        return _sqlite_uri(name, root / Path(unquote(file)).expanduser()) + mark + query
    if scheme in _SERVERS and _has_host(uri):
        return uri.rstrip("/")
    if scheme == "databricks" or (separator and scheme.partition("+")[0] in _DATABASES):
        return uri
    raise ArgumentError(name, _EXPECTED, masked(uri))


def _has_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.hostname is not None and parts.port != 0
    except ValueError:
        return False


def _sqlite_uri(name: str, path: Path) -> str:
    file = str(path.resolve())
    if "%" in file or "?" in file:
        # SQLAlchemy opens the decoded path, MLflow makes the folders of the raw one.
        raise ArgumentError(name, "a database whose path holds neither % nor ?", file)
    return f"sqlite:///{file}"
