"""What the package imports is asked for; what pyproject.toml asks for is locked, by hash, with no address."""

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from rnnexp import __version__
from rnnexp.runtime.extras import LAB

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
# Each list of requirements beside the locks that must hold it.
ASKED = [
    (PROJECT["dependencies"], ["run", "dev", "gpu", "ray", "slurm"]),
    (PROJECT["optional-dependencies"]["lab"], ["run", "dev", "gpu", "ray", "slurm"]),
    (PROJECT["optional-dependencies"]["dev"], ["dev"]),
    (PROJECT["optional-dependencies"]["gpu"], ["gpu"]),
    (["torch==2.13.0"], ["torch"]),
    (PYPROJECT["dependency-groups"]["contestants"], ["bench"]),
    (PYPROJECT["dependency-groups"]["docs"], ["docs"]),
    (PROJECT["optional-dependencies"]["ray"], ["ray"]),
    (PROJECT["optional-dependencies"]["slurm"], ["slurm"]),
    (PYPROJECT["dependency-groups"]["torch-cpu"], ["torch"]),
    (PYPROJECT["build-system"]["requires"], ["dev"]),
]


ENVIRONMENTS = [
    {"sys_platform": system, "platform_machine": machine, "python_full_version": python}
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
    for python in ("3.11.0", "3.13.0")
]


def blocks(lock: Path) -> list[str]:
    """A lock's text -> one text per package: the pinned requirement and its hashes."""
    code = re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    return [block.replace("\\\n", " ") for block in re.split(r"\n(?=\S)", code.strip())]


def pins(lock: Path, environment: Mapping[str, str] | None = None) -> dict[str, Version]:
    """Name -> version, of all that is locked, or of what is installed in an environment."""
    requirements = [Requirement(block.split(" --hash")[0].strip()) for block in blocks(lock)]
    return {
        canonicalize_name(r.name): Version(str(r.specifier).removeprefix("=="))
        for r in requirements
        if environment is None or r.marker is None or r.marker.evaluate(dict(environment))
    }


def imported_packages() -> dict[str, Path]:
    """Top-level names that run.py and the package import, at any depth, beside a file that does."""
    found = {}
    for path in [ROOT / "run.py", *(ROOT / "rnnexp").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update({alias.name.split(".")[0]: path for alias in node.names})
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module.split(".")[0]] = path
    return {name: path for name, path in found.items() if name not in {*sys.stdlib_module_names, "rnnexp"}}


def test_there_is_a_lock_for_every_way_to_use_it():
    assert [lock.stem for lock in LOCKS] == ["bench", "dev", "docs", "gpu", "ray", "run", "slurm", "torch"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_is_pinned_with_a_hash(lock):
    for block in blocks(lock):
        pattern = r"[a-z0-9-]+==[\w.+]+( ; [\w.<>=!'() ]+)?( +--hash=sha256:[0-9a-f]{64})+"
        assert re.fullmatch(pattern, block), block[:80]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_lock_names_an_address_or_a_folder(lock):
    assert not re.search(r"://|www\.|^\s*-(?!-hash)|(?<!\w)/\w|@", lock.read_text(), flags=re.MULTILINE)


def test_the_contestants_are_torch_and_a_group_of_their_own():
    contestants = PYPROJECT["dependency-groups"]["contestants"]
    assert PROJECT["optional-dependencies"]["bench"] == [*contestants, "torch==2.13.0"]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: "-".join(each.values()))
def test_every_direct_dependency_is_locked_within_its_bounds(environment):
    found = {lock.stem: pins(lock, environment) for lock in LOCKS}
    for requirements, locks in ASKED:
        for requirement in map(Requirement, requirements):
            there = requirement.marker is None or requirement.marker.evaluate(dict(environment))
            for lock in locks if there and requirement.name != "rnnexp" else []:
                version = found[lock][canonicalize_name(requirement.name)]
                assert version in requirement.specifier, f"{lock}.txt: {requirement}"


def test_locks_agree_with_each_other():
    versions: dict[str, set[Version]] = {}
    # Ray's launcher needs a cloudpickle of its own, and what follows from that.
    for lock in (lock for lock in LOCKS if lock.stem != "ray"):
        for name, version in pins(lock).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_torch_is_the_build_without_cuda():
    torch = pins(ROOT / "requirements/torch.txt")
    assert torch["torch"].local == "cpu"
    assert not [name for name in torch if name.startswith(("nvidia", "triton", "cuda"))]


def test_every_imported_package_is_a_direct_dependency():
    everything = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"]]
    asked = {canonicalize_name(Requirement(text).name) for text in everything}
    distributions = metadata.packages_distributions()
    for name, path in imported_packages().items():
        if name not in ("torch", "IPython"):  # an optional comparison; what a notebook has imported
            providers = {canonicalize_name(provider) for provider in distributions[name]}
            assert providers & asked, f"{path.relative_to(ROOT)} imports {name}"


def test_the_lab_is_what_its_extra_brings():
    asked = {canonicalize_name(Requirement(text).name) for text in PROJECT["optional-dependencies"]["lab"]}
    distributions = metadata.packages_distributions()
    brought = {name: {canonicalize_name(provider) for provider in distributions[name]} for name in LAB}
    assert {name for name, providers in brought.items() if not providers & asked} == set()
    assert set.union(*brought.values()) >= asked


def test_citation_and_changelog_carry_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_pre_commit_runs_what_ci_runs_and_fetches_nothing():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = repository["hooks"]
    assert (repository["repo"], hook["language"]) == ("local", "system")
    assert hook["entry"] in (ROOT / ".ci/run").read_text().splitlines()
