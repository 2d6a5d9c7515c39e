import numpy as np
import pandas as pd
import pytest

from rnnexp.diagnosis.keras_models import GradientFlow, StateFlow
from rnnexp.diagnosis.keras_models.result import window
from rnnexp.probes import measure_gradient

T, B = 40, 8
RATE = -0.2


def state(log_norms, masked=None, go_backwards=False, name="h", **options):
    masked = np.zeros(log_norms.shape, bool) if masked is None else masked
    return StateFlow("layer", name, log_norms, masked, go_backwards, **options)


@pytest.fixture
def geometric():
    """ln ||.|| = level_b + RATE (T - t), (T, B)."""
    return RATE * np.arange(T)[::-1, None] + np.random.default_rng(0).normal(size=B)


def test_rate_ratio_and_verdict_are_those_of_the_probe(geometric):
    flow, probe = state(geometric), measure_gradient(geometric)
    assert flow.rate == pytest.approx(RATE, rel=1e-12)
    assert flow.metrics() == {
        "rate": probe.rate,
        "rate_low": probe.rate_low,
        "rate_high": probe.rate_high,
        "log10_ratio": probe.log10_ratio,
    }
    assert flow.log10_ratio == pytest.approx(RATE * (T - 1) / np.log(10), rel=1e-12)
    assert flow.verdict == "vanishing"
    assert state(geometric, decades=4).verdict == "stable"
    np.testing.assert_allclose(flow.log_norm, probe.log_norm, rtol=1e-12)
    np.testing.assert_allclose(flow.fitted, probe.intercept + probe.rate * np.arange(T)[::-1], rtol=1e-12)


def test_backwards_all_is_mirrored_but_what_was_found(geometric):
    there, back = state(geometric), state(geometric[::-1], go_backwards=True)
    np.testing.assert_array_equal(back.processed, there.processed)
    np.testing.assert_array_equal(back.lag, np.arange(T))
    np.testing.assert_array_equal(there.lag, np.arange(T)[::-1])
    np.testing.assert_array_equal(back.fitted[::-1], there.fitted)
    assert back.metrics() == there.metrics()


def test_masked_steps_are_nan_and_count_nowhere(geometric):
    masked = np.zeros((T, B), bool)
    masked[:10, :3] = masked[:4] = True
    flow = state(np.where(masked, 1e3, geometric), masked)
    np.testing.assert_array_equal(np.isnan(flow.log_norms), masked)
    assert np.isnan(flow.log_norm[:4]).all()
    few = np.log(np.mean(np.exp(2 * geometric[6, 3:]))) / 2
    assert flow.log_norm[6] == pytest.approx(few, rel=1e-12)
    assert flow.window.shape == (T - 10, B)
    assert flow.rate == pytest.approx(RATE, rel=1e-12)
    assert np.isnan(flow.fitted).all()


@pytest.mark.parametrize(
    ("lengths", "shape"),
    [
        ([5, 5, 5], (5, 3)),
        ([9, 1, 1], (9, 1)),
        ([9, 5, 4], (4, 3)),
        ([8, 4, 0], (8, 1)),
        ([6, 5, 0, 0], (5, 2)),
    ],
)
def test_the_window_is_the_largest_rectangle(lengths, shape):
    steps = max(lengths)
    masked = np.arange(steps)[:, None] < steps - np.array(lengths)
    found = window(np.broadcast_to(np.arange(steps, dtype=float)[:, None], masked.shape), masked)
    assert found.shape == shape
    np.testing.assert_array_equal(found[-1], steps - 1)


def test_padding_does_not_change_the_window(geometric):
    short = geometric[:, :1]
    holes = np.zeros((T + 5, 1), bool)
    holes[[0, 7, 8, T + 3, T + 4]] = True
    padded = np.full((T + 5, 1), 7.0)
    padded[~holes] = short[:, 0]
    np.testing.assert_array_equal(window(padded, holes), short)


def test_steps_that_the_loss_does_not_read_are_left_out(geometric):
    unread = geometric.copy()
    unread[-3:] = -np.inf
    flow = state(unread)
    assert flow.window.shape == (T - 3, B)
    assert flow.rate == pytest.approx(RATE, rel=1e-12)
    assert np.isnan(flow.fitted[-3:]).all()
    np.testing.assert_allclose(
        flow.fitted[:-3], np.polyval([RATE, flow.profile.intercept], np.arange(T - 3)[::-1])
    )


def test_samples_too_short_for_the_window_are_left_out(geometric):
    unread, masked = geometric.copy(), np.zeros((T, B), bool)
    unread[-1] = -np.inf
    masked[: T - 1, :2] = True
    assert state(unread, masked).window.shape == (T - 1, B - 2)


def test_zeros_before_the_last_step_and_dead_samples_count(geometric):
    geometric[0] = -np.inf
    geometric[:, 0] = -np.inf
    flow = state(geometric)
    assert flow.window.shape == (T, B)
    assert flow.verdict == "vanishing"
    assert state(np.full((T, B), -np.inf)).verdict == "not_measured"


def test_without_any_step_nothing_reaches_anything(geometric):
    flow = state(geometric, np.ones((T, B), bool))
    np.testing.assert_array_equal(flow.window, [[-np.inf]])
    assert np.isnan(flow.rate)
    assert np.isnan(flow.log_norm).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_taken_for_a_mask(geometric, value):
    geometric[3, 2] = value
    flow = state(geometric)
    assert flow.verdict == "non_finite"
    assert not np.isfinite(flow.log_norm[3])


@pytest.fixture
def both(geometric):
    h, c = state(geometric), state(geometric[::-1], go_backwards=True, name="c")
    return GradientFlow("model", 0.25, {"layer": {"h": h, "c": c}})


def test_the_table_is_tidy(both, geometric):
    table = both.to_frame()
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == ["layer", "state", "step", "lag", "log_norm", "log10_norm"]
    assert len(table) == 2 * T
    assert not table.duplicated(["layer", "state", "step"]).any()
    by_lag = table.pivot(index="lag", columns="state", values="log10_norm")
    np.testing.assert_array_equal(by_lag["h"], by_lag["c"])
    rms = 10 ** table[table.state == "h"].set_index("step").log10_norm
    np.testing.assert_allclose(rms.loc[1], np.sqrt(np.mean(np.exp(2 * geometric[0]))), rtol=1e-12)


def test_metrics_and_verdicts_bear_the_names_of_layer_and_state(both):
    names = ["rate", "rate_low", "rate_high", "log10_ratio"]
    assert list(both.metrics()) == [f"layer/{each}/{name}" for each in "hc" for name in names]
    assert both.verdicts() == {"layer/h": "vanishing", "layer/c": "vanishing"}


def test_it_can_be_read_on_a_terminal(both):
    lines = repr(both).splitlines()
    assert lines[0] == "Gradient flow of model, loss 0.25"
    assert lines[2].split() == [
        "layer",
        "h",
        "40",
        "x",
        "8",
        "-0.2000",
        "[-0.2000,",
        "-0.2000]",
        "-3.39",
        "vanishing",
    ]
    assert len({line.index("verdict"[:1]) for line in lines[1:2]}) == 1
    assert repr(both.states[0]) == "<StateFlow layer h 40 x 8 -0.2000 [-0.2000, -0.2000] -3.39 vanishing>"


def test_a_layer_that_is_read_at_every_step_is_marked(geometric):
    flows = {name: state(geometric, name=name, read_at_every_step=name == "a") for name in "ab"}
    *_, marked, plain, note = repr(GradientFlow("model", 0.25, {"layer": flows})).splitlines()
    assert marked.endswith("vanishing *")
    assert plain.endswith("vanishing")
    assert note == "* read at every step: direct and carried gradients together"


def test_it_is_drawn_with_a_panel_a_state(both, tmp_path):
    figure = both.plot(tmp_path / "flow.png")
    assert len(figure.axes) == 2
    assert (tmp_path / "flow.png").stat().st_size > 5000
    assert len(both.plot().axes) == 2
