"""Types and ranges of the configuration's scalars, checked before TensorFlow is imported.

The fields of a group (`clip.threshold`, `init.gain`) are not listed here: their constructors check them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from rnnexp.nn import activations
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError, nearest
from rnnexp.runtime.config_keys import COLLECTIONS, CONSTRUCTED
from rnnexp.runtime.places import COMMAND

Check = Callable[[str, Any], object]

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_LONGEST_EXPERIMENT = 500  # what MLflow takes
_LARGEST = 2**31 - 1  # what TensorFlow takes for a size


def _at_least(minimum: int) -> Check:
    def check(name: str, value: object) -> None:
        checks.integer(name, checks.integer(name, value, minimum), minimum, _LARGEST)

    return check


def _or_null(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _boolean_or_null(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise ArgumentError(name, "true, false or null", value)


def _one_of(*choices: str) -> Check:
    return partial(checks.choice, choices=choices)


def _auto_or_at_least(minimum: int) -> Check:
    def check(name: str, value: object) -> None:
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < minimum):
            raise ArgumentError(name, f"auto or an integer of at least {minimum}", value)

    return check


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ArgumentError(name, "a text", value)


def _activation(name: str, value: object) -> None:
    """Check that it names an activation of Keras, or has the form `module:function`, looked up later."""
    if not isinstance(value, str) or not _FUNCTION.fullmatch(value):
        checks.choice(name, value, activations.NAMES)


def _on_one_line(name: str, value: object) -> None:
    if isinstance(value, str) and not value.isprintable():
        raise ArgumentError(name, "a text on one line, of characters that print", value)
    _text_or_null(name, value)


def _experiment(name: str, value: object) -> None:
    _text(name, value)
    _on_one_line(name, value)
    if len(str(value)) > _LONGEST_EXPERIMENT:
        shown = f"{str(value)[:40]}... ({len(str(value))} characters)"
        raise ArgumentError(name, f"a text of at most {_LONGEST_EXPERIMENT} characters", shown)


def _names(name: str, value: object) -> None:
    """Check the form of package names only; `rnnexp.runs.permissions` checks whether they may be imported."""
    if not isinstance(value, str | list | None):
        raise ArgumentError(name, "names of packages, such as [mine]", value)


def _text_or_null(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ArgumentError(name, "a text or null", value)


SCALARS: dict[str, Check] = {
    "activation": _activation,
    "seq_len": _at_least(1),
    "units": _at_least(1),
    "layers": _at_least(1),
    "batch_size": _at_least(1),
    "steps": _at_least(0),
    "stop": _one_of("steps", "solved"),
    "seed": partial(checks.integer, minimum=0, maximum=_LARGEST),
    "replicas": _at_least(1),
    "dtype": _one_of("float32", "float64"),
    "device": _one_of("auto", "cpu", "gpu"),
    "jit": checks.boolean,
    "shards": _auto_or_at_least(1),
    "truncate": _or_null(_at_least(1)),
    "segment": _or_null(_at_least(1)),
    "steps_per_execution": _at_least(1),
    "record.every": _at_least(1),
    "probe.every": _at_least(1),
    "probe.batch_size": _at_least(2),
    "probe.bootstrap": _at_least(100),
    "validation.every": _at_least(1),
    "validation.sequences": _at_least(2),
    "verdict.decades": checks.positive,
    "checkpoint.every": _at_least(0),
    "figures.format": _one_of("png", "svg", "pdf", "none"),
    "tracking.kind": _one_of("mlflow", "none"),
    "tracking.every": _at_least(1),
    "tracking.model": checks.boolean,
    "tracking.diff": checks.boolean,
    "tracking.patience": checks.positive,
    "tracking.uri": _text_or_null,
    "tracking.experiment": _experiment,
    "launcher.workers": _or_null(_at_least(1)),
    "launcher.address": _text_or_null,
    "launcher.gpus": _or_null(checks.positive),
    "report": checks.boolean,
    "plugins": _names,
    "resume": _boolean_or_null,
    "dry_run": checks.boolean,
    "treat": checks.boolean,
    "name": _on_one_line,
    "output_dir": _text,
}
"""Dotted key -> its check; the keys are `rnnexp.runtime.config_keys.SCALARS`."""

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
    for key, check in SCALARS.items():
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


def _leaves(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, str(name)))
        else:
            yield ".".join((*path, str(name))), value
