"""From what was typed to a composed configuration, or to the one sentence that says what is wrong with it."""

import contextlib
import importlib.util
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnexp import tracking
from rnnexp.runs import schema
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.config_keys import GROUPS

CONF = Path(__file__).resolve().parents[2] / "conf"

_EXTRAS = {"joblib": "parallel", "ray": "ray", "submitit": "slurm"}
"""The extra of the package that holds a launcher."""


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


def axes(overrides: Sequence[Override], sweep: bool) -> list[list[str]]:
    """Return for each key the overrides that a sweep gives it; of a key that comes twice, the last.

    Raises:
        ArgumentError: A key has several values without a sweep, or values that cannot be listed.
    """
    found = {override.get_key_element(): override for override in overrides}
    return [_values(override, sweep) for override in found.values()]


def one_by_one(axes: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Yield every value of every axis once, the other axes at their first value."""
    first = [axis[0] for axis in axes]
    yield first
    for place, axis in enumerate(axes):
        for value in itertools.islice(axis, 1, None):
            yield [*first[:place], value, *first[place + 1 :]]


def _values(override: Override, sweep: bool) -> list[str]:
    """Return the override once for every value that it lists."""
    typed, key = override.input_line or "", override.get_key_element()
    if not override.is_sweep_override():
        return [typed]
    if not sweep:
        raise ArgumentError(key, "one value (for several: python run.py -m)", typed)
    values: list[str] = []
    listed = override.value()
    if isinstance(listed, Glob):
        values = listed.filter(options(override.key_or_group))
    elif override.is_discrete_sweep():
        values = list(override.sweep_string_iterator())
    if not values:
        raise ArgumentError(key, "values that can be listed, such as a,b or range(1,4)", typed)
    return [f"{key}={value}" for value in values]


def compose(overrides: Sequence[str]) -> DictConfig:
    """Return the configuration of a command line, Hydra's own included.

    Raises:
        ArgumentError: An override is wrong; names its dotted key.
    """
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose("config", list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explain(overrides, error) from error


def _explain(overrides: Sequence[str], error: Exception) -> ArgumentError:
    """Find the override that cannot be composed and say what is wrong with it."""
    typed = [override.lstrip("+~").partition("=")[::2] for override in overrides]
    chosen = [(key, value) for key, value in typed if key in GROUPS]
    for group, value in chosen:
        if value not in options(group):
            return not_chosen(group, value)
        if group == "launcher" and not _installed(value):
            expected = f"its plugin (the extra `{_EXTRAS[value]}`: pip install 'rnnexp[{_EXTRAS[value]}]')"
            return ArgumentError(group, expected, value)
    keys = _keys([f"{group}={value}" for group, value in chosen])
    for override, (key, _) in zip(overrides, typed, strict=True):
        if key not in keys and key not in GROUPS and not key.startswith("hydra"):
            expected = _expected_choice(key) or schema.expected_key(key, [*keys, *GROUPS])
            return ArgumentError(key or "override", expected, override)
    return _not_composed(error)


def not_chosen(group: str, value: object) -> ArgumentError:
    """Return the error that `value` is no choice of the group."""
    return ArgumentError(group, f"one of {', '.join(options(group))}", value)


def options(group: str) -> list[str]:
    """Return the choices of a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _installed(launcher: str) -> bool:
    """Whether Hydra finds the plugin of a launcher."""
    if launcher not in _EXTRAS:
        return True
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.util.find_spec(f"hydra_plugins.hydra_{launcher}_launcher") is not None
    return False


def _expected_choice(key: str) -> str | None:
    """Where another choice of the group has that key, which: `clip.threshold` needs a clip that has one."""
    group, _, field = key.partition(".")
    if group not in GROUPS:
        return None
    having = [name for name in options(group) if field in _fields(group, name)]
    choices = " or ".join(f"{group}={name}" for name in having)
    return f"to come with {choices}, which have it" if having else None


def _fields(group: str, name: str) -> Any:
    """Return the fields of a choice; a launcher's stand under its group, beside what it tells Hydra."""
    node: Any = OmegaConf.load(CONF / group / f"{name}.yaml")
    return node.get(group, node)


def _keys(choices: Sequence[str]) -> list[str]:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = plain(hydra.compose("config", list(choices)))
    return sorted(tracking.flatten(config))


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
    return ArgumentError("configuration", "values that can be composed", str(error).partition("\n")[0])
