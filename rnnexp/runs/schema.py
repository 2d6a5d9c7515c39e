"""The check of a whole configuration, before TensorFlow is imported: its keys, and its scalars."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rnnexp.nn import activations
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError, nearest
from rnnexp.runtime.config_keys import COLLECTIONS, CONSTRUCTED
from rnnexp.runtime.places import COMMAND
from rnnexp.runtime.scalars import SCALARS

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_OF_MLFLOW = ("tracking.uri", "tracking.experiment", "tracking.patience")
_OF_CLUSTERS = ("launcher.address", "launcher.gpus")


def validate(config: Mapping[str, Any]) -> None:
    """Check every scalar of the nested `config`, and that there are no unknown keys.

    Keys that only MLflow or a cluster needs may be absent without it. Fields of constructors are not checked.

    Raises:
        ArgumentError: A value is missing, has the wrong type or is out of range, or a key is unknown; names
            the dotted key.
    """
    elsewhere = (*CONSTRUCTED, *COLLECTIONS)
    given = dict(_leaves({key: value for key, value in config.items() if key not in elsewhere}))
    for key in given.keys() - SCALARS.keys():
        raise ArgumentError(key, expected_key(key, [*SCALARS, *elsewhere]), given[key])
    for key, check in (SCALARS | {"activation": _activation}).items():
        if key in given:
            check(key, given[key])
        elif key not in _OF_CLUSTERS and (key not in _OF_MLFLOW or given["tracking.kind"] == "mlflow"):
            raise ArgumentError(key, "a value", None)


def expected_key(key: str, keys: Sequence[str]) -> str:
    """Return what was expected in place of the unknown `key`: the nearest of its group, else of all `keys`.

    >>> expected_key("probe.evry", ["probe.every", "seed"])
    'a key of the configuration, such as probe.every'
    """
    group, _, field = key.partition(".")
    siblings = [other for other in keys if other.startswith(f"{group}.") and not other.endswith("_")]
    near = nearest(key, siblings or keys)
    if siblings and field:
        # The group that they share makes none of them near.
        near = nearest(field, [other.removeprefix(f"{group}.") for other in siblings])
        near = near and f"{group}.{near}"
    if near is not None:
        return f"a key of the configuration, such as {near}"
    if siblings:
        return f"one of {', '.join(siblings)}"
    return f"a key of the configuration ({COMMAND} --help lists them)"


def _activation(name: str, value: object) -> None:
    """Check that it names an activation of Keras, or has the form `module:function`, looked up later."""
    if not isinstance(value, str) or not _FUNCTION.fullmatch(value):
        checks.choice(name, value, activations.NAMES)


def _leaves(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, str(name)))
        else:
            yield ".".join((*path, str(name))), value
