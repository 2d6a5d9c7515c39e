"""From a composed configuration to a run."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnexp import tracking
from rnnexp.nn import activations
from rnnexp.optim.regularizers import Orthogonal
from rnnexp.probes import catalogue
from rnnexp.probes.probe import Probe
from rnnexp.runs import permissions, schema
from rnnexp.runs import training_options as options
from rnnexp.runs.composition import compose, not_chosen, plain, plugins_typed
from rnnexp.runs.constructors import construct, find_function
from rnnexp.runs.job import Job, Membership, Together, TrackingSettings
from rnnexp.runs.menu import MENU, Menu
from rnnexp.runs.run_name import run_name
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.config_keys import COLLECTIONS, CONSTRUCTED, GROUPS
from rnnexp.runtime.places import data_folder
from rnnexp.runtime.secrets import ADDRESS_VARIABLE, clean, clean_all
from rnnexp.training.config import Plan


def compose_job(overrides: Sequence[str], menu: Menu = MENU) -> Job:
    """Return the job that the command with these overrides would run, or `-m` with them among others.

    Raises:
        ArgumentError: An override is wrong, or asks for several replicas; names its dotted key.
    """
    config = compose(overrides, menu)
    return make_job(config, config.hydra.runtime.choices, overrides)


def compose_jobs(overrides: Sequence[str], menu: Menu = MENU) -> list[Job]:
    """Return what the command with these overrides would run: one job, or one for every replica.

    Raises:
        ArgumentError: An override is wrong; names its dotted key.
    """
    config = compose(overrides, menu)
    return make_jobs(config, config.hydra.runtime.choices, overrides)


def make_job(
    config: DictConfig,
    choices: Mapping[str, str],
    overrides: Sequence[str],
    membership: Membership | None = None,
) -> Job:
    """Turn a composed configuration into objects.

    Raises:
        ArgumentError: A value is wrong, or it is of several replicas; names its dotted key.
    """
    with _explaining(config):
        values = checked_values(config, overrides)
        seed, count = values["seed"], values["replicas"]
        if count > 1:
            expected = f"1 in a sweep, which lists its seeds (seed=range({seed},{seed + count}))"
            raise ArgumentError("replicas", expected, count)
        return _job(values, choices, overrides, membership)


def make_jobs(config: DictConfig, choices: Mapping[str, str], overrides: Sequence[str]) -> list[Job]:
    """Turn a composed configuration into objects: one job, or one for every replica.

    Raises:
        ArgumentError: A value is wrong; names its dotted key.
    """
    with _explaining(config):
        values = checked_values(config, overrides)
        first, count = values["seed"], values["replicas"]
        if count == 1:
            return [_job(values, choices, overrides)]
        together = Together(count, _shown(overrides, values))
        members = [values | {"seed": seed, "replicas": 1} for seed in range(first, first + count)]
        schema.validate(members[-1])
        jobs = [_job(member, choices, alone(overrides, member["seed"])) for member in members]
        return [dataclasses.replace(job, together=together) for job in jobs]


def checked_values(config: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the values of a configuration, whose constructors are named and not yet called.

    Raises:
        ArgumentError: A value is wrong, or something is named that may not be called.
    """
    values, allowed = plain(config), plugins_typed(overrides)
    permissions.check_plugins(values, allowed)
    permissions.check_fields(values, [*CONSTRUCTED, *(f"{key}.*" for key in COLLECTIONS)])
    schema.validate(values)
    return values | {"plugins": list(allowed)}


@contextlib.contextmanager
def _explaining(config: DictConfig) -> Iterator[None]:
    """Add to a refusal what it has to do with the environment, whose variables are texts."""
    try:
        yield
    except ArgumentError as error:
        written: Any = OmegaConf.to_container(config, resolve=False)
        for name in error.name.split("."):
            written = written.get(name) if isinstance(written, Mapping) else None
        named = isinstance(written, str) and "oc.env:" in written and "oc.decode:" not in written
        if not named or error.received not in os.environ.values():
            raise
        read = f'{error.name}="${{oc.decode:{written}}}"'
        expected = f"{error.expected}, while oc.env gives a text ({read} reads what it says)"
        raise ArgumentError(error.name, expected, error.received) from None


def alone(overrides: Sequence[str], seed: int) -> tuple[str, ...]:
    """Return the overrides of the single run of `seed` that is the same as a replica's.

    >>> alone(["units=8", "replicas=3", "seed=4"], 5)
    ('units=8', 'replicas=1', 'seed=5')
    """
    others = [override for override in overrides if _key_of(override) not in ("replicas", "seed")]
    # An experiment may ask for several.
    return (*others, "replicas=1", f"seed={seed}")


def _key_of(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _job(
    values: dict[str, Any],
    choices: Mapping[str, str],
    overrides: Sequence[str],
    membership: Membership | None = None,
) -> Job:
    plan = make_plan(values)
    name = values["name"]
    if name is None:
        name = run_name(plan.activation, plan.task.seq_len, plan.seed, overrides)
    return Job(
        plan=plan,
        config=clean_all(values),
        choices={group: choices[group] for group in GROUPS if choices.get(group) is not None},
        overrides=_shown(overrides, values),
        name=clean(name),
        project=data_folder(),
        output_dir=Path(values["output_dir"]),
        tracking=_tracking(values["tracking"]),
        resume=values["resume"],
        sweep=membership,
        figure_format=values["figures"]["format"],
    )


def make_plan(values: Mapping[str, Any]) -> Plan:
    """Build the objects of a run from its resolved, validated configuration.

    Raises:
        ArgumentError: A constructor refused its arguments, or two of them do not fit.
    """
    seed = values["seed"]
    task = _build("task", _without_lengths(values), seq_len=values["seq_len"])
    lengths, truncate = options.lengths(values, task), options.truncate(values, task.time_steps)
    plan = Plan(
        task=task,
        cell=_build("cell", values),
        initializer=_initializer(values),
        input_deviation=_input_deviation(values),
        clip=_build("clip", values),
        optimizer=_build("optimizer", values),
        schedule=_build("schedule", values),
        constraint=_build("constraint", values),
        regularizer=_build("regularizer", values),
        phase=_build("phase", values),
        stop=options.stop(values, task),
        truncate=truncate,
        lengths=lengths,
        evaluate_at=options.evaluated(values),
        activation=_activation(values),
        units=values["units"],
        batch_size=values["batch_size"],
        train_steps=values["steps"],
        seed=seed,
        dtype=values["dtype"],
        device=values["device"],
        jit=values["jit"],
        shards=options.shards(values),
        segment=options.segment(values, task.time_steps, whole=truncate is not None or lengths is not None),
        steps_per_execution=values["steps_per_execution"],
        record_every=values["record"]["every"],
        probe_every=values["probe"]["every"],
        probe_batch_size=values["probe"]["batch_size"],
        bootstrap=values["probe"]["bootstrap"],
        validation_every=values["validation"]["every"],
        validation_sequences=values["validation"]["sequences"],
        checkpoint_every=values["checkpoint"]["every"],
        decades=float(values["verdict"]["decades"]),
        probes=_probes(values),
    )
    plan.cell.check_size(plan.units, task.input_size)
    nonzero = getattr(plan.initializer, "nonzero", 0)
    if nonzero > plan.units:
        raise ArgumentError("init.nonzero", f"at most {plan.units}, the units", nonzero)
    if plan.regularizer.wants_adjoints and not plan.cell.scanned:
        expected = "a cell on the scan, such as cell=elman, for a regularizer that wants adjoints"
        raise ArgumentError("cell", expected, values["cell"])
    plan.constraint.check(plan.cell, plan.initializer, plan.units)
    if isinstance(plan.regularizer, Orthogonal) and not plan.cell.has_recurrent_kernel:
        raise ArgumentError(
            "cell", "a cell with a recurrent kernel, for regularizer=orthogonal", values["cell"]
        )
    plan.phase.check(plan.task, plan.cell, plan.units)
    return plan


def _initializer(values: Mapping[str, Any]) -> Any:
    """Return the initialiser of W_hh; the group's `input` is of another weight."""
    node = values.get("init")
    if isinstance(node, Mapping):
        values = {**values, "init": {key: value for key, value in node.items() if key != "input"}}
    return _build("init", values, seed=3 * values["seed"] + 1)


def _input_deviation(values: Mapping[str, Any]) -> float | None:
    """Return the standard deviation of W_xh that is asked for; runs from before there was one name none."""
    deviation = values["init"].get("input")
    return None if deviation is None else checks.positive("init.input", deviation)


def _without_lengths(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values with what the task's constructor takes of the task."""
    if not isinstance(values.get("task"), Mapping):
        return values
    return {**values, "task": options.task_nodes(values["task"], values["plugins"]).constructed}


def _build(group: str, values: Mapping[str, Any], **arguments: object) -> Any:
    """Call the constructor that the group names; `arguments` come from top-level keys."""
    node = values.get(group)
    if not isinstance(node, Mapping):
        raise not_chosen(group, node)
    return construct(group, node, values["plugins"], arguments)


def _probes(values: Mapping[str, Any]) -> tuple[Probe[Any], ...]:
    """Return the probes of the user's own.

    Raises:
        ArgumentError: One cannot be made, or has a name, a metric or an array of another.
    """
    nodes = values.get("probes") or {}
    if not isinstance(nodes, Mapping):
        raise ArgumentError("probes", "probes under names of their own", nodes)
    made: list[Probe[Any]] = []
    for name, node in nodes.items():
        key = f"probes.{name}"
        if not isinstance(node, Mapping):
            raise ArgumentError(key, "a probe, with _target_", node)
        probe = construct("probes", node, values["plugins"], key=key)
        catalogue.check_names(key, probe, [*catalogue.PROBES, *made])
        made.append(probe)
    return tuple(made)


def _activation(values: Mapping[str, Any]) -> str:
    """Return the name of phi.

    Raises:
        ArgumentError: It is a function of the user's own that is not allowed, or not known as elementwise.
    """
    name = values["activation"]
    if ":" in name:
        function = find_function("activation", name, values["plugins"])
        if not activations.is_marked(function):
            expected = "a function with the decorator rnnexp.nn.activations.elementwise"
            raise ArgumentError("activation", expected, name)
    return name


def _tracking(values: Mapping[str, Any]) -> TrackingSettings:
    address = None
    if values["kind"] == "mlflow":
        address = tracking.resolve(values["uri"], os.environ, data_folder())
    return TrackingSettings(
        uri=address,
        experiment=values.get("experiment", ""),
        every=values["every"],
        model=values["model"],
        diff=values["diff"],
        patience=values.get("patience", 0.0),
    )


def _shown(overrides: Sequence[str], values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was typed without passwords, a handed-over address in the place of its variable."""
    uri = clean(str(values["tracking"].get("uri")))
    return tuple(f"tracking.uri={uri}" if ADDRESS_VARIABLE in typed else clean(typed) for typed in overrides)
