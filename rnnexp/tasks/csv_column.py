"""Reads a column of numbers from a CSV file, with one sentence on whatever is wrong with it."""

import csv
import datetime
import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnnexp.runtime.checks import ArgumentError, one_of

_FILE = "a readable CSV file in UTF-8"
_MONTH = range(28, 32)
"""Days of a month."""


def read_column(path: object, column: str | None) -> np.ndarray:
    """Return the numbers of one column, (N,) float64, in the order of the rows.

    The file is UTF-8, its cells are separated by commas, its first line names the columns, and numbers have
    a decimal point. A column of ISO dates (2020-01-31 or 20200131) is not data: where there is one, the dates
    have to lie at equal distances, in days or in months.

    Args:
        path: The file.
        column: Its name; None: the only column that holds no dates.

    Raises:
        ArgumentError: `path` or `column` is wrong, or the file is not like that; names the line of the file.
    """
    rows = _rows(path)
    header = [name.strip() for name in rows[0][1]]
    _check_layout(path, header, rows)
    cells = {name: [row[place].strip() for _, row in rows[1:]] for place, name in enumerate(header)}
    lines = [line for line, _ in rows[1:]]
    dates = {name: found for name, texts in cells.items() if (found := _dates(texts)) is not None}
    for name, found in dates.items():
        _check_distances(name, found, lines)
    chosen = _choose(column, [name for name in header if name not in dates], header)
    return np.array([_number(chosen, *cell) for cell in zip(lines, cells[chosen], strict=True)])


def _rows(path: object) -> list[tuple[int, list[str]]]:
    """Return the line number and the cells of every row that is not empty."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError("path", _FILE, path)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, ValueError, csv.Error) as error:  # a decoding error is a ValueError
        raise ArgumentError("path", _FILE, str(path)) from error
    if not rows:
        raise ArgumentError("path", "a CSV file that is not empty", str(path))
    return rows


def _check_layout(path: object, header: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> None:
    if len(header) == 1 and ";" in header[0]:
        expected = "cells separated by commas and numbers with a decimal point"
        raise ArgumentError("path", expected, f"semicolons in line 1: {header[0]}")
    if any(_is_number(name) for name in header):
        raise ArgumentError("path", "a first line that names the columns", ",".join(header))
    if len(set(header)) < len(header):
        raise ArgumentError("path", "a name of its own for every column", ",".join(header))
    if len(rows) == 1:
        raise ArgumentError("path", "rows below the line of names", f"{path} with that line alone")
    for line, row in rows[1:]:
        if len(row) != len(header):
            expected = f"{len(header)} cells in every line, as in the first"
            raise ArgumentError("path", expected, f"{len(row)} in line {line}: {','.join(row)}")


def _choose(column: object, candidates: Sequence[str], header: Sequence[str]) -> str:
    if column is None and len(candidates) == 1:
        return candidates[0]
    if not isinstance(column, str) or column not in header:
        raise ArgumentError("column", one_of(candidates or header, column), column)
    return column


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(column: str, line: int, text: str) -> float:
    if _is_number(text):
        return float(text)
    if text.lower() in ("", "na", "n/a", "nan", "null", "none", "-", "."):
        raise ArgumentError("column", f"no gap in {column}", f"{text!r} in line {line}")
    if _is_number(text.replace(",", ".")):
        raise ArgumentError("column", f"numbers with a decimal point in {column}", f"{text!r} in line {line}")
    raise ArgumentError("column", f"numbers in {column}", f"{text!r} in line {line}")


def _dates(texts: Sequence[str]) -> list[datetime.datetime] | None:
    """Return the cells as dates, None where one is none."""
    try:
        return [datetime.datetime.fromisoformat(text).replace(tzinfo=None) for text in texts]
    except ValueError:
        return None


def _check_distances(column: str, dates: Sequence[datetime.datetime], lines: Sequence[int]) -> None:
    """Refuse dates that jump: neither all as far apart, in time, nor all as many months."""
    steps = [later - earlier for earlier, later in itertools.pairwise(dates)]
    months = [_months(later) - _months(earlier) for earlier, later in itertools.pairwise(dates)]
    by_month = min(months, default=0) > 0 and all(
        step.days in _MONTH or month > 1 for step, month in zip(steps, months, strict=True)
    )
    distances: Sequence[object] = months if by_month else steps
    usual = max(set(distances), key=distances.count) if distances else None
    zero = 0 if by_month else datetime.timedelta(0)
    for place, distance in enumerate(distances):
        if distance != usual or distance == zero:
            jump = f"{dates[place]:%Y-%m-%d} and then {dates[place + 1]:%Y-%m-%d} in line {lines[place + 1]}"
            raise ArgumentError("path", f"dates at equal distances in {column}, or no dates", jump)


def _months(date: datetime.datetime) -> int:
    return 12 * date.year + date.month
