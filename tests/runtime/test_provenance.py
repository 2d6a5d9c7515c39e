import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rnnexp.runtime import provenance
from rnnexp.runtime.config_keys import UNSCIENTIFIC
from rnnexp.runtime.provenance import (
    UNKNOWN,
    GitState,
    config_hash,
    environment,
    git_state,
    group_hash,
    versions,
)

CONFIG = {"seed": 0, "units": 64, "clip": {"threshold": 1.0, "kinds": ["a", 2]}, "device": "auto"}


def test_the_hash_is_the_sha256_of_canonical_json():
    text = '{"clip":{"kinds":["a",2],"threshold":1},"device":"auto","seed":0,"units":64}'
    assert config_hash(CONFIG) == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_the_order_of_keys_does_not_matter():
    assert config_hash(dict(reversed(CONFIG.items()))) == config_hash(CONFIG)


@pytest.mark.parametrize("key", sorted(UNSCIENTIFIC))
def test_what_cannot_change_a_number_does_not_matter(key):
    assert config_hash(CONFIG | {key: "anything"}) == config_hash(CONFIG)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"units": 65},
        {"device": "cpu"},
        {"jit": True},
        {"task": {"name": "adding"}},
        {"clip": {"threshold": 1.5, "kinds": ["a", 2]}},
        {"clip": {"threshold": True, "kinds": ["a", 2]}},
        {"units": "64"},
    ],
)
def test_everything_else_matters(change):
    assert config_hash(CONFIG | change) != config_hash(CONFIG)


def test_a_nested_key_is_not_mistaken_for_an_unscientific_one():
    assert config_hash({"task": {"name": "a"}}) != config_hash({"task": {"name": "b"}})


def test_repetitions_share_their_group_and_nothing_else_does():
    assert group_hash(CONFIG | {"seed": 7}) == group_hash(CONFIG)
    assert group_hash(CONFIG | {"units": 8}) != group_hash(CONFIG)
    assert group_hash(CONFIG) != config_hash(CONFIG)


def test_hashes_are_the_same_in_another_process():
    program = f"from rnnexp.runtime.provenance import config_hash; print(config_hash({CONFIG!r}))"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == config_hash(CONFIG)


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(tmp_path, monkeypatch):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "a.txt").write_text("one\ntwo\n")
    (folder / ".gitignore").write_text("outputs/\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_a_clean_tree(tree):
    (tree / "outputs").mkdir()
    (tree / "outputs" / "run.log").write_text("ignored")
    assert git_state(tree) == GitState(git(tree, "rev-parse", "HEAD").strip(), False, "")


def test_the_diff_makes_the_changed_tree_from_the_commit(tree, tmp_path):
    git(tmp_path, "clone", "--quiet", str(tree), "clone")
    (tree / "a.txt").write_text("one\n2\n")
    (tree / "b.txt").write_text("staged\n")
    git(tree, "add", "b.txt")
    (tree / "new é.py").write_text("untracked\n")
    state = git_state(tree)
    assert state.dirty
    assert state.diff.endswith("\nUntracked: new é.py\n")
    patch = tmp_path / "git.diff"
    patch.write_text(state.diff)
    git(tmp_path / "clone", "apply", str(patch))
    assert (tmp_path / "clone" / "a.txt").read_text() == "one\n2\n"
    assert (tmp_path / "clone" / "b.txt").read_text() == "staged\n"


def test_a_file_that_is_not_tracked_makes_the_tree_dirty(tree):
    (tree / "task.py").write_text("new")
    assert git_state(tree)[1:] == (True, "Untracked: task.py\n")


def test_a_long_diff_is_cut(tree):
    (tree / "a.txt").write_text("x" * 1_200_000)
    diff = git_state(tree).diff
    assert len(diff) < 1_000_100
    assert diff.endswith(" characters)\n")


def test_no_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == GitState(UNKNOWN, False, "")
    assert git_state(tmp_path / "absent") == GitState(UNKNOWN, False, "")


def test_no_commit_yet(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(tmp_path, "init", "--quiet")
    assert git_state(tmp_path) == GitState(UNKNOWN, False, "")


def test_no_git(tree, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_state(tree) == GitState(UNKNOWN, False, "")


def test_a_git_that_does_not_answer(tree, monkeypatch):
    def slow(*arguments, **options):
        raise subprocess.TimeoutExpired("git", options["timeout"])

    monkeypatch.setattr(subprocess, "run", slow)
    assert git_state(tree) == GitState(UNKNOWN, False, "")


def test_versions_are_those_installed():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["tensorflow"] == importlib.metadata.version("tensorflow")


def test_a_package_that_is_absent_is_left_out(monkeypatch):
    monkeypatch.setattr(provenance, "_MAIN", ("no-such-package",))
    assert "no-such-package" not in versions()


def test_the_environment_names_every_distribution_once():
    lines = environment().splitlines()
    assert lines[0].startswith(f"# python {platform.python_version()}")
    assert lines[2].endswith(f", {os.cpu_count()} logical cores")
    assert f"numpy=={importlib.metadata.version('numpy')}" in lines
    packages = lines[3:]
    assert len(packages) == len(set(packages))
    assert packages == sorted(packages, key=str.lower)
    # A second way to the same number: one metadata folder for each distribution.
    folders = {info.parent for path in sys.path for info in Path(path).glob("*.dist-info/METADATA")}
    assert len(packages) >= len(folders) * 0.95
