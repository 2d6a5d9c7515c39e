"""The plan of a run: the objects that its configuration names, checked against each other."""

from collections.abc import Mapping
from typing import Any

from rnnexp.nn import activations
from rnnexp.optim.regularizers import Orthogonal
from rnnexp.probes import catalogue
from rnnexp.probes.probe import Probe
from rnnexp.runs import training_options as options
from rnnexp.runs.composition import not_chosen
from rnnexp.runs.constructors import construct, find_function
from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.training.config import Plan
from rnnexp.training.phases import Flossing


def make_plan(values: Mapping[str, Any]) -> Plan:
    """Build the objects of a run from its resolved, validated configuration.

    Raises:
        ArgumentError: A constructor refused its arguments, or two of them do not fit.
    """
    node = options.TaskNode.of(values)
    task = node.at(values["seq_len"])
    lengths, truncate = options.lengths(node, values), options.truncate(values, task.time_steps)
    initializer, input_deviation = _initializer(values)
    plan = Plan(
        task=task,
        cell=_build("cell", values),
        initializer=initializer,
        input_deviation=input_deviation,
        clip=_build("clip", values),
        optimizer=_build("optimizer", values),
        schedule=_build("schedule", values),
        constraint=_build("constraint", values),
        regularizer=_build("regularizer", values),
        phase=_build("phase", values),
        stop=options.stop(values, task),
        truncate=truncate,
        lengths=lengths,
        evaluate_at=options.evaluated(node),
        activation=_activation(values),
        units=values["units"],
        layers=values["layers"],
        batch_size=values["batch_size"],
        train_steps=values["steps"],
        seed=values["seed"],
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
    _check(plan)
    return plan


def _check(plan: Plan) -> None:
    """Check that the parts fit each other, before TensorFlow is imported.

    Raises:
        ArgumentError: Two of them do not.
    """
    plan.cell.check_size(plan.units, plan.task.input_size)
    if plan.layers > 1:
        _check_stack(plan)
    nonzero = getattr(plan.initializer, "nonzero", 0)
    if nonzero > plan.units:
        raise ArgumentError("init.nonzero", f"at most {plan.units}, the units", nonzero)
    if plan.regularizer.wants_adjoints and not plan.cell.scanned:
        expected = "a cell on the scan, such as cell=elman, for a regularizer that wants adjoints"
        raise ArgumentError("cell", expected, type(plan.cell).__name__)
    plan.constraint.check(plan.cell, plan.initializer, plan.units)
    if isinstance(plan.regularizer, Orthogonal) and not plan.cell.has_recurrent_kernel:
        expected = "a cell with a recurrent kernel for regularizer=orthogonal, such as cell=elman"
        raise ArgumentError("cell", expected, type(plan.cell).__name__)
    plan.phase.check(plan.task, plan.cell, plan.units)
    plan.phase.check_steps(plan.train_steps)


def _check_stack(plan: Plan) -> None:
    """Check that what the plan asks for is known of several layers.

    Raises:
        ArgumentError: It is not.
    """
    if not plan.cell.stackable:
        expected = f"1 with {type(plan.cell).__name__}, which cannot take the states of a layer below"
        raise ArgumentError("layers", expected, plan.layers)
    plan.cell.check_size(plan.units, plan.units)  # the units below are the inputs of the layers above
    if isinstance(plan.phase, Flossing):
        raise ArgumentError("layers", "1 together with phase=flossing", plan.layers)
    if plan.regularizer.wants_adjoints:
        raise ArgumentError("layers", "1 for a regularizer that wants adjoints, such as omega", plan.layers)


def _initializer(values: Mapping[str, Any]) -> tuple[Any, float | None]:
    """Return the initialiser of W_hh, and the standard deviation of W_xh, None where none is asked for.

    The latter is the field `input` of the group, which runs from before there was one do not have.
    """
    node, deviation = values.get("init"), None
    if isinstance(node, Mapping):
        deviation = node.get("input")
        node = {key: value for key, value in node.items() if key != "input"}
    initializer = _build("init", {**values, "init": node}, seed=3 * values["seed"] + 1)
    return initializer, None if deviation is None else checks.positive("init.input", deviation)


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
