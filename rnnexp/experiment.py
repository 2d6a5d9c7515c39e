"""From a configuration to a run; the only file of the package that knows Hydra and OmegaConf."""

import contextlib
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnexp import schema, tracking
from rnnexp.checks import ArgumentError, nearest
from rnnexp.device import check_device
from rnnexp.job import Job, TrackingSettings, run_job
from rnnexp.plan import Plan
from rnnexp.signals import Killed

PROJECT = Path(__file__).resolve().parents[1]
CONF = PROJECT / "conf"
GROUPS = ("task", "cell", "init", "clip", "optimizer", "tracking", "launcher", "experiment")
_TARGETS = ("rnnexp.", "keras.")


def check(arguments: Sequence[str]) -> None:
    """Check a command line before anything is made or imported for it; exit 2 with one sentence if it is wrong.

    Every value of a sweep is checked, each with the first values of the others. Command lines that ask Hydra for
    something else (`--help`, `--cfg`, another folder of configurations) are left to Hydra.
    """
    if any(argument.startswith("-") and argument not in ("-m", "--multirun") for argument in arguments):
        return
    with _refusal():
        overrides = _parse([argument for argument in arguments if not argument.startswith("-")])
        for combination in _combinations(overrides):
            config = _compose(combination)
            check_job(make_job(config, config.hydra.runtime.choices, combination))


def check_job(job: Job) -> None:
    """Check what lies outside the configuration: the device and the tracking store.

    Raises:
        ArgumentError: There is no such device, or the store cannot be used.
    """
    check_device(job.plan.device)
    if job.tracking.uri is not None:
        tracking.check_store(job.tracking.uri)


def run(config: DictConfig) -> None:
    """Run one job that Hydra composed. Exits 2 on a wrong value, 128 + signal number when killed."""
    settings = HydraConfig.get()
    with _refusal():
        job = make_job(config, settings.runtime.choices, list(settings.overrides.task))
        try:
            run_job(job)
        except Killed as killed:
            print(f"run.py: {killed}; go on with: resume=true", file=sys.stderr)
            sys.exit(killed.exit_code)


def make_job(config: DictConfig, choices: Mapping[str, str], overrides: Sequence[str]) -> Job:
    """Turn a composed configuration into objects.

    Raises:
        ArgumentError: A value is wrong; names its dotted key.
    """
    values = {name: node for name, node in _plain(config).items() if name != "hydra"}
    _refuse_unknown(values)
    schema.validate(values)
    plan = make_plan(values)
    return Job(
        plan=plan,
        config=values,
        choices={group: choices[group] for group in GROUPS if choices.get(group) is not None},
        overrides=tuple(overrides),
        name=values["name"] or _name(plan, overrides),
        project=PROJECT,
        output_dir=Path(values["output_dir"]),
        tracking=_tracking(values["tracking"]),
        resume=values["resume"],
    )


def _refuse_unknown(values: Mapping[str, Any]) -> None:
    """Hydra lets `+key=value` add keys; one that nothing reads would pass for a setting."""
    known = {*GROUPS, *(key.partition(".")[0] for key in schema.SCALARS)}
    for key in values.keys() - known:
        raise ArgumentError(key, _expected_key(key, sorted(known)), values[key])


def make_plan(values: Mapping[str, Any]) -> Plan:
    """Build the objects of a run from its resolved, validated configuration.

    Raises:
        ArgumentError: A constructor refused its arguments.
    """
    seed = values["seed"]
    return Plan(
        task=_build("task", values, seq_len=values["seq_len"]),
        initializer=_build("init", values, seed=3 * seed + 1),
        clip=_build("clip", values),
        optimizer=_build("optimizer", values),
        activation=values["activation"],
        use_bias=values["cell"]["use_bias"],
        units=values["units"],
        batch_size=values["batch_size"],
        steps=values["steps"],
        seed=seed,
        dtype=values["dtype"],
        device=values["device"],
        jit=values["jit"],
        steps_per_execution=values["steps_per_execution"],
        record_every=values["record"]["every"],
        probe_every=values["probe"]["every"],
        probe_batch_size=values["probe"]["batch_size"],
        bootstrap=values["probe"]["bootstrap"],
        validation_every=values["validation"]["every"],
        validation_sequences=values["validation"]["sequences"],
        checkpoint_every=values["checkpoint"]["every"],
        decades=float(values["verdict"]["decades"]),
    )


def _build(group: str, values: Mapping[str, Any], **arguments: object) -> Any:
    """Call the constructor that the group names; `arguments` come from top-level keys."""
    node = values[group]
    if not str(node.get("_target_", "")).startswith(_TARGETS):
        raise ArgumentError(f"{group}._target_", "a name of rnnexp or keras", node.get("_target_"))
    try:
        return hydra.utils.instantiate(node, **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, ArgumentError):
            key = cause.name if cause.name in arguments else f"{group}.{cause.name}"
            raise ArgumentError(key, cause.expected, cause.received) from None
        raise ArgumentError(group, "arguments that its constructor takes", str(cause)) from None


def _tracking(values: Mapping[str, Any]) -> TrackingSettings:
    address = None
    if values["kind"] == "mlflow":
        address = tracking.resolve(values["uri"], os.environ, PROJECT)
    return TrackingSettings(address, values.get("experiment") or "", values["every"], values["model"])


def _name(plan: Plan, overrides: Sequence[str]) -> str:
    """`relu-T200-global_norm-s1`: activation, length, what else was typed, seed."""
    shown = ("activation", "seq_len", "seed", "output_dir", "tracking", "resume", "name", "experiment")
    typed = [override.lstrip("+~").partition("=")[::2] for override in overrides]
    others = [
        value if key in GROUPS else f"{key.rpartition('.')[2]}{value}"
        for key, value in typed
        if key.partition(".")[0] not in (*shown, "hydra", "launcher")
    ]
    parts = [plan.activation, f"T{plan.task.seq_len}", *others, f"s{plan.seed}"]
    return "-".join("".join(c if c.isalnum() or c in "._" else "_" for c in part) for part in parts)[:120]


def _plain(config: DictConfig) -> dict[str, Any]:
    masked = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
    return OmegaConf.to_container(masked, resolve=True)  # type: ignore[return-value]


@contextlib.contextmanager
def _refusal() -> Iterator[None]:
    """End the process with code 2 and one sentence where an argument is refused."""
    try:
        yield
    except ArgumentError as error:
        _refuse(str(error))


def _refuse(sentence: str) -> NoReturn:
    print(f"run.py: {sentence}", file=sys.stderr)
    sys.exit(2)


def _parse(arguments: Sequence[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides(list(arguments))
    except HydraException as error:
        raise ArgumentError("override", "key=value", " ".join(arguments)) from error


def _combinations(overrides: Sequence[Override]) -> Iterator[list[str]]:
    """Every value of every sweep once, the other sweeps at their first value."""
    axes = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [override.input_line or ""]
        for override in overrides
    ]
    first = [axis[0] for axis in axes]
    yield first
    for place, axis in enumerate(axes):
        for value in itertools.islice(axis, 1, None):
            yield [*first[:place], value, *first[place + 1 :]]


def _compose(overrides: Sequence[str]) -> DictConfig:
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose("config", list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explain(overrides, error) from error


def _explain(overrides: Sequence[str], error: Exception) -> ArgumentError:
    """Find the override that cannot be composed and say what is wrong with it."""
    chosen: list[str] = []
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key in GROUPS:
            options = sorted(path.stem for path in (CONF / key).glob("*.yaml"))
            if value not in options:
                return ArgumentError(key, f"one of {', '.join(options)}", value)
            chosen.append(override)
    keys = _keys(chosen)
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if key not in keys and key not in GROUPS and not key.startswith("hydra."):
            expected = _expected_choice(key) or _expected_key(key, keys)
            return ArgumentError(key, expected, override)
    return ArgumentError("configuration", "values that can be composed", str(error).partition("\n")[0])


def _expected_choice(key: str) -> str | None:
    """Where another choice of the group has that key, which: `clip.threshold` needs a clip that has one."""
    group, _, field = key.partition(".")
    having = sorted(
        path.stem
        for path in (CONF / group).glob("*.yaml")
        if group in GROUPS and field in OmegaConf.load(path)
    )
    return (
        f"to come with {' or '.join(f'{group}={name}' for name in having)}, which have it" if having else None
    )


def _keys(choices: Sequence[str]) -> list[str]:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = _plain(hydra.compose("config", list(choices)))
    return sorted(tracking.flatten(config))


def _expected_key(key: str, keys: Sequence[str]) -> str:
    group, dot, _ = key.rpartition(".")
    near = nearest(key, [*keys, *GROUPS])
    if near is not None:
        return f"a key of the configuration, such as {near}"
    siblings = [other for other in keys if dot and other.startswith(f"{group}.") and not other.endswith("_")]
    if siblings:
        return f"one of {', '.join(siblings)}"
    return "a key of the configuration (python run.py --cfg job shows them)"
