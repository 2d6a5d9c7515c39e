import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rnnexp.runs import schema
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.scalars import SCALARS

ROOT = Path(__file__).parents[2]

VALID: dict[str, Any] = {
    "activation": "tanh",
    "seq_len": 100,
    "units": 64,
    "layers": 1,
    "batch_size": 64,
    "steps": 0,
    "stop": "steps",
    "seed": 0,
    "replicas": 1,
    "dtype": "float32",
    "device": "auto",
    "jit": True,
    "shards": "auto",
    "truncate": None,
    "segment": None,
    "steps_per_execution": 10,
    "record": {"every": 1},
    "probe": {"every": 500, "batch_size": 64, "bootstrap": 1000},
    "validation": {"every": 500, "sequences": 1000},
    "verdict": {"decades": 3},
    "checkpoint": {"every": 0},
    "figures": {"format": "png"},
    "cell": {"_target_": "anything", "at": "all"},
    "tracking": {"kind": "mlflow", "uri": None, "experiment": "rnnexp", "every": 10, "model": True}
    | {"diff": True, "patience": 20.0},
    "launcher": {"workers": None, "address": None, "gpus": None},
    "plugins": [],
    "probes": {},
    "report": True,
    "resume": False,
    "dry_run": False,
    "treat": False,
    "name": None,
    "output_dir": "outputs",
    "task": {"_target_": "anything", "at": "all"},
}


def changed(key, value):
    config = copy.deepcopy(VALID)
    *path, last = key.split(".")
    node = config
    for name in path:
        node = node[name]
    node[last] = value
    return config


def test_the_example_is_valid_and_names_every_scalar():
    schema.validate(VALID)
    for key in SCALARS:
        node = VALID
        for name in key.split("."):
            node = node[name]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("activation", "rleu", "one of tanh, relu, "),
        ("activation", None, "one of tanh, relu, "),
        ("seq_len", 0, "an integer of at least 1"),
        ("seq_len", -5, "an integer of at least 1"),
        ("seq_len", "abc", "an integer of at least 1"),
        ("seq_len", 10.0, "an integer of at least 1"),
        ("seq_len", True, "an integer of at least 1"),
        ("units", 0, "an integer of at least 1"),
        ("batch_size", 0, "an integer of at least 1"),
        ("steps", -1, "an integer of at least 0"),
        ("seed", -1, "an integer from 0 to 2147483647"),
        ("seed", 2**31, "an integer from 0 to 2147483647"),
        ("seed", None, "an integer from 0 to 2147483647"),
        ("replicas", 0, "an integer of at least 1"),
        ("replicas", "x", "an integer of at least 1"),
        ("replicas", True, "an integer of at least 1"),
        ("dtype", "float8", "one of float32, float64"),
        ("device", "tpu", "one of auto, cpu, gpu"),
        ("jit", "yes", "true or false"),
        ("jit", 1, "true or false"),
        ("segment", 0, "an integer of at least 1"),
        ("segment", 10.0, "an integer of at least 1"),
        ("segment", "auto", "an integer of at least 1"),
        ("steps_per_execution", 0, "an integer of at least 1"),
        ("record.every", 0, "an integer of at least 1"),
        ("probe.every", 0, "an integer of at least 1"),
        ("probe.batch_size", 1, "an integer of at least 2"),
        ("probe.bootstrap", 99, "an integer of at least 100"),
        ("validation.every", 0, "an integer of at least 1"),
        ("validation.sequences", 1, "an integer of at least 2"),
        ("verdict.decades", 0, "a finite number above 0"),
        ("verdict.decades", float("nan"), "a finite number above 0"),
        ("checkpoint.every", -1, "an integer of at least 0"),
        ("tracking.kind", "wandb", "one of mlflow, none"),
        ("tracking.every", 0, "an integer of at least 1"),
        ("tracking.model", "no", "true or false"),
        ("tracking.diff", 1, "true or false"),
        ("tracking.patience", 0, "a finite number above 0"),
        ("tracking.uri", 5, "a text or null"),
        ("tracking.experiment", None, "a text"),
        ("resume", "last", "true, false or null"),
        ("dry_run", 1, "true or false"),
        ("treat", 1, "true or false"),
        ("launcher.workers", 0, "an integer of at least 1"),
        ("name", 7, "a text or null"),
        ("output_dir", None, "a text"),
        ("output_dir", "", "a text"),
    ],
)
def test_what_is_wrong_is_named(key, value, expected):
    with pytest.raises(ArgumentError) as refused:
        schema.validate(changed(key, value))
    assert str(refused.value).startswith(f"{key}: expected {expected}")
    assert str(refused.value).endswith(f", received {value!r}")


@pytest.mark.parametrize("key", sorted(SCALARS.keys() - {"launcher.address", "launcher.gpus"}))
def test_a_key_that_is_missing_is_named(key):
    config = copy.deepcopy(VALID)
    *path, last = key.split(".")
    node = config
    for name in path:
        node = node[name]
    del node[last]
    with pytest.raises(ArgumentError, match=f"{key}: expected a value, received None"):
        schema.validate(config)


def test_without_mlflow_its_keys_are_not_needed():
    schema.validate(VALID | {"tracking": {"kind": "none", "every": 1, "model": False, "diff": True}})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("foo", 3, "foo: expected a key of the configuration (python run.py --help lists them), received 3"),
        ("seqlen", 3, "seqlen: expected a key of the configuration, such as seq_len, received 3"),
        ("probe.evry", 3, "probe.evry: expected a key of the configuration, such as probe.every, received 3"),
        ("verdict.xyzw", 3, "verdict.xyzw: expected one of verdict.decades, received 3"),
    ],
)
def test_a_key_that_nothing_reads_is_refused(key, value, message):
    with pytest.raises(ArgumentError) as refused:
        schema.validate(changed(key, value))
    assert str(refused.value).startswith(message)


def test_a_value_in_place_of_a_group_is_refused():
    with pytest.raises(ArgumentError, match="verdict: expected a key of the configuration, such as verdict"):
        schema.validate(VALID | {"verdict": 5})


def test_importing_it_imports_nothing_heavy():
    program = (
        "import sys; import rnnexp.runs.schema;"
        "sys.exit(bool({'tensorflow', 'keras', 'mlflow', 'hydra', 'omegaconf'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
