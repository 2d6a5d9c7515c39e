from pathlib import Path

import pytest

from rnnexp.optim import clipping
from rnnexp.optim.clipping import GlobalNorm
from rnnexp.runs import composition
from rnnexp.runs.build import compose_job
from rnnexp.runs.menu import CONF, MENU, Menu
from rnnexp.runtime.checks import ArgumentError

TIGHT = "_target_: rnnexp.clipping.GlobalNorm\nthreshold: 0.1\n"


@pytest.fixture
def added(tmp_path):
    """A folder with one more clip, and an experiment that takes it."""
    (tmp_path / "conf" / "clip").mkdir(parents=True)
    (tmp_path / "conf" / "experiment").mkdir()
    (tmp_path / "conf" / "clip" / "tight.yaml").write_text(TIGHT)
    experiment = "# @package _global_\ndefaults:\n  - override /clip: tight\nunits: 5\n"
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(experiment)
    return tmp_path / "conf"


def test_the_package_has_a_menu_of_its_own():
    assert MENU.options("clip") == sorted(clipping.CATALOGUE)
    assert MENU.flags == ()
    assert MENU.fields("clip", "norm").threshold == 1.0
    assert MENU.search_path() is None


def test_a_folder_adds_to_the_menu_and_hides_nothing_of_it(added):
    menu = Menu(added=added)
    assert menu.options("clip") == sorted([*clipping.CATALOGUE, "tight"])
    (added / "clip" / "norm.yaml").write_text("_target_: rnnexp.clipping.NoClip\n")
    assert menu.fields("clip", "norm")["_target_"] == "rnnexp.clipping.Norm"
    assert menu.flags == (f"--config-dir={added}",)
    job = compose_job(["experiment=mine", "tracking=none"], menu)
    assert (job.plan.clip, job.plan.units, job.choices["clip"]) == (GlobalNorm(0.1), 5, "tight")


def test_a_file_that_has_changed_is_read_again(added):
    menu, file = Menu(added=added), added / "experiment" / "mine.yaml"
    for units in (5, 6):
        file.write_text(f"# @package _global_\nunits: {units}\n")
        # An override leaves no trace in what is kept of the files.
        assert menu.compose(["experiment=mine", "units=7"]).units == 7
        assert menu.compose(["experiment=mine"]).units == units


def test_a_search_path_adds_to_the_menu(added):
    typed = f"hydra.searchpath=[file://{added}]"
    assert MENU.options("clip", [typed]) == sorted([*clipping.CATALOGUE, "tight"])
    assert compose_job([typed, "clip=tight", "tracking=none"]).plan.clip == GlobalNorm(0.1)


def test_a_configuration_of_ones_own(added):
    (added / "own.yaml").write_text("defaults:\n  - config\n  - _self_\nseq_len: 7\n")
    menu = Menu(added=added, name="own")
    assert menu.flags == ("--config-name=own", f"--config-dir={added}")
    assert compose_job(["tracking=none"], menu).plan.task.seq_len == 7


def test_another_folder_is_a_menu_of_its_own(tmp_path):
    menu = Menu(folder=tmp_path)
    assert menu.flags == (f"--config-path={tmp_path}",)
    with pytest.raises(ArgumentError, match="configuration: expected values that can be composed, received "):
        composition.compose([], menu)


def test_what_is_wrong_names_the_choices_of_the_whole_menu(added):
    with pytest.raises(ArgumentError, match="^clip: expected one of agc, .*, tight, value, zclip, "):
        composition.compose(["clip=loose"], Menu(added=added))
    with pytest.raises(
        ArgumentError, match="to come with clip=global_norm or clip=norm or clip=pascanu or clip=tight"
    ):
        composition.compose(["clip.threshold=1"], Menu(added=added))


def test_the_folder_is_that_of_the_project():
    assert Path(__file__).parents[2] / "conf" == CONF
