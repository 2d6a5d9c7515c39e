"""The README's table of what learns is that of the committed results."""

import importlib.util
from pathlib import Path

import pytest

from rnnexp.runs.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "experiments" / "what_learns"


def loaded(name):
    spec = importlib.util.spec_from_file_location(f"what_learns_{name}", STUDY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


measure, table = loaded("measure"), loaded("table")


def test_the_readme_shows_the_table_of_the_results():
    lines = list(table.lines())
    assert len(lines) == 2 + len(measure.COMMANDS)
    assert "\n".join(lines) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_has_its_results():
    done = [(row["command"], int(row["seed"])) for row in measure.read(STUDY / "results.csv")]
    assert done == [(command, seed) for command, seeds in measure.COMMANDS.items() for seed in seeds]


@pytest.mark.parametrize("learning", ["solved", "at_chance"])
def test_a_row_is_what_the_run_recorded(tmp_path, learning):
    folder = RunFolder(tmp_path)
    verdicts = {"verdict.gradient_start": "stable", "verdict.gradient": "vanishing"}
    folder.update(verdicts=verdicts | {"verdict.learning": learning})
    lines = ["key,value,step,timestamp", "val/error,0.9,0,1", "val/error,0.25,5,2"]
    lines += ["grad/spike_step,3,5,2", "grad/global_norm_max,12345.0,5,2"]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    row = measure.row("seq_len=9", 1, folder)
    assert (row["start"], row["end"], row["error"]) == ("stable", "vanishing", "0.2500")
    spiked = (3, "1.2e+04") if learning == "at_chance" else ("", "")  # a solved task has nothing to explain
    assert (row["spike_step"], row["spike_norm"]) == spiked


def test_rows_are_written_in_the_order_of_the_commands(tmp_path):
    first, second, *_ = measure.COMMANDS
    rows = [dict.fromkeys(measure.FIELDS, "x") | {"command": name, "seed": 0} for name in (second, first)]
    measure.write(tmp_path / "table.csv", rows)
    assert [row["command"] for row in measure.read(tmp_path / "table.csv")] == [first, second]
    assert measure.read(tmp_path / "none.csv") == []


def test_what_was_found_is_said_in_words():
    solved = {"learning": "solved", "error": "0.0052", "spike_step": "", "spike_norm": ""}
    assert table.found([solved, solved | {"error": "0.0025"}]) == "solved: 0.52, 0.25 % wrong"
    assert table.found([solved, solved | {"learning": "at_chance"}]) == "solved/at chance: 0.52, 0.52 % wrong"
    spiked = solved | {"learning": "at_chance", "spike_step": "831", "spike_norm": "9.8e+15"}
    assert table.found([spiked]) == "at chance: the gradient jumped to 9.8e+15 at step 831"
    assert table.found([solved | {"learning": "diverged", "error": ""}]) == "diverged"
