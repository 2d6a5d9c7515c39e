"""The cells by their names in the configuration."""

import dataclasses
from collections.abc import Mapping

from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.cells.gru import Gru
from rnnexp.nn.cells.leaky import Leaky
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError, nearest

CATALOGUE: dict[str, type[CellSpec]] = {
    "elman": Elman,
    "lstm": Lstm,
    "gru": Gru,
    "leaky": Leaky,
}
"""The specs of the cells by their names in the configuration."""


def cell_spec(node: object) -> CellSpec:
    """Return the spec that the configuration's node `cell` describes.

    Args:
        node: `_target_` and the fields of the spec with that target, all of them.

    Raises:
        ArgumentError: A field is missing, unknown or outside its domain; names the dotted key.
    """
    given = dict(node) if isinstance(node, Mapping) else {}
    by_target = {kind.target: kind for kind in CATALOGUE.values()}
    kind = by_target[checks.choice("cell._target_", given.pop("_target_", None), list(by_target))]
    names = [field.name for field in dataclasses.fields(kind)]
    for name in given.keys() - set(names):
        near = nearest(name, names) or ", ".join(names)
        raise ArgumentError(f"cell.{name}", f"a field of {kind.target}, such as {near}", given[name])
    for name in names:
        if name not in given:
            raise ArgumentError(f"cell.{name}", "a value", None)
    try:
        return kind(**given)
    except ArgumentError as error:
        raise ArgumentError(f"cell.{error.name}", error.expected, error.received) from None
