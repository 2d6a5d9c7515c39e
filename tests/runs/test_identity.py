import functools

import pytest
from jobs import job_of

from rnnexp.runs.identity import identity
from rnnexp.runs.resume import earlier, runs_below, runs_of
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.provenance import config_hash


@functools.cache
def composed(*overrides):
    return job_of(["tracking=none", *overrides])


KNOWN = [
    # overrides, hash, hash while module paths were part of it
    ((), "29c8b05a60ed", "ab676a812deb"),
    (("activation=relu", "seq_len=200", "clip=global_norm"), "883ff0d7130a", "69f116f25aa5"),
    (
        ("cell=lstm", "task=copying", "optimizer=sgd", "init=gaussian", "seed=3"),
        "2ff02ab4ebb5",
        "844769a28ad1",
    ),
]


@pytest.mark.parametrize(("overrides", "now", "before"), KNOWN)
def test_known_hashes(overrides, now, before):
    assert composed(*overrides).hashes == (now, before)


def test_constructors_are_known_by_their_catalogue_name():
    here = {"clip": {"_target_": "rnnexp.clipping.Norm", "threshold": 1}}
    moved = {"clip": {"_target_": "rnnexp.some.other.place.Norm", "threshold": 1}}
    assert identity(here) == identity(moved) == {"clip": {"name": "norm", "threshold": 1}}


def test_a_constructor_from_elsewhere_keeps_its_path():
    foreign = {"clip": {"_target_": "mine.Norm", "threshold": 1}}
    assert identity(foreign) == {"clip": {"name": "mine.Norm", "threshold": 1}}


def test_a_later_group_at_none_changes_no_hash():
    none = {"units": 8, "regularizer": {"_target_": "rnnexp.optim.regularizers.NoRegularizer"}}
    chosen = {"units": 8, "regularizer": {"_target_": "rnnexp.optim.regularizers.L2", "strength": 1}}
    assert identity(none) == {"units": 8}
    assert identity(chosen) == {"units": 8, "regularizer": {"name": "l2", "strength": 1}}
    assert len(set(composed("regularizer=l2").hashes)) == 2
    assert composed("regularizer=none").hashes == composed().hashes == KNOWN[0][1:]


def test_a_later_key_at_its_default_changes_no_hash():
    assert identity({"units": 8, "stop": "steps"}) == {"units": 8}
    assert composed("stop=steps").hashes == KNOWN[0][1:]
    assert composed("truncate=null").hashes == KNOWN[0][1:]
    assert composed("layers=1").hashes == KNOWN[0][1:]
    assert len({*composed("layers=2").hashes, *KNOWN[0][1:]}) == 4
    assert composed("task.length=null", "task.evaluate_at=[]").hashes == KNOWN[0][1:]
    assert len({*composed("task.length=[50,200]").hashes, *KNOWN[0][1:]}) == 4
    assert len({*composed("stop=solved").hashes, *KNOWN[0][1:]}) == 4


@pytest.mark.parametrize(
    ("cell", "field"),
    [
        ("elman", "init.input=0.001"),
        ("lstm", "cell.chrono=50"),
        ("lstm", "cell.forget_bias=2"),
        ("lstm", "cell.input_bias=-1"),
        ("lstm", "cell.output_bias=-1"),
        ("gru", "cell.chrono=50"),
        ("gru", "cell.update_bias=1"),
        ("gru", "cell.reset_bias=1"),
    ],
)
def test_a_later_field_at_its_default_is_no_part(cell, field):
    plain, chosen = composed(f"cell={cell}"), composed(f"cell={cell}", field)
    group, _, name = field.partition("=")[0].partition(".")
    assert name not in identity(plain.config)[group] and name in identity(chosen.config)[group]
    assert not set(plain.hashes) & set(chosen.hashes)


def test_the_interval_of_a_phase_came_later():
    once, again = composed("phase=flossing"), composed("phase=flossing", "phase.every=100")
    assert once.hashes[0] == "ef36564d41c0"
    assert "every" not in identity(once.config)["phase"]
    assert identity(again.config)["phase"]["every"] == 100


def test_a_file_is_known_by_its_content(tmp_path):
    def known_by(name, text):
        path = tmp_path / name
        path.write_text(text)
        return config_hash(identity({"task": {"_target_": "rnnexp.tasks.Characters", "path": str(path)}}))

    assert known_by("a.txt", "some words") == known_by("b.txt", "some words")
    assert known_by("a.txt", "other words") != known_by("b.txt", "some words")


@pytest.mark.parametrize(("status", "expected"), [("FINISHED", "skip"), ("KILLED", "resume")])
def test_a_run_under_its_former_hash_is_found(tmp_path, status, expected):
    job = composed("seed=5")
    folder = RunFolder.create(tmp_path, "old")
    folder.update(config_hash=job.hashes[1], status=status, store="none", run_id=None)
    assert earlier(runs_of(job.hashes, runs_below(tmp_path)), None).next == expected
