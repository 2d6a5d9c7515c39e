"""The Dockerfile and .dockerignore hold what any base image and a run by any user need."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


class Instruction(NamedTuple):
    name: str
    value: str


def instructions(text: str) -> list[Instruction]:
    """Dockerfile text -> its instructions, comments dropped and continued lines joined."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", " ", code)
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def excluded(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore keeps `path` out: the last pattern that names it or a folder above it decides."""
    names = [path, *(str(parent) for parent in Path(path).parents)]
    verdict = False
    for pattern in patterns:
        bare = pattern.removeprefix("!").replace("**/", "*")
        if any(fnmatchcase(name, bare) or fnmatchcase(name, bare.removeprefix("*")) for name in names):
            verdict = not pattern.startswith("!")
    return verdict


def stages(build: list[Instruction]) -> list[list[Instruction]]:
    starts = [i for i, instruction in enumerate(build) if instruction.name == "FROM"]
    return [build[i:j] for i, j in zip(starts, [*starts[1:], len(build)], strict=True)]


BUILD = instructions((ROOT / "Dockerfile").read_text())
FINAL = stages(BUILD)[-1]
IGNORED = [
    line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
]
# What COPY takes from the project, not from another stage; ${LOCK} stands for either lock.
SOURCES = [
    source.replace("${LOCK}", lock)
    for name, value in BUILD
    if name == "COPY" and "--from" not in value
    for source in value.split()[:-1]
    for lock in ("run", "gpu")
]


def values(build: list[Instruction], name: str) -> list[str]:
    return [instruction.value for instruction in build if instruction.name == name]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for value in values(FINAL, "ENV") for pair in value.split())


def test_base_image_is_an_argument_of_the_whole_build():
    assert BUILD[0] == Instruction("ARG", "BASE_IMAGE=python:3.11-slim-bookworm")


def test_every_stage_starts_from_the_base_or_an_earlier_stage():
    allowed = {"${BASE_IMAGE}"}
    for start in values(BUILD, "FROM"):
        image, *alias = re.split(r"\s+AS\s+", start)
        assert image in allowed
        allowed.update(alias)
    assert len(values(BUILD, "FROM")) > 1


def test_packages_come_from_a_lock_with_hashes():
    (install,) = [value for value in values(BUILD, "RUN") if "pip" in value]
    assert "--require-hashes -r" in install
    assert "ARG LOCK=run" in [" ".join(instruction) for instruction in BUILD]


def test_python_is_called_python3():
    commands = [word for value in values(BUILD, "RUN") for word in re.findall(r"(?:^|&&\s*)(\S+)", value)]
    assert "python3" in commands
    assert not {"python", "pip"} & {Path(command).name for command in commands}


def test_entrypoint_is_in_exec_form_and_runs_a_copied_file():
    (entrypoint,) = values(FINAL, "ENTRYPOINT")
    assert json.loads(entrypoint) == ["python3", "/app/run.py"]
    assert "run.py /app/run.py" in values(FINAL, "COPY")
    assert not values(FINAL, "CMD")


def test_user_is_a_number_other_than_root():
    (user,) = values(FINAL, "USER")
    assert all(part.isdigit() and int(part) > 0 for part in user.split(":"))
    assert FINAL.index(Instruction("USER", user)) > max(
        i for i, (name, _) in enumerate(FINAL) if name == "RUN"
    )


def test_what_a_run_writes_has_a_place_open_to_any_user():
    (workdir,) = values(FINAL, "WORKDIR")
    assert any(f"install -d -m 1777 {workdir}" in value for value in values(FINAL, "RUN"))
    settings = environment()
    assert settings["MLFLOW_TRACKING_URI"].startswith(f"sqlite:///{workdir}/")
    assert settings["HOME"] == "/tmp"
    assert settings["MPLCONFIGDIR"].startswith("/tmp/")
    assert settings["PYTHONUNBUFFERED"] == "1"


def test_packages_are_found_first_on_the_path():
    assert environment()["PATH"].split(":")[0] == "/opt/venv/bin"
    assert "--from=packages /opt/venv /opt/venv" in values(FINAL, "COPY")


@pytest.mark.parametrize("source", sorted(set(SOURCES)))
def test_what_is_copied_exists_and_is_let_in(source):
    assert (ROOT / source).exists()
    assert not excluded(source, IGNORED)


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "mlflow.db",
        "outputs/run.log",
        "requirements/dev.txt",
        "rnnexp/__pycache__/scan.cpython-311.pyc",
        "tests/test_container.py",
    ],
)
def test_what_no_run_reads_is_kept_out(path):
    assert excluded(path, IGNORED)


def test_excluded_lets_the_last_pattern_decide():
    assert excluded("a/b", ["*", "!a", "a/b"])
    assert not excluded("a/b", ["*", "!a"])
    assert not excluded("a/b", [])


def test_instructions_joins_lines_and_drops_comments():
    assert instructions("# note\nRUN a \\\n  && b\n\nUSER 1\n") == [("RUN", "a    && b"), ("USER", "1")]
