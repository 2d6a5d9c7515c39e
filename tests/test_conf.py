"""The menu and the code name the same things."""

import dataclasses
import functools
import importlib
import inspect
import pickle
from pathlib import Path

import pytest
import yaml
from jobs import job_of

from rnnexp import cli, tasks, tracking
from rnnexp.nn import initializers
from rnnexp.nn.cells import catalogue
from rnnexp.optim import clipping, constraints, optimizers, regularizers, schedules
from rnnexp.runs import build
from rnnexp.runs.identity import identity
from rnnexp.runs.training_options import LENGTH_FIELDS
from rnnexp.runtime import provenance
from rnnexp.runtime.config_keys import COLLECTIONS, CONSTRUCTED, GROUPS
from rnnexp.runtime.scalars import SCALARS
from rnnexp.training import phases

CONF = Path(__file__).parents[1] / "conf"

CATALOGUES: dict[str, dict] = {
    "task": tasks.CATALOGUE,
    "init": initializers.CATALOGUE,
    "clip": clipping.CATALOGUE,
    "optimizer": optimizers.CATALOGUE,
    "schedule": schedules.CATALOGUE,
    "constraint": constraints.CATALOGUE,
    "regularizer": regularizers.CATALOGUE,
    "phase": phases.CATALOGUE,
}
FROM_THE_TOP = {"seq_len", "seed"}
"""Constructor arguments that are top-level keys, swept most and shared by groups."""

CHOICES = [
    (path.parent.name, path.stem)
    for path in sorted(CONF.glob("*/*.yaml"))
    if path.parent.name not in ("launcher", "experiment")
]
LENGTH = "seq_len=64"
"""A length that all tasks take."""
EXPERIMENTS = [path.stem for path in sorted((CONF / "experiment").glob("*.yaml"))]


def read(group, name):
    return yaml.safe_load((CONF / group / f"{name}.yaml").read_text())


def constructor(target):
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


@functools.cache
def composed(*overrides):
    return job_of(overrides)


DEFAULTS = yaml.safe_load((CONF / "config.yaml").read_text())


@pytest.mark.parametrize("group", CATALOGUES)
def test_a_group_offers_what_its_catalogue_holds(group):
    offered = {name: constructor(read(group, name)["_target_"]) for kind, name in CHOICES if kind == group}
    assert offered == CATALOGUES[group]


@pytest.mark.parametrize(("group", "name"), [choice for choice in CHOICES if choice[0] in CATALOGUES])
def test_config_keys_and_defaults_match_the_constructor(group, name):
    values = read(group, name)
    built = constructor(values.pop("_target_"))
    parameters = inspect.signature(built).parameters
    of_lengths = set(LENGTH_FIELDS) if getattr(built, "any_length", False) else set()
    assert values.keys() == parameters.keys() - FROM_THE_TOP | of_lengths
    for key, parameter in parameters.items():
        if key in values and parameter.default is not inspect.Parameter.empty:
            assert values[key] == parameter.default


@pytest.mark.parametrize("name", [name for group, name in CHOICES if group == "cell"])
def test_the_keys_of_the_cell_are_arguments_of_its_constructor(name):
    values = read("cell", name)
    target = constructor(values.pop("_target_"))
    own = inspect.signature(catalogue.CATALOGUE[name]).parameters
    assert values == {key: parameter.default for key, parameter in own.items()}
    # What a Keras cell takes too has its default there.
    theirs = inspect.signature(target).parameters
    assert {key: theirs[key].default for key in values.keys() & theirs.keys()}.items() <= values.items()


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_composes_and_builds(group, name):
    job = composed(f"{group}={name}", LENGTH)
    assert job.choices[group] == name
    built: dict[str, object] = {"task": job.plan.task, "init": job.plan.initializer, "clip": job.plan.clip}
    built |= {"schedule": job.plan.schedule, "constraint": job.plan.constraint}
    built |= {"optimizer": job.plan.optimizer, "regularizer": job.plan.regularizer, "phase": job.plan.phase}
    if group in built:
        assert type(built[group]) is CATALOGUES[group][name]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_composes_and_holds_differences_only(name):
    default = tracking.flatten(composed().config)
    job = composed(f"experiment={name}")
    assert job.choices["experiment"] == name
    values = read("experiment", name)
    assert (CONF / "experiment" / f"{name}.yaml").read_text().startswith("# @package _global_\n")
    for key, value in tracking.flatten(
        {k: v for k, v in values.items() if k not in ("defaults", "hydra")}
    ).items():
        assert default.get(key) != value, key


def test_every_scalar_has_a_default_and_is_checked():
    keys = {
        key
        for key in tracking.flatten(composed("tracking=mlflow").config)
        if key.partition(".")[0] not in (*CONSTRUCTED, *COLLECTIONS)
    }
    of_ray = yaml.safe_load((CONF / "launcher" / "ray.yaml").read_text())["launcher"]
    keys |= {f"launcher.{key}" for key in of_ray}
    assert keys == SCALARS.keys()


def test_the_groups_are_the_folders_and_each_has_a_default():
    folders = {path.name for path in CONF.iterdir() if path.is_dir()}
    assert folders == set(GROUPS)
    chosen = {
        group: name
        for entry in DEFAULTS["defaults"]
        if isinstance(entry, dict)
        for group, name in entry.items()
    }
    assert {group for group in chosen if "hydra" not in group} == folders
    assert all(
        name is None or (CONF / group / f"{name}.yaml").is_file()
        for group, name in chosen.items()
        if "hydra" not in group
    )


def test_what_is_swept_most_is_never_a_group():
    assert not {"activation", "seq_len"} & {path.name for path in CONF.iterdir()}


def test_help_lists_groups_and_keys_and_its_examples_compose():
    template = DEFAULTS["hydra"]["help"]["template"]
    assert "$APP_CONFIG_GROUPS" in template
    assert "$CONFIG" in template
    examples = [
        line.split("  ")[0] for line in map(str.strip, template.splitlines()) if line.startswith("${hydra")
    ]
    # A folder of the user's own is not there; docs/extending.md has it in full.
    checked = [
        line.split()[1:] for line in examples if "=" in line and "..." not in line and "--" not in line
    ]
    assert len(checked) >= 5
    for arguments in checked:
        cli.check([*arguments, "tracking=none"])


OTHER = {
    "activation": "relu",
    "seq_len": 101,
    "units": 65,
    "batch_size": 65,
    "steps": 5001,
    "seed": 1,
    "replicas": 2,
    "dtype": "float64",
    "device": "cpu",
    "jit": "false",
    "shards": 4,
    "segment": 10,
    "steps_per_execution": 11,
    "record.every": 2,
    "probe.every": 501,
    "probe.batch_size": 65,
    "probe.bootstrap": 1001,
    "validation.every": 501,
    "validation.sequences": 1001,
    "verdict.decades": 2.5,
    "task.target": "mean",
    "task.length": "[50,200]",
    "task.evaluate_at": "[300]",
    "stop": "solved",
    "truncate": 20,
    "layers": 2,
    "cell.use_bias": "false",
    "init.gain": 0.9,
    "init.input": 0.001,
    "optimizer.learning_rate": 0.002,
    "optimizer.beta_1": 0.8,
    "optimizer.beta_2": 0.99,
    "optimizer.epsilon": 1e-6,
    "checkpoint.every": 1,
    "figures.format": "svg",
    "tracking.kind": "none",
    "tracking.every": 3,
    "tracking.model": "false",
    "tracking.diff": "false",
    "tracking.patience": 3.5,
    "tracking.uri": "sqlite:///other.db",
    "tracking.experiment": "other",
    "launcher.workers": 2,
    "plugins": "[mine]",
    "report": "false",
    "resume": "true",
    "dry_run": "true",
    "treat": "true",
    "name": "other",
    "output_dir": "other",
}
"""Another value for every key of the default configuration."""

NOT_SCIENTIFIC = (
    *("checkpoint", "dry_run", "figures", "launcher", "name", "output_dir", "plugins", "replicas"),
    *("report", "resume", "tracking", "treat"),
)


def keys_of_the_default():
    keys = {key for key in tracking.flatten(composed().config) if not key.endswith("_target_")}
    return keys - set(COLLECTIONS)


def test_another_value_is_known_for_every_key():
    assert keys_of_the_default() == OTHER.keys()


@pytest.mark.parametrize("key", sorted(OTHER.keys() - {"replicas"}))  # those have a configuration each
def test_the_hash_changes_exactly_with_keys_that_change_numbers(key):
    changed = composed(f"{key}={OTHER[key]}")
    assert tracking.flatten(changed.config)[key] != tracking.flatten(composed().config)[key]
    scientific = key.partition(".")[0] not in NOT_SCIENTIFIC
    assert (changed.config_hash != composed().config_hash) == scientific


TASK = tasks.Adding(100)


def test_replicas_have_the_hashes_of_their_single_runs():
    jobs = build.compose_jobs(["seed=3", f"replicas={OTHER['replicas']}"])
    singles = [composed(f"seed={seed}") for seed in (3, 4)]
    assert [job.config_hash for job in jobs] == [single.config_hash for single in singles]
    assert [job.config for job in jobs] == [single.config for single in singles]
    plans = [[dataclasses.replace(job.plan, task=TASK) for job in found] for found in (jobs, singles)]
    assert plans[0] == plans[1]
    without = {key: value for key, value in singles[0].config.items() if key != "replicas"}
    assert provenance.config_hash(identity(without)) == singles[0].config_hash


@pytest.mark.parametrize(("group", "name"), [choice for choice in CHOICES if choice[0] != "tracking"])
def test_another_choice_changes_the_hash(group, name):
    default = next(entry[group] for entry in DEFAULTS["defaults"] if group in entry)
    same = composed(f"{group}={name}", LENGTH).config_hash == composed(LENGTH).config_hash
    assert same == (name == default)


def test_launcher_and_tracking_do_not_change_the_hash():
    for choice in ("launcher=joblib", "tracking=none"):
        assert composed(choice).config_hash == composed().config_hash


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_a_job_can_be_sent_to_another_process(group, name):
    job = composed(f"{group}={name}", LENGTH)
    sent = pickle.loads(pickle.dumps(job))
    assert (sent.config_hash, sent.name, sent.plan.seed) == (job.config_hash, job.name, job.plan.seed)
    assert type(sent.plan.task) is type(job.plan.task)
