"""What the README says is so: its code runs, its commands compose, every goal that is missed is named."""

import json
import re
import shlex
from pathlib import Path

import hydra
import pytest

from benchmarks import goals
from rnnexp import cli

ROOT = Path(__file__).parents[1]
RESULT = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every `python run.py ...` of the README, and every ARGS of `make run`."""
    typed = re.findall(r"python run\.py((?: [^`\s#]+)+)", README)
    return [*typed, *re.findall(r'make run ARGS="([^"]+)"', README)]


def test_it_is_short():
    lines = README.splitlines()
    # Rows of a table are looked up, not read.
    assert len([line for line in lines if not line.startswith("|")]) < 130
    assert len(lines) < 170


def test_its_code_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(code, {})
    assert "(50,)" in capsys.readouterr().out


@pytest.mark.parametrize("command", [command for command in commands() if " --" not in f" {command}"])
def test_its_commands_are_accepted(command):
    cli.check(shlex.split(command))


def test_there_are_commands():
    assert len(commands()) >= 5


def test_readme_defaults_are_those_of_the_configuration():
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = hydra.compose("config", return_hydra_config=True)
    row = re.search(r"\| `seq_len` `units` `batch_size` `steps` `seed` \| (.*) \|", README)
    assert row is not None
    keys = ("seq_len", "units", "batch_size", "steps", "seed")
    assert [int(value) for value in row.group(1).split(",")] == [config[key] for key in keys]
    for group in ("task", "cell", "init", "clip", "optimizer", "tracking"):
        first = re.search(rf"\| `{group}` \| (\w+)", README)
        assert first is not None
        assert first.group(1) == config.hydra.runtime.choices[group]


def test_every_choice_of_every_group_is_in_its_table():
    for group in ("task", "cell", "init", "clip", "optimizer", "tracking"):
        row = re.search(rf"\| `{group}` \| (.*) \|", README)
        assert row is not None
        for path in (ROOT / "conf" / group).glob("*.yaml"):
            assert re.search(rf"\b{path.stem}\b", row.group(1)), f"{group}={path.stem}"


def test_every_file_that_it_links_is_there():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file()


def test_every_goal_that_is_missed_is_named_with_its_reason():
    section = README.partition("## Speed")[2].partition("\n## ")[0]
    for goal, _, met in goals.judge(RESULT):
        assert met or re.search(rf"\| {re.escape(goal.comparison)} \|.*\|.*\| \S.* \|", section)
