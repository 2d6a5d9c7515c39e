"""The constructors that a configuration may name: a class is looked up and checked before it is called."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from rnnexp import tasks
from rnnexp.nn import initializers
from rnnexp.nn.cells import catalogue, spec
from rnnexp.optim import clipping, constraints, optimizers, regularizers, schedules
from rnnexp.probes.probe import Probe
from rnnexp.runs.permissions import within
from rnnexp.runtime.checks import ArgumentError, nearest
from rnnexp.training import phases


class Kind(NamedTuple):
    """The classes that a group of the configuration constructs.

    Attributes:
        base: The base class of all of them.
        catalogue: This package's classes by their names in the configuration.
        module: The public module that holds them; None if each class has its own `target`.
    """

    base: type
    catalogue: Mapping[str, type]
    module: str | None

    def target(self, name: str) -> str:
        """Return the `_target_` of a class of the catalogue."""
        found: Any = self.catalogue[name]
        return found.target if self.module is None else f"{self.module}.{found.__name__}"

    def named(self, target: object) -> type | None:
        """Return the class of the catalogue with that name, `_target_` or full path, or None."""
        for name, found in self.catalogue.items():
            if target in (name, self.target(name), f"{found.__module__}.{found.__qualname__}"):
                return found
        return None


KINDS: Mapping[str, Kind] = {
    "task": Kind(tasks.Task, tasks.CATALOGUE, "rnnexp.tasks"),
    "cell": Kind(spec.CellSpec, catalogue.CATALOGUE, None),
    "init": Kind(initializers.Initializer, initializers.CATALOGUE, "rnnexp.initializers"),
    "clip": Kind(clipping.Clip, clipping.CATALOGUE, "rnnexp.clipping"),
    "optimizer": Kind(optimizers.Optimizer, optimizers.CATALOGUE, "rnnexp.optim.optimizers"),
    "schedule": Kind(schedules.Schedule, schedules.CATALOGUE, "rnnexp.optim.schedules"),
    "constraint": Kind(constraints.Constraint, constraints.CATALOGUE, "rnnexp.optim.constraints"),
    "regularizer": Kind(regularizers.Regularizer, regularizers.CATALOGUE, "rnnexp.optim.regularizers"),
    "phase": Kind(phases.PhaseSpec, phases.CATALOGUE, "rnnexp.training.phases"),
    "probes": Kind(Probe, {}, None),  # no choices: the probes of the package measure in every run
}
"""Group -> what it constructs. A new group is a new line."""


def construct(
    group: str,
    node: Mapping[str, Any],
    plugins: Sequence[str],
    arguments: Mapping[str, object] = MappingProxyType({}),
    key: str | None = None,
) -> Any:
    """Return the object that `node` describes: `_target_`, and the arguments of that constructor.

    The class is found and compared with the kind of the group before it is called.

    Args:
        group: A key of `KINDS`.
        node: `_target_` and fields, all plain values.
        plugins: The packages that may be imported for it.
        arguments: Further arguments, from the top level of the configuration.
        key: Where the node stands in the configuration; the group by default.

    Raises:
        ArgumentError: The class is not of the group's kind, a field is unknown, missing or outside its
            domain, or the package cannot be imported; names the dotted key.
    """
    key, target = key or group, node.get("_target_")
    found = find(group, target, plugins, key)
    fields = {str(name): value for name, value in node.items() if name != "_target_"}
    _check_names(key, found, target, fields, arguments)
    try:
        return found(**fields, **arguments)
    except ArgumentError as error:
        name = error.name if error.name in arguments else f"{key}.{error.name}"
        raise ArgumentError(name, error.expected, error.received) from None
    except Exception as error:
        text = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ArgumentError(key, f"what {target} takes ({text})", fields) from error


def find(group: str, target: object, plugins: Sequence[str], key: str) -> type:
    """Return the class of a `_target_`; only this package and `plugins` are imported to find it.

    Raises:
        ArgumentError: There is no such class of the group's kind.
    """
    kind = KINDS[group]
    known = kind.named(target)
    if known is not None:
        return known
    if not isinstance(target, str) or not within(target, plugins):
        ours = f"one of {', '.join(map(kind.target, kind.catalogue))}, or " if kind.catalogue else ""
        others = f"a subclass of {kind.base.__name__} in a package that plugins=[PACKAGE] allows"
        raise ArgumentError(f"{key}._target_", f"{ours}{others}", target)
    found = _attribute(target.rpartition(".")[0], target.rpartition(".")[2], f"{key}._target_", target)
    proper = inspect.isclass(found) and issubclass(found, kind.base) and within(found.__module__, plugins)
    if not proper or inspect.isabstract(found):
        base = f"{kind.module or kind.base.__module__}.{kind.base.__name__}"
        expected = f"a subclass of {base}, defined in full in a plugin"
        raise ArgumentError(f"{key}._target_", expected, target)
    return found


def find_function(key: str, name: str, plugins: Sequence[str]) -> Callable[..., Any]:
    """Return the function that `module:function` names.

    Raises:
        ArgumentError: The module is not in a plugin, or has no such function.
    """
    module, _, function = name.partition(":")
    if not within(module, plugins):
        expected = "a function of a package that plugins=[PACKAGE] allows"
        raise ArgumentError(key, expected, name)
    found = _attribute(module, function, key, name)
    if not inspect.isfunction(found):
        raise ArgumentError(key, f"a function of {module}", name)
    return found


def _attribute(module: str, name: str, key: str, received: str) -> Any:
    """Return the attribute `name` of a module; `name` is not a dotted path."""
    try:
        found = vars(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        text = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ArgumentError(key, f"a module that can be imported ({text})", received) from error
    if name not in found:
        near = nearest(name, [other for other in found if not other.startswith("_")])
        raise ArgumentError(key, f"a name in {module}" + (f", such as {near}" if near else ""), received)
    return found[name]


def _check_names(
    key: str, found: type, target: object, fields: Mapping[str, Any], arguments: Mapping[str, object]
) -> None:
    """Check the names of the fields against the arguments of the constructor."""
    parameters = inspect.signature(found).parameters.values()
    names = [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    free = any(one.kind is one.VAR_KEYWORD for one in parameters)
    for name, value in fields.items():
        if name in arguments or (name not in names and not free):
            own = [other for other in names if other not in arguments]
            some = nearest(name, own) or ", ".join(own)
            expected = f"a field of {target}, such as {some}" if own else f"no field, as {target} takes none"
            raise ArgumentError(f"{key}.{name}", expected, value)
    for one in parameters:
        needed = one.default is one.empty and one.name in names
        if needed and one.name not in fields and one.name not in arguments:
            raise ArgumentError(f"{key}.{one.name}", "a value", None)
