import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from drawn_arrays import draw_heatmap, draw_loss, draw_spectrum, draw_spectrum_history
from matplotlib.image import imread

from rnnexp import plotting
from rnnexp.plotting import style
from rnnexp.probes import measure_states
from rnnexp.runtime.checks import ArgumentError

ROOT = Path(__file__).parents[2]
NAN = np.full(30, np.nan)
STEPS = np.arange(30) * 1000
LONG_TITLE = "characters T=300 sigmoid gaussian global_norm adam seed=12, and it costs 1 $ and 2 $ a_b"


def heatmap_values():
    values = np.random.default_rng(0).normal(size=(30, 12))
    values[3:5], values[:, :4] = np.nan, -np.inf
    return values


def states_of(steps, growth=1.0):
    states = np.random.default_rng(0).normal(size=(steps, 4, 5)) * growth ** np.arange(steps)[:, None, None]
    return vars(measure_states(states, states, np.abs(states)))


FIGURES: dict[str, tuple[Callable[..., None], tuple, dict[str, Any]]] = {
    "heatmap": (draw_heatmap, (STEPS, heatmap_values()), {}),
    "heatmap_without_a_number": (draw_heatmap, (STEPS, np.full((30, 5), np.inf)), {}),
    "heatmap_of_one_step": (draw_heatmap, ([7], np.zeros((1, 1))), {}),
    "profile": (
        plotting.gradient_profile,
        (np.where(np.arange(300) < 99, -np.inf, 0.0), np.where(np.arange(300) < 9, np.inf, 0.0)),
        {
            "rate": -0.1234,
            "rate_low": -0.2345,
            "rate_high": -0.0123,
            "predicted_rate": -9.1,
            "rate_bound": 10.1,
        },
    ),
    "profile_of_nothing": (plotting.gradient_profile, (NAN, np.full(30, -np.inf)), {"rate": np.nan}),
    "profile_of_one_step": (plotting.gradient_profile, ([-3.0],), {}),
    "loss": (
        draw_loss,
        (STEPS, np.where(STEPS < 20_000, 0.1 + 1 / (1 + STEPS), np.nan), 1 / 6),
        {
            "validation_steps": STEPS[::5],
            "validation_loss": np.full(6, 0.2),
            "loss_unit": "squared error",
            "global_norm": np.arange(30.0),
            "clipped_norm": np.minimum(np.arange(30.0), 1),
            "clip_threshold": 1.0,
            "diverged_at": 20_000,
        },
    ),
    "loss_without_a_number": (draw_loss, (STEPS, NAN, 0.1), {"global_norm": NAN, "clipped_norm": NAN}),
    "loss_of_one_step": (draw_loss, ([1], [0.2]), {}),
    "states_that_explode": (plotting.hidden_states, (states_of(30, 2.0), states_of(30, np.nan)), {}),
    "states_of_a_gated_cell": (plotting.hidden_states, (vars(measure_states(np.ones((9, 2, 3)))),), {}),
    "lags": (
        plotting.lag_contributions,
        (
            np.where(STEPS < 20_000, -5.0 * STEPS, -np.inf),
            np.where(STEPS < 20_000, -STEPS, np.nan),
        ),
        {"predicted_rate": -12.3456},
    ),
    "lags_of_nothing": (plotting.lag_contributions, (NAN,), {}),
    "spectra": (
        draw_spectrum_history,
        (STEPS, STEPS / 1e4, np.linspace([3.0, 1, 0.1], [123.0, 9, 0.1], 30), STEPS / 3e4),
        {},
    ),
    "spectra_without_a_number": (draw_spectrum_history, (STEPS, NAN, NAN[:, np.newaxis], NAN), {}),
    "spectrum": (draw_spectrum, (np.exp(1j * STEPS), 1.2345 * np.exp(1j * STEPS), 1000.0), {}),
    "spectrum_without_a_number": (draw_spectrum, (NAN + 0j, NAN + 0j, np.nan), {}),
}


LITTLE = ("_without_a_number", "_of_one_step", "_of_nothing")
"""Figures that are laid out as the fuller ones are."""


@pytest.fixture(params=FIGURES)
def case(request):
    return FIGURES[request.param]


def test_text_is_large_and_inside_and_no_legend_covers_data(draw, case):
    plot, args, kwargs = case
    figure = draw(plot, *args, title=LONG_TITLE, **kwargs)
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    for axes in figure.axes:
        frame = axes.get_window_extent()
        legends = axes.findobj(matplotlib.legend.Legend)
        boxes = [legend.get_window_extent() for legend in legends]
        assert all(box.y0 >= frame.y1 - 3 for box in boxes)
        pairs = [(one, two) for one in boxes for two in boxes if one is not two]
        assert not any(one.overlaps(two) for one, two in pairs)
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 8


def test_the_settings_of_matplotlib_are_as_before(tmp_path):
    plot, args, kwargs = FIGURES["loss"]
    before = dict(matplotlib.rcParams)
    plot(tmp_path / "figure.png", *args, **kwargs)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", [name for name in FIGURES if not name.endswith(LITTLE)])
def test_a_png_is_pixel_by_pixel_what_matplotlib_writes(tmp_path, monkeypatch, name):
    plot, args, kwargs = FIGURES[name]
    plot(tmp_path / "ours.png", *args, title=LONG_TITLE, **kwargs)
    monkeypatch.setattr(style, "_write_png", lambda figure, canvas, path: figure.savefig(path))
    plot(tmp_path / "theirs.png", *args, title=LONG_TITLE, **kwargs)
    ours, theirs = imread(tmp_path / "ours.png"), imread(tmp_path / "theirs.png")
    np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_figure_format_is_the_suffix_and_bytes_repeat(tmp_path, suffix, start):
    plot, args, kwargs = FIGURES["profile"]
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    plot(first, *args, **kwargs)
    plot(second, *args, **kwargs)
    assert first.read_bytes().startswith(start)
    assert first.read_bytes() == second.read_bytes()


def test_text_of_a_vector_file_stays_text(tmp_path):
    plot, args, kwargs = FIGURES["heatmap"]
    plot(tmp_path / "figure.svg", *args, title=LONG_TITLE, **kwargs)
    text = (tmp_path / "figure.svg").read_text()
    assert "training step" in text and "exactly zero" in text


def test_neither_pyplot_nor_tensorflow_is_imported(tmp_path):
    program = (
        "import sys; from rnnexp import plotting;"
        f"plotting.gradient_profile({str(tmp_path / 'figure.png')!r}, [-2.0, -1.0]);"
        "print(sorted({'matplotlib.pyplot', 'tensorflow', 'keras', 'mlflow', 'pandas'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("steps", [[1], [1, 1], [2, 1], [[1, 2]], []])
def test_steps_must_match_and_increase(steps):
    with pytest.raises(ArgumentError, match=r"^steps: expected .*, received"):
        style.training_steps("steps", steps, 2)


def test_an_empty_array_is_named():
    with pytest.raises(
        ArgumentError, match=r"loss: expected a non-empty array of 1 axes, received 'shape \(0,\)'"
    ):
        style.array("loss", [], 1)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-1.2, 0.4, ["0.1", "0.2", "0.5", "1", "2"]),
        (-40.0, 0.0, ["10⁻⁴⁰", "10⁻³⁰", "10⁻²⁰", "10⁻¹⁰", "1"]),
        (-5.1, -4.2, ["10⁻⁵", "2·10⁻⁵", "5·10⁻⁵"]),
        (2.95, 3.3, ["1000", "1500"]),
        (0.0, 0.02, ["1", "1.01", "1.02", "1.03", "1.04"]),
    ],
)
def test_decades_are_labelled_with_the_numbers_themselves(low, high, labels):
    assert list(style.power_ticks(low, high).values()) == labels


@pytest.mark.parametrize("span", [0.01, 0.3, 0.7, 0.71, 1.99, 2.0, 3.0, 10.0, 400.0])
def test_an_axis_of_decades_has_a_few_ticks_inside(span):
    for low in np.random.default_rng(0).uniform(-400, 400, 200):
        ticks = style.power_ticks(low, low + span)
        assert 1 <= len(ticks) <= 8 and all(low <= tick <= low + span for tick in ticks)
        assert len(set(ticks.values())) == len(ticks)


def test_a_figure_shows_itself_without_pyplot(tmp_path):
    with style.paper_figure(tmp_path / "figure.pdf", (3, 2)) as figure:
        figure.add_subplot().plot([0, 1])
    content = figure._repr_png_()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") == 300  # 3 inches on a screen
