"""The way to MLflow: imported when it is needed, and quiet."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from rnnexp.runtime import collector
from rnnexp.runtime.extras import explained
from rnnexp.runtime.secrets import learn


def connect(uri: str) -> Any:
    """Return an `mlflow.MlflowClient` of the store at `uri`.

    A client belongs to its address and to no process-wide "active run", so several jobs can share a process.
    The first call imports MLflow (1 to 2 s).
    """
    learn(uri)
    with quietly():
        from mlflow import MlflowClient

        return MlflowClient(uri)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep MLflow's notes and its own warnings off the terminal, and its reports of usage off the network.

    Where MLFLOW_LOGGING_LEVEL, MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT or MLFLOW_DISABLE_TELEMETRY is set, it
    is obeyed.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # A server that hangs is found out in seconds; who sends records tries again by himself.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with warnings.catch_warnings(action="ignore"):
        with explained(), collector.kept_from("mlflow"):
            import mlflow

        if "MLFLOW_LOGGING_LEVEL" not in os.environ:
            logging.getLogger(mlflow.__name__).setLevel(logging.WARNING)
            logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of every try
        yield
