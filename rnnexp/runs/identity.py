"""What identifies a run: the chosen names and values, independent of where code and data lie."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnexp.runs.constructors import KINDS
from rnnexp.runtime.config_keys import COLLECTIONS

_CLASSES: Mapping[str, Mapping[str, str]] = {
    group: {kind.target(name).rpartition(".")[2]: name for name in kind.catalogue}
    for group, kind in KINDS.items()
}
"""Group -> class name -> name in the catalogue."""

_ADDED = frozenset({"regularizer", "phase", "schedule", "constraint"})
"""Groups added after the first recorded runs: with the choice `none` they do not change a hash."""

_ADDED_SCALARS: Mapping[str, Any] = {"stop": "steps", "truncate": None, "layers": 1}
"""Top-level keys that came later, with the defaults at which they change no hash."""

_ADDED_FIELDS: Mapping[str, Mapping[str, object]] = {
    "init": {"input": None},
    "task": {"length": None, "evaluate_at": []},
    "phase": {"every": None},
    "cell": {
        "forget_bias": None,
        "input_bias": 0,
        "output_bias": 0,
        "update_bias": 0,
        "reset_bias": 0,
        "chrono": None,
    },
}
"""Group -> fields that were added later, and the defaults with which they do not change a hash."""

_OURS = ("rnnexp.", "keras.")

_FORMER_MODULES = {
    "task": "rnnexp.tasks",
    "init": "rnnexp.initializers",
    "clip": "rnnexp.clipping",
    "optimizer": "rnnexp.optimizers",
}
_FORMER_CELLS = {
    "elman": "rnnexp.cells.ElmanCell",
    "lstm": "keras.layers.LSTMCell",
    "gru": "keras.layers.GRUCell",
}


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a resolved configuration that identifies it: no module paths and no file paths.

    The constructor of a group is replaced by its name in the catalogue (a plugin's constructor stays as it is
    written), and a file by the SHA-256 of its content. A group, key or field that was added later is left out
    if it is `none` or has its default, so that earlier hashes stay valid.

    >>> identity({"units": 8, "clip": {"_target_": "rnnexp.clipping.Norm", "threshold": 1}})
    {'units': 8, 'clip': {'name': 'norm', 'threshold': 1}}
    """
    named = {key: _named(key, value) for key, value in config.items()}
    return {key: value for key, value in named.items() if not _is_added_default(key, value)}


def former_identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of the same configuration in the former form, which held module paths.

    It finds runs that were recorded in that form.
    """
    former = dict(config)
    for group, node in identity(config).items():
        if not isinstance(node, Mapping) or node.get("name") not in _CLASSES.get(group, {}).values():
            continue
        fields = {
            key: value for key, value in config[group].items() if not _is_added_field(group, key, value)
        }
        former[group] = {"_target_": _former_target(group, node["name"], config[group]["_target_"]), **fields}
    return {key: value for key, value in former.items() if not _is_added_default(key, _named(key, value))}


def _named(group: str, node: Any) -> Any:
    if group in COLLECTIONS and isinstance(node, Mapping):
        return {key: _named("", part) for key, part in node.items()}
    if not isinstance(node, Mapping) or "_target_" not in node:
        return node
    module, _, kind = str(node["_target_"]).rpartition(".")
    ours = f"{module}.".startswith(_OURS)
    name = _CLASSES.get(group, {}).get(kind, node["_target_"]) if ours else node["_target_"]
    fields = {
        key: _content(key, value) for key, value in node.items() if not _is_added_field(group, key, value)
    }
    return {"name": name, **fields}


def _content(key: str, value: Any) -> Any:
    """Return the digest of the file that `path` names; if it cannot be read, the task will report that."""
    if key != "path" or not isinstance(value, str):
        return value
    try:
        return f"sha256:{hashlib.sha256(Path(value).read_bytes()).hexdigest()}"
    except OSError:
        return value


def _is_added_field(group: str, key: str, value: Any) -> bool:
    """Whether a field has no part in the identity: the constructor itself, or a later one at its default."""
    added = _ADDED_FIELDS.get(group, {})
    return key == "_target_" or (key in added and value == added[key])


def _is_added_default(group: str, node: Any) -> bool:
    if group in COLLECTIONS:
        return not node
    if group in _ADDED_SCALARS:
        return bool(node == _ADDED_SCALARS[group])
    return group in _ADDED and isinstance(node, Mapping) and node.get("name") == "none"


def _former_target(group: str, name: str, target: str) -> str:
    if group == "cell":
        return _FORMER_CELLS.get(name, target)
    return f"{_FORMER_MODULES[group]}.{target.rpartition('.')[2]}" if group in _FORMER_MODULES else target
