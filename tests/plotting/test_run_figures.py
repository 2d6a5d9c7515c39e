"""The figures of a run from a folder that holds its arrays and its name, and nothing else."""

import functools
import json

import numpy as np
import pytest
from matplotlib.image import imread

from rnnexp.plotting.run_figures import FORMATS, catalogue, draw_figures, read_run
from rnnexp.runtime.checks import ArgumentError

T, H, N = 9, 4, 20


def look(name, scale):
    curve = scale * np.linspace(-1, 0, T)
    return {
        f"{name}_log_norm": curve,
        f"{name}_lag_log_norm": curve[::-1],
        f"{name}_sigma_max": np.float64(scale),
        f"{name}_sensitivity_log_norm": curve[::-1],
        f"{name}_sensitivity_lag_95": np.float64(3),
        f"{name}_eigenvalues": scale * np.exp(2j * np.pi * np.arange(H) / H),
        **{f"{name}_{field}": np.outer(curve, np.arange(5)) for field in QUANTILES},
        **{f"{name}_{field}": np.abs(curve) for field in SHARES},
        **{f"{name}_{rate}": np.float64(-0.1 * scale) for rate in RATES},
    }


QUANTILES = ("pre_activation_quantiles", "state_quantiles")
SHARES = ("saturated", "dead", "effective_rank", "participation_ratio")
RATES = (
    *("rate", "rate_low", "rate_high"),
    *("theory_rate", "theory_rate_measured_slopes", "theory_rate_bound"),
)


def arrays(**changes):
    scalars = {"floor_loss": 0.2, "clip_threshold": np.nan, "gated": False, "loss_unit": "nats"}
    return {
        "steps": np.arange(N),
        "loss": np.linspace(1, 0.1, N),
        "log_norms": np.ones((N, T)),
        "global_norm": np.ones(N),
        "clipped_norm": np.ones(N),
        "validation_steps": np.array([N]),
        "validation_loss": np.array([0.3]),
        "spectrum_steps": np.array([0, N - 1]),
        "spectral_radius": np.ones(2),
        "nonnormality": np.zeros(2),
        "singular_values": np.ones((2, H)),
        "diverged_at": np.int64(-1),
        "end_step": np.int64(N - 1),
        **scalars,
        **look("start", 1.0),
        **look("end", 2.0),
        **changes,
    }


NOT_ASKED_FOR = ("log_norms", "start_lag_log_norm", "start_saturated", "start_sensitivity_log_norm")
"""Arrays of the heatmap, the lags, the states and the sensitivity, which are not drawn without them."""


def draw_run(folder, into=None, form="png"):
    return draw_figures(read_run(folder), into or folder / "figures", form)


def write_folder(path, name="tanh-T9-s0", lacking=(), **changes):
    kept = {key: value for key, value in arrays(**changes).items() if key not in lacking}
    np.savez(path / "gradient_flow.npz", **kept)
    (path / "run.json").write_text(json.dumps({"name": name}))
    return path


@pytest.fixture
def folder(tmp_path):
    """Write the folder of a run."""
    return functools.partial(write_folder, tmp_path)


def test_the_folder_is_enough_for_every_figure(folder, tmp_path):
    paths, lacking = draw_run(folder(), tmp_path / "png")
    assert paths == [tmp_path / "png" / f"{name}.png" for name in catalogue()]
    assert lacking == {} and all(imread(path).size > 10_000 for path in paths)


def test_the_name_of_the_run_stands_on_every_figure(folder, tmp_path):
    paths, _ = draw_run(folder(), tmp_path / "svg", "svg")
    assert [path.stem for path in paths] == catalogue()
    assert all("tanh-T9-s0" in path.read_text() for path in paths)


@pytest.mark.parametrize("form", FORMATS)
def test_the_format_is_the_suffix(folder, form):
    lacking = (*NOT_ASKED_FOR, "loss", "start_log_norm", "start_eigenvalues")
    (path,) = draw_run(folder(lacking=lacking), form=form).paths
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert path.name == f"spectrum_history.{form}" and path.read_bytes().startswith(starts[form])


def test_what_the_arrays_say_is_seen(folder, tmp_path):
    said = {"diverged_at": np.int64(7), "clip_threshold": 0.5, "clipped_norm": np.full(N, 0.5)}
    run = folder(lacking=NOT_ASKED_FOR, gated=True, **said)
    text = {path.stem: path.read_text() for path in draw_run(run, tmp_path / "out", "svg").paths}
    for word in ("diverged at step 7", "threshold 0.5", "before clipping", "loss (nats)", "guess 0.2"):
        assert word in text["loss"]
    assert (
        "block of the candidate" in text["spectrum"] and "block of the candidate" in text["spectrum_history"]
    )
    assert "−0.2000 [−0.2000, −0.2000]" in text["gradient_profile"]  # of the end


def test_without_training_there_is_only_the_start(folder, tmp_path):
    nothing = {name: np.zeros(0) for name in ("steps", "loss", "global_norm", "clipped_norm")}
    run = folder(**nothing, end_step=np.int64(0))
    text = {path.stem: path.read_text() for path in draw_run(run, tmp_path / "out", "svg").paths}
    assert set(text) == {"gradient_profile", "lags", "states", "spectrum", "sensitivity"}
    assert all("before" in each and "after" not in each for each in text.values())


def test_no_recurrent_kernel_omits_only_the_spectrum_figures(folder):
    none = {"spectral_radius": np.zeros(0), "nonnormality": np.zeros(0), "singular_values": np.zeros((0, H))}
    run = folder(lacking=["start_eigenvalues", "end_eigenvalues"], spectrum_steps=np.zeros(0), **none)
    assert draw_run(run).lacking == {"spectrum": "start_eigenvalues", "spectrum_history": "singular_values"}


def test_an_older_run_has_the_figures_that_its_arrays_allow(folder):
    run = folder(lacking=["start_saturated", "end_rate", "diverged_at"])
    paths, lacking = draw_run(run)
    assert lacking == {
        "loss": "diverged_at",
        "gradient_profile": "end_rate",
        "states": "start_saturated",
    }
    assert {path.stem for path in paths} == {*catalogue()} - lacking.keys()
    assert sorted(path.stem for path in (run / "figures").iterdir()) == sorted(path.stem for path in paths)


def test_a_damaged_file_draws_nothing(folder):
    run = folder()
    (run / "gradient_flow.npz").write_bytes(b"PK")
    with pytest.raises(ArgumentError, match=r"^gradient_flow\.npz: "):
        draw_run(run)
    assert not (run / "figures").exists()
