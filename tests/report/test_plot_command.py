import json
from typing import Any

import numpy as np
import pytest

from rnnexp.report.plot_command import main


@pytest.fixture
def run(tmp_path):
    """The folder of a run with what one figure needs."""
    folder = tmp_path / "run"
    folder.mkdir()
    np.savez(folder / "gradient_flow.npz", steps=np.arange(4), log_norms=np.zeros((4, 5)))
    (folder / "run.json").write_text(json.dumps({"name": "tanh-T5-s0"}))
    return folder


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF"), ("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_suffix_is_the_format(run, tmp_path, capsys, suffix, start):
    out = tmp_path / "new" / f"a.{suffix}"
    assert main([str(run), "gradient_heatmap", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(start)
    assert capsys.readouterr().out == f"figure  {out}\n"


def test_scores_at_other_lengths_are_a_figure_too(run, tmp_path):
    arrays: dict[str, Any] = {"steps": np.arange(4), "lengths": [10, 50], "trained_lengths": [5, 5]}
    arrays |= {"length_error": [0.1, 0.7], "length_floor_error": [0.8, 0.8], "length_loss": [0.2, 1.0]}
    arrays |= {"length_loss_half_width": [0.01, 0.01], "length_floor_loss": [1.3, 1.3]}
    np.savez(run / "gradient_flow.npz", **arrays, criterion=np.nan, loss_unit="nats")
    assert main([str(run), "lengths", "--out", "a.svg"]) == 0
    assert "Scores at other lengths" in (tmp_path / "a.svg").read_text()


def test_a_sweep_is_named_by_its_id_or_its_folder(write_sweep, tmp_path):
    sweep = write_sweep(tmp_path / "outputs", clips=("none",), seeds=(0,))
    assert main(["sweep-1", "rate", "--where", str(sweep), "--out", "a.svg"]) == 0
    folder = sweep / "sweeps" / "sweep-1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.json").write_text(json.dumps({"store": "none"}))
    assert main([str(folder), "rate", "--out", "b.svg"]) == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    text = (tmp_path / "a.svg").read_text()
    assert text.count(">\N{MINUS SIGN}0.2000<") >= 2  # tanh's rate, at two lengths
    assert main([str(folder)]) == 0
    assert (tmp_path / "success.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("figure", "out", "said"),
    [
        ("nosuch", "a.pdf", "figure: expected one of loss, gradient_heatmap, "),
        ("loss", "a.pdf", "figure: expected one that the run has the arrays of (it has no diverged_at)"),
        ("lengths", "a.pdf", "figure: expected one that the run has the arrays of (it has no lengths)"),
        ("gradient_heatmap", "a.jpg", "--out: expected a file that ends in .png or .svg or .pdf"),
        ("gradient_heatmap", "run/gradient_flow.npz/a.pdf", "--out: expected a file that can be written"),
    ],
)
def test_what_is_wrong_takes_one_sentence(run, capsys, figure, out, said):
    assert main([str(run), figure, "--out", out]) == 2
    printed, error = capsys.readouterr()
    assert printed == "" and error.startswith(f"python run.py plot: {said}") and error.count("\n") == 1


def test_a_sweep_has_figures_of_its_own(sweep, capsys):
    assert main(["sweep-1", "lags", "--where", str(sweep)]) == 2
    assert "figure: expected one of success, rate, ratio, loss, clip" in capsys.readouterr().err


def test_runs_that_were_not_clipped_have_no_figure_of_that(write_sweep, tmp_path, capsys):
    sweep = write_sweep(tmp_path / "outputs", clips=("none",), seeds=(0,))
    assert main(["sweep-1", "clip", "--where", str(sweep)]) == 2
    said = "figure: expected one that these runs have: success, rate, ratio, loss, received 'clip'"
    assert said in capsys.readouterr().err


def test_the_newest_sweep_is_meant_where_none_is_named(write_sweep, tmp_path):
    sweep = write_sweep(tmp_path / "outputs", clips=("none",), seeds=(0,))
    assert main(["sweep-1", "rate", "--where", str(sweep), "--out", "named.svg"]) == 0
    assert main(["rate", "--where", str(sweep), "--out", "newest.svg"]) == 0
    assert (tmp_path / "named.svg").read_bytes() == (tmp_path / "newest.svg").read_bytes()
    assert main(["--where", str(sweep)]) == 0
    assert (tmp_path / "success.pdf").read_bytes().startswith(b"%PDF")


def test_help_names_every_figure(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert ", lengths, or the figure of its task" in said
    assert "phase diagram of: success, rate, ratio, loss, clip" in said
