"""Compose the configuration of a command line, or say in one sentence what is wrong with it."""

import contextlib
import importlib.util
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnexp import tracking
from rnnexp.runs import permissions, schema
from rnnexp.runs.menu import MENU, Menu
from rnnexp.runtime.checks import ArgumentError, one_of
from rnnexp.runtime.config_keys import GROUPS, key_of
from rnnexp.runtime.places import CHECKOUT, COMMAND

_EXTRAS = {"ray": "ray", "submitit": "slurm"}
"""The extra of the package that holds a launcher."""

_SEARCH_PATH = "hydra.searchpath"


def parse(argument: str) -> Override:
    """Read one `key=value`.

    Raises:
        ArgumentError: It is none.
    """
    try:
        (override,) = OverridesParser.create().parse_overrides([argument])
    except HydraException:
        expected = "key=value, odd characters in quotes of their own: 'key=\"a b: c\"'"
        raise ArgumentError("override", expected, argument) from None
    return override


def axes(overrides: Sequence[Override], sweep: bool, menu: Menu = MENU) -> list[list[str]]:
    """Return for each key the overrides that a sweep gives it; if a key occurs twice, those of the last.

    Raises:
        ArgumentError: A key has several values without a sweep, or values that cannot be listed.
    """
    found = {override.get_key_element(): override for override in overrides}
    searched = [override.input_line or "" for key, override in found.items() if key == _SEARCH_PATH]
    return [_values(override, sweep, menu, searched) for override in found.values()]


def one_by_one(axes: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Yield every value of every axis once, the other axes at their first value."""
    first = [axis[0] for axis in axes]
    yield first
    for place, axis in enumerate(axes):
        for value in itertools.islice(axis, 1, None):
            yield [*first[:place], value, *first[place + 1 :]]


def _values(override: Override, sweep: bool, menu: Menu, searched: Sequence[str]) -> list[str]:
    """Return the override once for every value that it lists."""
    typed, key = override.input_line or "", override.get_key_element()
    if not override.is_sweep_override():
        return [typed]
    if not sweep:
        raise ArgumentError(key, f"one value (for several: {COMMAND} -m)", typed)
    values: list[str] = []
    listed = override.value()
    if isinstance(listed, Glob):
        values = listed.filter(menu.options(override.key_or_group, searched))
    elif override.is_discrete_sweep():
        values = list(override.sweep_string_iterator())
    if not values:
        raise ArgumentError(key, "values that can be listed, such as a,b or range(1,4)", typed)
    return [f"{key}={value}" for value in values]


def compose(overrides: Sequence[str], menu: Menu = MENU) -> DictConfig:
    """Return the configuration of a command line, Hydra's own included.

    Raises:
        ArgumentError: An override is wrong, or Hydra's part would call code outside Hydra; names the dotted
            key.
    """
    allowed = plugins_typed(overrides)
    try:
        for entries in (menu.search_path(), *(parse(one).value() for one in _searched(overrides))):
            permissions.check_search_path(entries, allowed)
        config = menu.compose(overrides, hydra_too=True)
    except Exception as error:  # Hydra and OmegaConf raise errors of many classes
        raise _explain(overrides, error, menu) from error
    permissions.check_hydra(config.hydra, overrides)
    return config


def plugins_typed(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that a command line, and the environment, allow to be imported.

    Raises:
        ArgumentError: One is no name of a package.
    """
    found = [parse(override) for override in overrides if key_of(override) == permissions.KEY]
    return permissions.permitted(found[-1].value() if found else None)


def _explain(overrides: Sequence[str], error: Exception, menu: Menu) -> ArgumentError:
    """Find the override that cannot be composed and say what is wrong with it."""
    if isinstance(error, ArgumentError):
        return error
    typed = [override.lstrip("+~").partition("=")[::2] for override in overrides]
    chosen, searched = [(key, value) for key, value in typed if key in GROUPS], _searched(overrides)
    with contextlib.suppress(Exception):
        for group, value in chosen:
            options = menu.options(group, searched)
            if value not in options:
                return not_chosen(group, value, options)
            if group == "launcher" and not _installed(value):
                return ArgumentError(group, f"its plugin ({plugin_of(_EXTRAS[value])})", value)
        keys = _keys([*searched, *(f"{group}={value}" for group, value in chosen)], menu)
        for override, (key, _) in zip(overrides, typed, strict=True):
            if key not in keys and key not in GROUPS and not key.startswith("hydra"):
                choice = _expected_choice(key, menu, searched)
                expected = choice or schema.expected_key(key, [*keys, *GROUPS])
                return ArgumentError(key or "override", expected, override)
    return _not_composed(error)


def not_chosen(group: str, value: object, options: Sequence[str] | None = None) -> ArgumentError:
    """Return the error that `value` is not among the choices of a group, by default those of this package."""
    listed = MENU.options(group) if options is None else options
    return ArgumentError(group, one_of(listed, value), value)


def plugin_of(extra: str, checkout: bool = CHECKOUT is not None) -> str:
    """Return where the plugin of a launcher comes from: in a checkout the versions are locked.

    >>> plugin_of("slurm", checkout=True), plugin_of("slurm", checkout=False)
    ('requirements/slurm.txt, see docs/cluster.md', "pip install 'rnnexp[slurm]'")
    """
    return f"requirements/{extra}.txt, see docs/cluster.md" if checkout else f"pip install 'rnnexp[{extra}]'"


def _installed(launcher: str) -> bool:
    """Whether Hydra finds the plugin of a launcher."""
    if launcher not in _EXTRAS:
        return True
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.util.find_spec(f"hydra_plugins.hydra_{launcher}_launcher") is not None
    return False


def _expected_choice(key: str, menu: Menu, searched: Sequence[str]) -> str | None:
    """Return the choices of the group that have this key: `clip.threshold` needs a clip with a threshold."""
    group, _, field = key.partition(".")
    if group not in GROUPS:
        return None
    having = [name for name in menu.options(group, searched) if field in menu.fields(group, name)]
    choices = " or ".join(f"{group}={name}" for name in having)
    return f"to come with {choices}, which {'has' if len(having) == 1 else 'have'} it" if having else None


def _keys(choices: Sequence[str], menu: Menu) -> list[str]:
    return sorted(tracking.flatten(plain(menu.compose(choices))))


def _searched(overrides: Sequence[str]) -> list[str]:
    return [override for override in overrides if key_of(override) == _SEARCH_PATH]


def plain(config: DictConfig) -> dict[str, Any]:
    """Return a configuration as nested dictionaries, resolved, without Hydra's own.

    Raises:
        ArgumentError: It cannot be resolved, or a value is missing.
    """
    masked = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        return OmegaConf.to_container(masked, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise _not_composed(error) from error


def _not_composed(error: Exception) -> ArgumentError:
    lines = str(error).splitlines() or [type(error).__name__]
    # Hydra's first line may name only the place of the error; all lines of YAML's are one sentence.
    shown = lines if isinstance(error, yaml.YAMLError) else lines[: 1 + lines[0].endswith(":")]
    text = " ".join(" ".join(shown).split())
    key = getattr(error, "full_key", None) or "configuration"
    return ArgumentError(str(key), "values that can be composed", text)
