"""The MLflow run of a sweep, under which its runs lie."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rnnexp.tracking.client import connect, quietly

_FOLDER = "report"


def keep_with_parent(runs: pd.DataFrame, files: Sequence[Path], address: str | None) -> str | None:
    """Log `files` as artifacts of the one run that is parent to all `runs`; return its id.

    Where there is no such run, or the store does not take them, nothing is kept and None returned.
    """
    parents = runs["parent_id"].unique()
    if address is None or len(parents) != 1 or not isinstance(parents[0], str):
        return None
    from mlflow.exceptions import MlflowException

    try:
        with quietly():
            client = connect(address)
            for path in files:
                client.log_artifact(parents[0], str(path), _FOLDER)
    except (MlflowException, OSError):
        return None
    return parents[0]
