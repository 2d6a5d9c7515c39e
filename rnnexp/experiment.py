"""From a configuration to a run; the only file of the package that knows Hydra and OmegaConf."""

import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnexp import schema, tracking
from rnnexp.checks import ArgumentError
from rnnexp.clipping import Clip
from rnnexp.device import check_device
from rnnexp.initializers import Initializer
from rnnexp.job import Job, TrackingSettings, run_job
from rnnexp.optimizers import Optimizer
from rnnexp.plan import Plan
from rnnexp.run_folder import check_root
from rnnexp.run_name import run_name
from rnnexp.signals import Killed
from rnnexp.tasks import Task
from rnnexp.tracking.address import without_login

PROJECT = Path(__file__).resolve().parents[1]
CONF = PROJECT / "conf"
_KINDS = {"task": Task, "init": Initializer, "clip": Clip, "optimizer": Optimizer}
_SWEEP_FLAGS = ("-m", "--multirun")


def check(arguments: Sequence[str]) -> None:
    """Check a command line before anything is made for it; exit 2 with one sentence if it is wrong.

    Every value of a sweep is checked, each with the first values of the others. Command lines that ask Hydra
    for something else (`--help`, `--cfg`, another folder of configurations) are left to Hydra.
    """
    flags = [argument for argument in arguments if argument.startswith("-")]
    if not set(flags).issubset(_SWEEP_FLAGS):
        return
    try:
        overrides = [_parse(argument) for argument in arguments if not argument.startswith("-")]
        for combination in _combinations(overrides, sweep=len(flags) > 0):
            check_job(compose_job(combination))
    except ArgumentError as error:
        _refuse(error)


def compose_job(overrides: Sequence[str]) -> Job:
    """Return the job that `python run.py` with these overrides would run.

    Raises:
        ArgumentError: An override is wrong; names its dotted key.
    """
    config = _compose(overrides)
    return make_job(config, config.hydra.runtime.choices, overrides)


def check_job(job: Job) -> None:
    """Check what lies outside the configuration: the device, the folder of the runs, the tracking store.

    Raises:
        ArgumentError: There is no such device, or one of the others cannot be used.
    """
    check_device(job.plan.device)
    check_root(job.output_dir)
    if job.tracking.uri is not None:
        tracking.check_store(job.tracking.uri)


def run(config: DictConfig) -> None:
    """Run one job that Hydra composed. Exits 2 on a wrong value, 128 + signal number when killed.

    Raises:
        ArgumentError: A value is wrong and the job is one of a sweep, which goes on with the others.
    """
    settings = HydraConfig.get()
    sweeping = settings.mode is RunMode.MULTIRUN
    sweep_id = Path(settings.sweep.dir).name if sweeping else None
    try:
        job = make_job(config, settings.runtime.choices, settings.overrides.task, sweep_id)
        check_job(job)
        run_job(job)
    except Killed as killed:
        sys.exit(killed.exit_code)
    except ArgumentError as error:
        if sweeping:
            raise
        _refuse(error)


def make_job(
    config: DictConfig, choices: Mapping[str, str], overrides: Sequence[str], sweep_id: str | None = None
) -> Job:
    """Turn a composed configuration into objects.

    Raises:
        ArgumentError: A value is wrong; names its dotted key.
    """
    values = _plain(config)
    schema.validate(values)
    plan, name = make_plan(values), values["name"]
    return Job(
        plan=plan,
        config=_without_login(values),
        choices={group: choices[group] for group in schema.GROUPS if choices.get(group) is not None},
        overrides=tuple(without_login(override) for override in overrides),
        name=run_name(plan.activation, plan.task.seq_len, plan.seed, overrides) if name is None else name,
        project=PROJECT,
        output_dir=Path(values["output_dir"]),
        tracking=_tracking(values["tracking"]),
        resume=values["resume"],
        sweep_id=sweep_id,
    )


def make_plan(values: Mapping[str, Any]) -> Plan:
    """Build the objects of a run from its resolved, validated configuration.

    Raises:
        ArgumentError: A constructor refused its arguments, or two of them do not fit.
    """
    seed = values["seed"]
    plan = Plan(
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
    nonzero = getattr(plan.initializer, "nonzero", 0)
    if nonzero > plan.units:
        raise ArgumentError("init.nonzero", f"at most {plan.units}, the units", nonzero)
    return plan


def _build(group: str, values: Mapping[str, Any], **arguments: object) -> Any:
    """Call the constructor that the group names; `arguments` come from top-level keys."""
    node, kind = values.get(group), _KINDS[group]
    if not isinstance(node, Mapping):
        raise _not_chosen(group, node)
    target, expected = node.get("_target_"), f"a {kind.__name__} of rnnexp"
    if not str(target).startswith("rnnexp."):
        raise ArgumentError(f"{group}._target_", expected, target)
    try:
        built = hydra.utils.instantiate(node, **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, ArgumentError):
            key = cause.name if cause.name in arguments else f"{group}.{cause.name}"
            raise ArgumentError(key, cause.expected, cause.received) from None
        raise ArgumentError(group, f"what {target} takes", str(cause or error)) from None
    if not isinstance(built, kind):
        raise ArgumentError(f"{group}._target_", expected, target)
    return built


def _tracking(values: Mapping[str, Any]) -> TrackingSettings:
    address = None
    if values["kind"] == "mlflow":
        address = tracking.resolve(values["uri"], os.environ, PROJECT)
    return TrackingSettings(address, values.get("experiment", ""), values["every"], values["model"])


def _without_login(values: dict[str, Any]) -> dict[str, Any]:
    """Return what may be recorded: an address without the user and password that it may contain."""
    uri = values["tracking"].get("uri")
    if uri is None:
        return values
    return values | {"tracking": values["tracking"] | {"uri": without_login(uri)}}


def _plain(config: DictConfig) -> dict[str, Any]:
    masked = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        return OmegaConf.to_container(masked, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise _not_composed(error) from error


def _not_composed(error: Exception) -> ArgumentError:
    return ArgumentError("configuration", "values that can be composed", str(error).partition("\n")[0])


def _refuse(error: ArgumentError) -> NoReturn:
    print(f"run.py: {error}", file=sys.stderr)
    sys.exit(2)


def _parse(argument: str) -> Override:
    try:
        (override,) = OverridesParser.create().parse_overrides([argument])
    except HydraException:
        expected = "key=value, odd characters in quotes of their own: 'key=\"a b: c\"'"
        raise ArgumentError("override", expected, argument) from None
    return override


def _combinations(overrides: Sequence[Override], sweep: bool) -> Iterator[list[str]]:
    """Every value of every sweep once, the other sweeps at their first value."""
    axes = [_values(override, sweep) for override in overrides]
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
        values = listed.filter(_options(override.key_or_group))
    elif override.is_discrete_sweep():
        values = list(override.sweep_string_iterator())
    if not values:
        raise ArgumentError(key, "values that can be listed, such as a,b or range(1,4)", typed)
    return [f"{key}={value}" for value in values]


def _compose(overrides: Sequence[str]) -> DictConfig:
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose("config", list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explain(overrides, error) from error


def _explain(overrides: Sequence[str], error: Exception) -> ArgumentError:
    """Find the override that cannot be composed and say what is wrong with it."""
    typed = [override.lstrip("+~").partition("=")[::2] for override in overrides]
    chosen = [(key, value) for key, value in typed if key in schema.GROUPS]
    for group, value in chosen:
        if value not in _options(group):
            return _not_chosen(group, value)
    keys = _keys([f"{group}={value}" for group, value in chosen])
    for override, (key, _) in zip(overrides, typed, strict=True):
        if key not in keys and key not in schema.GROUPS and not key.startswith("hydra"):
            expected = _expected_choice(key) or schema.expected_key(key, [*keys, *schema.GROUPS])
            return ArgumentError(key or "override", expected, override)
    return _not_composed(error)


def _not_chosen(group: str, value: object) -> ArgumentError:
    return ArgumentError(group, f"one of {', '.join(_options(group))}", value)


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _expected_choice(key: str) -> str | None:
    """Where another choice of the group has that key, which: `clip.threshold` needs a clip that has one."""
    group, _, field = key.partition(".")
    if group not in schema.GROUPS:
        return None
    having = [name for name in _options(group) if field in OmegaConf.load(CONF / group / f"{name}.yaml")]
    choices = " or ".join(f"{group}={name}" for name in having)
    return f"to come with {choices}, which have it" if having else None


def _keys(choices: Sequence[str]) -> list[str]:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = _plain(hydra.compose("config", list(choices)))
    return sorted(tracking.flatten(config))
