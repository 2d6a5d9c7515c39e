"""The scalars of the configuration: their order, and the type and range of each.

The fields of a group (`clip.threshold`, `init.gain`) are not listed here: their constructors check them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError

Check = Callable[[str, Any], object]

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
    "activation": _text,
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
"""Dotted key -> its check, in the order in which a table shows them.

Which activations there are is known above this room, and checked there (`rnnexp.runs.schema`).
"""
