"""The columns of the table over runs: what they hold, and which keys of the configuration vary."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from rnnexp.runtime.config_keys import GROUPS, UNSCIENTIFIC
from rnnexp.runtime.scalars import SCALARS

Value = str | float | int | bool | None

# Keys that do not distinguish groups: the runs of a group differ in the seed, and a name changes nothing.
_NO_CONDITION = UNSCIENTIFIC | {"seed", "experiment"}
_ORDER = [*SCALARS, *GROUPS]


def typed(text: str) -> Value:
    """Return a recorded value with the type that it had in the configuration; a list stays text.

    >>> [typed(text) for text in ("true", "null", "1e-05", "64", "tanh", "[1, 2]")]
    [True, None, 1e-05, 64, 'tanh', '[1, 2]']
    """
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict | str) else value


def shown(value: object) -> str:
    """Return a value as on the command line; `-` where a run does not have the key.

    >>> shown(True), shown(0.5), shown(64.0), shown(float("nan")), shown("relu")
    ('true', '0.5', '64', '-', 'relu')
    """
    if value is None or value is pd.NA or value != value:
        return "-"
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value).lower() if isinstance(value, bool | np.bool) else str(value)


def known_sweeps(runs: pd.DataFrame) -> list[str]:
    """Return the ids of the sweeps that the runs belong to."""
    return runs["sweep_id"].dropna().unique().tolist() if "sweep_id" in runs else []


def is_config(column: str) -> bool:
    """Return whether the column is a key of the configuration or the choice of a group.

    >>> is_config("clip.threshold"), is_config("clip"), is_config("verdict.learning"), is_config("val/loss")
    (True, True, False, False)
    """
    return column in SCALARS or column.partition(".")[0] in GROUPS


def varying(runs: pd.DataFrame) -> list[str]:
    """Return the keys of the configuration in which the runs differ, without the seed.

    Left out are fields that follow from the choice of their group (`clip.threshold` under `clip=none,norm`),
    and keys that cannot change a number (`config_keys.UNSCIENTIFIC`).
    """
    keys = [key for key in runs.columns if _is_condition(key) and _distinct(runs, [key]) > 1]
    return sorted((key for key in keys if not _follows(runs, key)), key=_place)


def sorted_values(values: pd.Series) -> list[Value]:
    """Return the distinct values: numbers ascending, a missing value first; others in order of appearance."""
    distinct = values.drop_duplicates()
    return (distinct.sort_values(na_position="first") if _holds_numbers(values) else distinct).tolist()


def in_order(table: pd.DataFrame, keys: Sequence[str], among: pd.DataFrame) -> pd.DataFrame:
    """Return the rows by the values of `keys`, the slowest first, as `sorted_values` has those of `among`."""
    if not keys:
        return table.reset_index(drop=True)
    places = {key: [shown(value) for value in sorted_values(among[key])] for key in keys}
    ranks = pd.DataFrame({key: table[key].map(shown).map(places[key].index) for key in keys})
    return table.loc[ranks.sort_values([*keys]).index].reset_index(drop=True)


def is_numeric(values: pd.Series) -> bool:
    """Return whether every value is a number (and not true or false)."""
    return _holds_numbers(values) and bool(values.notna().all())


def _holds_numbers(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _is_condition(key: str) -> bool:
    return is_config(key) and key.partition(".")[0] not in _NO_CONDITION and not key.endswith("._target_")


def _follows(runs: pd.DataFrame, key: str) -> bool:
    group, dot, _ = key.partition(".")
    chosen = dot and group in runs.columns and _distinct(runs, [group]) > 1
    return bool(chosen) and _distinct(runs, [group, key]) == _distinct(runs, [group])


def _distinct(runs: pd.DataFrame, keys: Sequence[str]) -> int:
    return len(runs[[*keys]].map(shown).drop_duplicates())


def _place(key: str) -> tuple[int, str]:
    known = key if key in _ORDER else key.partition(".")[0]
    return (_ORDER.index(known), key)
