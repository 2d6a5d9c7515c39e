import pytest

from rnnexp.runs.arguments import read_arguments
from rnnexp.runs.menu import CONF, MENU, Menu
from rnnexp.runtime.checks import ArgumentError


def test_overrides_and_flags_are_told_apart_in_any_order(tmp_path):
    found = read_arguments(["seed=0,1", "-m", "~clip", "-cd", str(tmp_path), "+a=1"])
    assert found.overrides == ("seed=0,1", "~clip", "+a=1")
    assert (found.sweeping, found.shown, found.menu) == (True, None, Menu(added=tmp_path))
    assert found.typed == [f"--config-dir={tmp_path}", "--multirun", "seed=0,1", "~clip", "+a=1"]
    assert read_arguments(found.typed) == found


def test_nothing_typed_is_one_run_of_this_menu():
    found = read_arguments([])
    assert (found.overrides, found.sweeping, found.shown, found.menu) == ((), False, None, MENU)
    assert found.typed == []


@pytest.mark.parametrize(
    "flag", ["--config-name=mine", "--config-name=mine.yaml", "-cn=mine", "--config-n=mine"]
)
def test_a_flag_may_be_spelled_as_hydra_takes_it(flag):
    assert read_arguments([flag]).menu == Menu(name="mine")


def test_a_path_is_read_from_the_folder_of_the_program():
    assert read_arguments(["--config-path=conf"]).menu == MENU
    assert read_arguments([f"--config-path={CONF}/clip"]).menu == Menu(folder=CONF / "clip")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "help"),
        (["-h"], "help"),
        (["--hydra-help"], "hydra_help"),
        (["--cfg", "job", "--resolve", "seed=1"], "cfg"),
        (["-c", "all", "-p", "task"], "cfg"),
        (["--info"], "info"),
        (["-i", "defaults"], "info"),
    ],
)
def test_what_hydra_shows(arguments, shown):
    found = read_arguments(arguments)
    assert found.shown == shown
    assert read_arguments(found.typed) == found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--multirum"],
            "--multirum: expected a flag of Hydra with what it takes (python run.py --hydra-help",
        ),
        (["--seed=3"], "--seed: expected a flag of Hydra with what it takes"),
        (["--config-dir"], "--config-dir: expected a flag of Hydra with what it takes"),
        (["--cfg", "jobs"], "--cfg: expected a flag of Hydra with what it takes"),
        (["--config=x"], "flags: expected a flag of Hydra with what it takes"),
        (["--config-dir=/missing"], "--config-dir: expected a folder that is there, received '/missing'"),
        (["--config-path=missing"], "--config-path: expected a folder that is there, received "),
        (
            ["--experimental-rerun=a.pickle"],
            "--experimental-rerun: expected the command itself, as that flag",
        ),
    ],
)
def test_a_wrong_flag_gets_one_sentence(arguments, sentence):
    with pytest.raises(ArgumentError) as refused:
        read_arguments(arguments)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)
