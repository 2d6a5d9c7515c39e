import json
from pathlib import Path

import pytest

from rnnexp import treat
from rnnexp.runs.build import compose_job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError


@pytest.fixture
def stuck(tmp_path):
    folder = RunFolder.create(tmp_path, "stuck")
    typed = ["activation=relu", "clip=value", "name=stuck", "seed=4"]
    remedies = [["clip=global_norm", "clip.threshold=0.5"], ["cell=lstm"], ["steps=9"], ["units=128"]]
    folder.update(overrides=typed, seed=4, remedies=remedies)
    return folder.path


class Launcher:
    """Takes down what is launched, and ends its runs with given verdicts."""

    def __init__(self, *verdicts):
        self.commands = []
        self._verdicts = list(verdicts)

    def __call__(self, arguments):
        self.commands.append(list(arguments))
        (out,) = [each.partition("=")[2] for each in arguments if each.startswith("output_dir=")]
        for verdict in self._verdicts.pop(0):
            RunFolder.create(Path(out), "run").update(verdicts={"verdict.learning": verdict})


def test_the_first_three_are_run_with_the_seed_and_the_next_two(stuck):
    launch = Launcher(["solved"] * 3, ["at_chance", "solved", "diverged"], [])
    found = list(treat.treat(stuck, 3, launch))
    assert [(tried.solved, tried.runs) for tried in found] == [(3, 3), (1, 3), (0, 3)]
    first, second, _ = launch.commands
    assert first[:3] == ["-m", "activation=relu", "clip=global_norm"]
    assert "seed=4,5,6" in first and "clip=value" not in first and not any("name=" in each for each in first)
    assert "treat=false" in first
    assert {"clip=value", "cell=lstm"} <= set(second)
    for command in launch.commands:
        compose_job([each.replace("4,5,6", "4") for each in command[1:]])


def test_what_worked_is_said_with_counts_and_kept(stuck, capsys):
    assert treat.main([str(stuck)], Launcher(["solved"] * 3, ["at_chance", "solved"], [])) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "3 of 3 solved: clip=global_norm clip.threshold=0.5",
        "1 of 3 solved: cell=lstm (others: at chance)",
        "0 of 3 solved: steps=9",
    ]
    kept = json.loads((stuck / "treatment.json").read_text())["tried"]
    assert [each["verdicts"] for each in kept] == [["solved"] * 3, ["at_chance", "solved"], []]


def test_a_run_that_recommends_nothing_is_told_so(stuck, capsys):
    RunFolder(stuck).update(remedies=[])
    treat.report([RunFolder(stuck)], 3, Launcher())
    assert capsys.readouterr().out == "treat       nothing, as the run recommends nothing\n"
    assert not (stuck / "treatment.json").exists()


def test_a_treated_run_is_typed_as_before(stuck):
    RunFolder(stuck).update(overrides=["activation=relu", "treat=true"], remedies=[["cell=lstm"]])
    launch = Launcher(["solved"])
    list(treat.treat(stuck, 1, launch))
    (command,) = launch.commands
    assert [each for each in command if each.startswith("treat=")] == ["treat=false"]


def test_a_run_without_recommendations_is_refused(tmp_path, capsys):
    with pytest.raises(ArgumentError, match="RUN: expected the folder of a run that recommends something"):
        list(treat.treat(tmp_path, 3, Launcher()))
    assert treat.main([str(tmp_path)]) == 2
    sentence = "python run.py treat: RUN: expected the folder of a run that recommends something, received "
    assert capsys.readouterr().err.startswith(sentence)
