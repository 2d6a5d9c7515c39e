"""Tables as files."""

import os
from pathlib import Path

import pandas as pd

from rnnexp.runtime import checks


def save_table(table: pd.DataFrame, path: str | os.PathLike) -> Path:
    """Write a table as `.csv` or `.parquet`, by the suffix of `path`, and return the path.

    A Parquet column holds values of one type: a column of several types becomes text.

    Raises:
        ArgumentError: The suffix is another.
    """
    path = Path(path)
    checks.choice("path", path.suffix, (".csv", ".parquet"))
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        _uniform(table).to_parquet(path, index=False)
    return path


def _uniform(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(
        **{
            str(name): values.map(str, na_action="ignore")
            for name, values in table.items()
            if values.dtype == object and values.dropna().map(type).nunique() > 1
        }
    )
