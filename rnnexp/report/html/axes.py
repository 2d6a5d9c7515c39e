"""Which key of a sweep is on the x axis, on the y axis, or on small multiples."""

import dataclasses
from collections.abc import Sequence

import pandas as pd

from rnnexp.analysis import group_runs, varying
from rnnexp.analysis.columns import Value, in_order, is_numeric, shown, sorted_values


@dataclasses.dataclass(frozen=True)
class Axes:
    """The places of the keys that vary.

    Attributes:
        x: The numeric key with the most values, else the key with the most values; None if nothing varies.
        y: The activation, else the key with the most values of the rest; None if at most one key varies.
        panels: The other keys: one diagram for each combination of their values.
    """

    x: str | None
    y: str | None
    panels: tuple[str, ...]

    @property
    def order(self) -> list[str]:
        """The keys from the slowest to the fastest; groups in this order follow the diagram."""
        return [*self.panels, *(key for key in (self.y, self.x) if key is not None)]


def choose_axes(groups: pd.DataFrame, keys: Sequence[str]) -> Axes:
    """Assign the keys that vary to the axes.

    Args:
        groups: From `analysis.group_runs`.
        keys: From `analysis.varying`.
    """
    numeric = [key for key in keys if is_numeric(groups[key])]
    x = _widest(groups, numeric or keys)
    rest = [key for key in keys if key != x]
    y = "activation" if "activation" in rest else _widest(groups, rest)
    return Axes(x, y, tuple(key for key in rest if key != y))


def arranged(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str], Axes]:
    """Return the groups of runs in the order of their diagram, the keys that vary, and its axes."""
    keys, groups = varying(runs), group_runs(runs)
    axes = choose_axes(groups, keys)
    return in_order(groups, axes.order, groups), keys, axes


def values_of(groups: pd.DataFrame, key: str | None) -> list[Value]:
    """Return the values of a key in their order; one empty text where there is no key."""
    return [""] if key is None else sorted_values(groups[key])


def pick(groups: pd.DataFrame, key: str, value: Value) -> pd.DataFrame:
    """Return the groups whose `key` has that value."""
    return groups[groups[key].map(shown) == shown(value)]


def _widest(groups: pd.DataFrame, keys: Sequence[str]) -> str | None:
    return max(keys, key=lambda key: groups[key].map(shown).nunique(), default=None)
