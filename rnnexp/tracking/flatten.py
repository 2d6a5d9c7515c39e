"""A nested configuration as flat text, within MLflow's limits on names and values."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rnnexp.runtime.config_keys import rounded
from rnnexp.runtime.secrets import clean

PARAM_LIMIT = 6000
"""Longest value of a parameter, in characters (MLflow's MAX_PARAM_VAL_LENGTH)."""

TAG_LIMIT = 8000
"""Longest value of a tag, in characters (MLflow's MAX_TAG_VAL_LENGTH)."""

_NAME_LIMIT = 250
_FORBIDDEN = re.compile(r"[^\w./: -]")


def flatten(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the leaves of `config` as text, named by their keys joined with dots.

    Lists are leaves. Values are spelled as on the command line (`true`, `null`) and cut to `PARAM_LIMIT`
    characters, with a note; characters that MLflow refuses in names become `_`.

    >>> flatten({"seed": 0, "clip": {"threshold": 1.0, "on": True}, "task": None})
    {'seed': '0', 'clip.threshold': '1.0', 'clip.on': 'true', 'task': 'null'}
    """
    return {name_of(".".join(keys)): cut(as_text(value), PARAM_LIMIT) for keys, value in _leaves(config, ())}


def as_text(value: Any) -> str:
    """Return `value` as YAML spells it; text stays as it is, but for passwords.

    >>> [as_text(value) for value in (True, None, 1e-5, "tanh", [1, "a"])]
    ['true', 'null', '1e-05', 'tanh', '[1, "a"]']
    """
    if isinstance(value, float):
        return rounded(repr(value))
    if value is None or isinstance(value, bool | list | tuple | Mapping):
        return clean(json.dumps(value, default=str))
    return clean(str(value))


def cut(text: str, limit: int) -> str:
    """Return `text`, or its beginning and a note of its length where it is longer than `limit`."""
    if len(text) <= limit:
        return text
    note = f" [cut: {len(text)} characters]"
    return text[: limit - len(note)] + note


def name_of(key: str) -> str:
    """Return `key` with the characters that MLflow refuses replaced by `_`.

    >>> name_of("task.length[T]=100")
    'task.length_T__100'
    """
    return _FORBIDDEN.sub("_", key)[:_NAME_LIMIT]


def _leaves(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value
