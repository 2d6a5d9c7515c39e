"""From the arguments of a call to what would be typed: `clip={"threshold": 1}` is `clip.threshold=1`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any

from rnnexp.runtime.checks import ArgumentError

_PLAIN = re.compile(r"[A-Za-z_./][\w./:+-]*")
_WORDS = ("null", "true", "false", "nan", "inf")
_LISTS = ("plugins",)
"""Keys whose one value is a list."""


def typed(overrides: Iterable[str], keys: Mapping[str, Any], sweeping: bool = False) -> list[str]:
    """Return the command line of a call.

    Args:
        overrides: As they are typed, first.
        keys: Key -> value; of a mapping, the keys below it; in a sweep, of a list, tuple or range, each.
        sweeping: Whether a list is of values to be swept.

    Raises:
        ArgumentError: A value is none of a configuration, or a sweep has none of a key.

    >>> typed(["seed=3"], {"clip": "norm", "clip.threshold": 1, "jit": False, "name": "a b"})
    ['seed=3', 'clip=norm', 'clip.threshold=1', 'jit=false', "name='a b'"]
    >>> typed([], {"seq_len": range(10, 30, 10), "init": {"gain": [0.9, 1]}}, sweeping=True)
    ['seq_len=10,20', 'init.gain=0.9,1']
    """
    return [*overrides, *(f"{key}={text}" for key, text in _written("", keys, sweeping))]


def _written(above: str, keys: Mapping[str, Any], sweeping: bool) -> Iterator[tuple[str, str]]:
    for name, value in keys.items():
        key = above + name
        if isinstance(value, Mapping):
            yield from _written(f"{key}.", value, sweeping)
        elif sweeping and key not in _LISTS and isinstance(value, list | tuple | range):
            if not len(value):
                raise ArgumentError(key, "at least one value", value)
            yield key, ",".join(_text(key, one) for one in value)
        else:
            yield key, _text(key, value)


def _text(key: str, value: Any) -> str:
    """Return a value as Hydra reads it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list | tuple | range):
        return f"[{','.join(_text(key, one) for one in value)}]"
    if isinstance(value, str | PathLike):
        return _quoted(str(value))
    if hasattr(value, "item"):  # a number of NumPy's
        value = value.item()
    if isinstance(value, int | float):
        return repr(value)
    raise ArgumentError(key, "a number, a text, true or false, None, or a list or dict of these", value)


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"
