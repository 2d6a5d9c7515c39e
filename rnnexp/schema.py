"""Types and ranges of the configuration's scalars, checked before TensorFlow is imported.

The fields of a group (`clip.threshold`, `init.gain`) are not listed here: their constructors check them.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rnnexp import activations, checks
from rnnexp.checks import ArgumentError

Check = Callable[[str, Any], object]


def _at_least(minimum: int) -> Check:
    return partial(checks.integer, minimum=minimum)


def _one_of(*choices: str) -> Check:
    return partial(checks.choice, choices=choices)


def _text_or_null(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ArgumentError(name, "a text or null", value)


SCALARS: dict[str, Check] = {
    "activation": _one_of(*activations.NAMES),
    "seq_len": _at_least(1),
    "units": _at_least(1),
    "batch_size": _at_least(1),
    "steps": _at_least(0),
    "seed": partial(checks.integer, minimum=0, maximum=2**31 - 1),
    "dtype": _one_of("float32", "float64"),
    "device": _one_of("auto", "cpu", "gpu"),
    "jit": checks.boolean,
    "steps_per_execution": _at_least(1),
    "record.every": _at_least(1),
    "probe.every": _at_least(1),
    "probe.batch_size": _at_least(2),
    "probe.bootstrap": _at_least(100),
    "validation.every": _at_least(1),
    "validation.sequences": _at_least(2),
    "verdict.decades": checks.positive,
    "checkpoint.every": _at_least(0),
    "cell.use_bias": checks.boolean,
    "tracking.kind": _one_of("mlflow", "none"),
    "tracking.every": _at_least(1),
    "tracking.model": checks.boolean,
    "tracking.uri": _text_or_null,
    "tracking.experiment": _text_or_null,
    "resume": checks.boolean,
    "name": _text_or_null,
    "output_dir": _text_or_null,
}


def validate(config: Mapping[str, Any]) -> None:
    """Check every scalar of the nested `config` that is there.

    Raises:
        ArgumentError: A value has the wrong type or is out of range; names the dotted key.
    """
    for key, check in SCALARS.items():
        found, value = _find(config, key.split("."))
        if found:
            check(key, value)


def _find(config: Mapping[str, Any], path: list[str]) -> tuple[bool, Any]:
    for name in path[:-1]:
        config = config.get(name, {})
    return path[-1] in config, config.get(path[-1])
