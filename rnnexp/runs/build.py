"""From a composed configuration to a run."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnexp import tracking
from rnnexp.runs import permissions, schema
from rnnexp.runs.composition import compose, plain, plugins_typed
from rnnexp.runs.job import Job, Membership, Together, TrackingSettings
from rnnexp.runs.menu import MENU, Menu
from rnnexp.runs.plan import make_plan
from rnnexp.runs.run_name import run_name
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.config_keys import COLLECTIONS, CONSTRUCTED, GROUPS, key_of
from rnnexp.runtime.places import data_folder
from rnnexp.runtime.secrets import ADDRESS_VARIABLE, clean, clean_all


def compose_job(overrides: Sequence[str], menu: Menu = MENU) -> Job:
    """Return the job that the command with these overrides would run, or `-m` with them among others.

    Raises:
        ArgumentError: An override is wrong, or asks for several replicas; names its dotted key.
    """
    config = compose(overrides, menu)
    return make_job(config, config.hydra.runtime.choices, overrides, menu=menu)


def compose_jobs(overrides: Sequence[str], menu: Menu = MENU) -> list[Job]:
    """Return what the command with these overrides would run: one job, or one for every replica.

    Raises:
        ArgumentError: An override is wrong; names its dotted key.
    """
    config = compose(overrides, menu)
    return make_jobs(config, config.hydra.runtime.choices, overrides, menu)


def make_job(
    config: DictConfig,
    choices: Mapping[str, str],
    overrides: Sequence[str],
    membership: Membership | None = None,
    menu: Menu = MENU,
) -> Job:
    """Turn a composed configuration into objects.

    Raises:
        ArgumentError: A value is wrong, or it is of several replicas; names its dotted key.
    """
    first, *others = make_jobs(config, choices, overrides, menu)
    if others:
        seed, count = first.plan.seed, 1 + len(others)
        expected = f"1 in a sweep, which lists its seeds (seed=range({seed},{seed + count}))"
        raise ArgumentError("replicas", expected, count)
    return dataclasses.replace(first, sweep=membership)


def make_jobs(
    config: DictConfig, choices: Mapping[str, str], overrides: Sequence[str], menu: Menu = MENU
) -> list[Job]:
    """Turn a composed configuration into objects: one job, or one for every replica.

    Raises:
        ArgumentError: A value is wrong; names its dotted key.
    """
    with _explaining(config):
        values = checked_values(config, overrides)
        first, count = values["seed"], values["replicas"]
        if count == 1:
            return [_job(values, choices, overrides, menu.flags)]
        together = Together(count, _shown(overrides, values))
        members = [values | {"seed": seed, "replicas": 1} for seed in range(first, first + count)]
        schema.validate(members[-1])
        jobs = [_job(member, choices, alone(overrides, member["seed"]), menu.flags) for member in members]
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
    others = [override for override in overrides if key_of(override) not in ("replicas", "seed")]
    # An experiment may ask for several.
    return (*others, "replicas=1", f"seed={seed}")


def _job(
    values: dict[str, Any],
    choices: Mapping[str, str],
    overrides: Sequence[str],
    flags: tuple[str, ...],
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
        figure_format=values["figures"]["format"],
        flags=flags,
    )


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
