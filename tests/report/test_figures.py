"""`python -m rnnexp.report` of one run."""

import json

import numpy as np
import pytest

from rnnexp.report.command import main
from rnnexp.tracking import MlflowTracker, ensure_store

N, T, H = 4, 5, 2


@pytest.fixture
def run(tmp_path):
    """The folder of an older run, with what two of the figures need."""
    folder = tmp_path / "run"
    folder.mkdir()
    np.savez(
        folder / "gradient_flow.npz",
        steps=np.arange(N),
        log_norms=np.zeros((N, T)),
        spectrum_steps=np.array([0, 2]),
        spectral_radius=np.ones(2),
        nonnormality=np.zeros(2),
        singular_values=np.ones((2, H)),
        gated=np.bool_(False),
    )
    (folder / "run.json").write_text(json.dumps({"name": "tanh-T5-s0"}))
    return folder


def drawn(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_older_arrays_lack_is_one_sentence(run, capsys):
    assert main([str(run)]) == 0
    figures, lacking = capsys.readouterr().out.splitlines()
    assert figures == f"figures  {run / 'figures'}: gradient_heatmap.png, spectrum_history.png"
    assert lacking.startswith("not drawn, as the run does not have the arrays: ")
    assert "loss (no diverged_at)" in lacking and "sensitivity (no end_step)" in lacking
    assert drawn(run / "figures") == ["gradient_heatmap.png", "spectrum_history.png"]


def test_out_and_format_are_chosen(run, tmp_path):
    assert main([str(run), "--out", str(tmp_path / "new" / "out"), "--format", "pdf"]) == 0
    assert drawn(tmp_path / "new" / "out") == ["gradient_heatmap.pdf", "spectrum_history.pdf"]
    assert not (run / "figures").exists()


@pytest.mark.parametrize(("asked", "suffix"), [("none", "png"), ("svg", "svg")])
def test_the_format_is_that_of_the_run(run, asked, suffix):
    (run / "config.yaml").write_text(f"figures: {{format: {asked}}}\n")
    assert main([str(run)]) == 0
    assert drawn(run / "figures") == [f"gradient_heatmap.{suffix}", f"spectrum_history.{suffix}"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: (run / "gradient_flow.npz").write_bytes(b"PK"), "expected the arrays of a run ("),
        (lambda run: (run / "gradient_flow.npz").unlink(), "expected the folder of a run, which holds"),
        (lambda run: np.savez(run / "gradient_flow.npz", steps=np.arange(3)), "older runs do not have"),
        (lambda run: (run / "config.yaml").write_text("{"), "config.yaml: expected a configuration"),
        (lambda run: (run / "config.yaml").write_text("figures: {format: gif}"), "figures.format: expected"),
    ],
    ids=["damaged", "gone", "too old", "no configuration", "no format"],
)
def test_what_cannot_be_drawn_is_one_sentence_and_exit_2(run, capsys, change, said):
    change(run)
    assert main([str(run)]) == 2
    out, error = capsys.readouterr()
    assert out == "" and said in error
    assert error.startswith("python run.py report: ") and error.count("\n") == 1


def test_a_place_that_cannot_be_written_is_one_sentence(run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([str(run), "--out", str(tmp_path / "file")]) == 2
    assert "--out: expected a folder that can be written" in capsys.readouterr().err


def test_a_format_is_of_a_run(capsys):
    assert main(["--format", "pdf"]) == 2
    assert "--format: expected a run's folder or id beside it" in capsys.readouterr().err


@pytest.fixture
def recorded(run, tracking_uri, monkeypatch):
    """The id of a run in MLflow whose arrays are an artifact; its folder is where the tag says."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)

    def record(folder):
        tracker = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "tanh-T5-s0")
        tracker.params({"seed": 0, "activation": "tanh", "task": "adding"})
        tracker.tags({"config_hash": "a", "group_hash": "a", "run_folder": folder})
        tracker.artifact(run / "gradient_flow.npz")
        tracker.end("FINISHED")
        return tracker.run_id

    return record


def test_the_id_of_a_run_draws_in_its_folder(recorded, run):
    assert main([recorded(run)]) == 0
    assert drawn(run / "figures") == ["gradient_heatmap.png", "spectrum_history.png"]


def test_of_a_folder_elsewhere_the_artifact_is_drawn(recorded, tmp_path, capsys):
    assert main([recorded(tmp_path / "gone"), "--out", str(tmp_path / "out")]) == 0
    assert str(tmp_path / "out") in capsys.readouterr().out
    assert drawn(tmp_path / "out") == ["gradient_heatmap.png", "spectrum_history.png"]


def test_an_id_of_no_run_is_refused(recorded, tmp_path, capsys):
    recorded(tmp_path)
    assert main(["0" * 32]) == 2
    assert "0" * 32 in capsys.readouterr().err
