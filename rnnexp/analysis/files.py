"""The files of runs, found in their folders or downloaded from a server."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd

from rnnexp.tracking.client import connect

_DOWNLOADS = 8


def collect_files(runs: pd.DataFrame, name: str, address: str | None, into: Path) -> dict[str, Path]:
    """Return run id -> the file `name` of that run, of the runs that have it.

    It is looked for in the run's folder and among its artifacts; what lies on a server is downloaded.

    Args:
        runs: From `load_runs`.
        name: Such as `gradient_flow.npz`.
        address: The tracking address, or None where nothing is to be downloaded.
        into: A folder for downloads.
    """
    places = zip(runs["run_id"], runs["run_folder"], runs["artifacts"], strict=True)
    found = {str(run): _local([folder, artifacts], name) for run, folder, artifacts in places}
    absent = [run for run, path in found.items() if path is None]
    if address is not None and address.startswith("http") and absent:
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            found |= dict(
                zip(absent, pool.map(lambda run: _download(address, run, name, into), absent), strict=True)
            )
    return {run: path for run, path in found.items() if path is not None}


def _local(places: Sequence[object], name: str) -> Path | None:
    for place in places:
        if not isinstance(place, str) or urlsplit(place).scheme not in ("", "file"):
            continue
        path = Path(unquote(urlsplit(place).path) if place.startswith("file:") else place) / name
        if path.is_file():
            return path
    return None


def _download(address: str, run: str, name: str, into: Path) -> Path | None:
    from mlflow.exceptions import MlflowException

    folder = into / run
    folder.mkdir(exist_ok=True)
    try:
        return Path(connect(address).download_artifacts(run, name, str(folder)))
    except (MlflowException, OSError):
        return None  # the run ended before it wrote the file
