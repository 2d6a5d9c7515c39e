from pathlib import Path

import pytest
from jobs import job_of

from rnnexp.runs import composition
from rnnexp.runs.build import compose_job
from rnnexp.runs.composition import axes, one_by_one, parse
from rnnexp.runtime.checks import ArgumentError

ROOT = Path(__file__).parents[2]


def listed(*typed, sweep=True):
    return axes([parse(argument) for argument in typed], sweep)


def test_each_key_has_its_values_in_the_order_typed():
    assert listed("seed=range(2)", "units=4", "clip=none,norm") == [
        *(["seed=0", "seed=1"], ["units=4"], ["clip=none", "clip=norm"])
    ]
    assert listed("clip=glob(n*)") == [["clip=none", "clip=norm"]]


def test_a_repeated_key_takes_its_last_value_in_first_place():
    assert listed("seed=0,1,2", "units=4", "seed=7") == [["seed=7"], ["units=4"]]


def test_several_values_need_a_sweep():
    with pytest.raises(ArgumentError, match="seed: expected one value"):
        listed("seed=0,1", sweep=False)


def test_every_value_comes_once_with_the_first_of_the_others():
    found = list(one_by_one([["a=1", "a=2"], ["b=1"], ["c=1", "c=2", "c=3"]]))
    assert found == [
        *(["a=1", "b=1", "c=1"], ["a=2", "b=1", "c=1"], ["a=1", "b=1", "c=2"], ["a=1", "b=1", "c=3"])
    ]


@pytest.mark.parametrize(("launcher", "extra"), [("ray", "ray"), ("submitit", "slurm")])
def test_a_launcher_whose_plugin_is_missing_names_it(monkeypatch, launcher, extra):
    monkeypatch.setattr(composition.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArgumentError) as refused:
        # What Hydra says itself is that its folder of launchers has no such file.
        composition.compose([f"launcher={launcher}", "hydra/launcher=missing"])
    expected = f"its plugin (requirements/{extra}.txt, see docs/cluster.md)"
    assert str(refused.value) == f"launcher: expected {expected}, received '{launcher}'"
    assert (ROOT / "requirements" / f"{extra}.txt").is_file() and (ROOT / "docs" / "cluster.md").is_file()


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["task=copying", "cell=lstm", "experiment=smoke", "units=3", "task.recall=2", "cell.use_bias=false"],
        ["seq_len=7", "++units=3", "plugins=[a]", "name='a b: c'", "init.input=${units}"],
        ["clip=norm", "tracking=none", "units=4", "clip.threshold=2.5", "units=5", "seed=${oc.decode:'3'}"],
        ["task.evaluate_at=[200,300]", "task.length=[50,200]", "hydra.run.dir=there", "truncate=null"],
    ],
)
def test_a_job_of_the_tests_is_the_one_that_hydra_composes(overrides):
    def shown(job):
        return job.config, job.choices, job.overrides, job.config_hash, job.group_hash, job.tracking

    for again in ([], ["seed=4"]):  # what is composed once is not changed by a job
        assert shown(job_of([*overrides, *again])) == shown(compose_job([*overrides, *again]))
