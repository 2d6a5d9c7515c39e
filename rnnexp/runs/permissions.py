"""The code that a configuration may name: this package, and packages that the command line allows.

A configuration file alone runs no foreign code: its constructors are looked up (`rnnexp.runs.constructors`),
its fields are plain values, and of Hydra's own part it may set only values that call nothing.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.config_keys import key_of

VARIABLE = "RNNEXP_PLUGINS"
"""The environment variable that allows packages, with commas between them."""

KEY = "plugins"
CALLS = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
"""The keys that make Hydra call something."""

_HYDRA_PLUGINS = ("hydra._internal.core_plugins.", "hydra_plugins.")
_HANDLERS = re.compile(r"logging\.(StreamHandler|FileHandler|NullHandler|Formatter)")
_COLOURS = "colorlog.ColoredFormatter"
_PLACES = re.compile(r"\$\{hydra\.(runtime\.output_dir|job\.name|sweep\.dir|sweep\.subdir|run\.dir)\}")
_REFERENCES = ("ext://sys.stdout", "ext://sys.stderr")

Path = tuple[str, ...]


def permitted(typed: object, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the packages that may be imported: those on the command line, and those of the environment.

    Args:
        typed: What the command line gives the key `plugins`: a name, a list of names, or None.
        environ: The environment variables.

    Raises:
        ArgumentError: One is no name of a package.
    """
    named = [name.strip() for name in environ.get(VARIABLE, "").split(",")]
    given = [(KEY, name) for name in _listed(typed)] + [(VARIABLE, name) for name in named if name]
    for key, name in given:
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            raise ArgumentError(key, "names of packages, such as [mine]", name)
    return tuple(dict.fromkeys(name for _, name in given))


def check_plugins(values: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """Raise `ArgumentError` if a package is allowed by a file and not by the command line."""
    for name in _listed(values.get(KEY)):
        if name not in allowed:
            expected = f"to be typed on the command line (or {VARIABLE}), as a file allows itself no code"
            raise ArgumentError(KEY, expected, name)


def check_fields(values: Mapping[str, Any], constructed: Sequence[str]) -> None:
    """Check that only the groups of `constructed`, or their entries, name something to call.

    Args:
        values: The resolved configuration.
        constructed: Dotted keys whose `_target_` is looked up elsewhere; `*` stands for any one name.

    Raises:
        ArgumentError: Another place has such a key; names the place.
    """
    for path, value in _leaves(values):
        if path[-1] not in CALLS:
            continue
        place = ".".join(path[:-1])
        if path[-1] != "_target_" or not any(_matches(path[:-1], known.split(".")) for known in constructed):
            expected = f"plain values, as nothing is called here (without {path[-1]})"
            raise ArgumentError(place or path[-1], expected, value)


def check_search_path(entries: object, allowed: Sequence[str]) -> None:
    """Raise `ArgumentError` if `hydra.searchpath` would import a package that is not allowed."""
    for entry in entries if isinstance(entries, Sequence) and not isinstance(entries, str) else ():
        scheme, separator, package = str(entry).partition("://")
        if separator and scheme == "pkg" and not within(package, allowed):
            expected = "folders (file://FOLDER), or packages that plugins=[PACKAGE] allows"
            raise ArgumentError("hydra.searchpath", expected, str(entry))


def check_hydra(node: DictConfig, overrides: Sequence[str]) -> None:
    """Check that Hydra's own part of a configuration calls only Hydra.

    Raises:
        ArgumentError: It names a callback, a logger of another make, or another class.
    """
    for part in ("launcher", "sweeper"):
        _check_part(f"hydra.{part}", node[part])
    for part in ("job_logging", "hydra_logging"):
        _check_logging(f"hydra.{part}", OmegaConf.to_container(node[part], resolve=False))
    for part in ("callbacks", "env"):
        if node.get(part):
            expected = "nothing, as no file names what is called"
            raise ArgumentError(f"hydra.{part}", expected, _plain(node[part]))
    typed = {key_of(override) for override in overrides}
    for name, value in node.job.env_set.items():
        if f"hydra.job.env_set.{name}" not in typed:
            raise ArgumentError(f"hydra.job.env_set.{name}", "to be typed, not in a file", value)
    written: Any = _plain(node.overrides)
    if sorted([*written["task"], *written["hydra"]]) != sorted(overrides):
        raise ArgumentError("hydra.overrides", "nothing, as only what is typed belongs there", written)
    if KEY in (node.sweeper.get("params") or {}):
        raise ArgumentError(f"hydra.sweeper.params.{KEY}", f"{KEY} to be typed", node.sweeper.params[KEY])


def _check_part(name: str, node: Any) -> None:
    try:
        values = OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException as error:
        text = str(error).partition("\n")[0]
        raise ArgumentError(name, "values that can be composed", text) from error
    for path, value in _leaves({name: values}):
        if path[-1] not in CALLS:
            continue
        if path != (name, "_target_") or not str(value).startswith(_HYDRA_PLUGINS):
            raise ArgumentError(".".join(path), "a plugin of Hydra, and no other call", value)


def _check_logging(name: str, node: Any) -> None:
    for path, value in _leaves({name: node}):
        text, key = str(value), path[-1]
        fine = {"class": _HANDLERS.fullmatch(text), "()": text == _COLOURS, "factory": False}.get(key, True)
        reference = text.startswith(("ext://", "cfg://")) and text not in _REFERENCES
        if not fine or reference or "${" in _PLACES.sub("", text):
            raise ArgumentError(".".join(path), "a stream or a file of Python's logging", value)


def _plain(node: Any) -> object:
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def within(name: str, packages: Sequence[str]) -> bool:
    """Return whether a module is one of the packages, or lies in one.

    >>> within("mine.clips", ["mine"]), within("miner", ["mine"])
    (True, False)
    """
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _matches(path: Path, known: Sequence[str]) -> bool:
    return len(path) == len(known) and all(two in ("*", one) for one, two in zip(path, known, strict=True))


def _leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield path and value of every leaf of nested mappings and lists; a key of `CALLS` is a leaf."""
    if isinstance(node, Mapping):
        items = list(node.items())
    elif isinstance(node, list | tuple):
        items = list(enumerate(node))
    else:
        yield path, node
        return
    for key, value in items:
        if key in CALLS or key == "()":
            yield (*path, str(key)), value
        else:
            yield from _leaves(value, (*path, str(key)))
