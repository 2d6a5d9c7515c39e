"""Writers on looks that are made by hand: no model is trained here."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from rnnexp.diagnosis.keras_models import CsvWriter, GradientFlow, MlflowWriter, StateFlow, TensorBoardWriter
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.client import connect

T, B = 6, 4
NUMBERS = ("rate", "rate_low", "rate_high", "log10_ratio")


def look(rate, layer="lstm", states="hc"):
    """States whose gradient grows by `rate` nats per step of lag."""
    norms = rate * np.arange(T)[::-1, None] + np.random.default_rng(0).normal(size=B)
    masked = np.zeros((T, B), bool)
    return GradientFlow(
        "model", 0.5, {layer: {name: StateFlow(layer, name, norms, masked, False) for name in states}}
    )


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_csv_writer_replaces_the_file_first_and_then_appends(tmp_path):
    path = tmp_path / "new" / "flow.csv"
    for rates in (-0.5, -0.25, 0.125), (-3.0,):
        writer = CsvWriter(path)
        for step, rate in enumerate(rates):
            writer.write(look(rate), step, 7)
            writer.close()  # after every call of fit, of which there may be several
        header, *found = rows(path)
        assert tuple(header) == CsvWriter.COLUMNS
        assert [row[:4] for row in found] == [
            [str(step), "7", "lstm", state] for step in range(len(rates)) for state in "hc"
        ]
        assert [float(row[4]) for row in found] == pytest.approx(np.repeat(rates, 2), rel=1e-12)


def test_every_column_holds_what_it_says(tmp_path):
    flow = look(-2.0, layer='a,"b"/é')
    CsvWriter(tmp_path / "flow.csv").write(flow, 3, 1)
    row = dict(zip(*rows(tmp_path / "flow.csv")[:2], strict=True))
    assert (row["layer"], row["state"], row["verdict"]) == ('a,"b"/é', "h", "vanishing")
    assert {name: float(row[name]) for name in NUMBERS} == flow.states[0].metrics()


def test_a_csv_file_that_nobody_looked_for_is_left_alone(tmp_path):
    path = tmp_path / "flow.csv"
    path.write_text("mine")
    CsvWriter(path).close()
    assert path.read_text() == "mine"


def events(folder):
    """(tag, step) -> (value, the page of TensorBoard that shows it)."""
    return {
        (value.tag, event.step): (
            tf.make_ndarray(value.tensor).item(),
            value.metadata.plugin_data.plugin_name,
        )
        for path in sorted(folder.iterdir())
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


def test_tensorboard_gets_numbers_and_verdicts_at_each_step(tmp_path):
    folder = tmp_path / "board"
    writer = TensorBoardWriter(folder)
    writer.close()
    assert not folder.exists()
    looks = {0: look(-2.0), 40: look(2.0)}
    for step, flow in looks.items():
        writer.write(flow, step, 0)
        assert ("lstm/h/rate", step) in events(folder)  # before the end: who watches sees it
        writer.close()
    numbers = {f"lstm/{state}/{name}" for state in "hc" for name in NUMBERS}
    found = events(folder)
    assert {tag for tag, _ in found} == numbers | {"lstm/h/verdict", "lstm/c/verdict"}
    for step, flow in looks.items():
        assert found["lstm/c/log10_ratio", step] == (
            pytest.approx(flow.states[1].log10_ratio, rel=1e-6),
            "scalars",
        )
    assert [found["lstm/h/verdict", step] for step in looks] == [
        (b"vanishing", "text"),
        (b"exploding", "text"),
    ]


@pytest.fixture
def run(tracking_uri):
    return connect(tracking_uri).create_run("0").info.run_id


def points(uri, run, key):
    return [(point.step, point.value) for point in connect(uri).get_metric_history(run, key)]


def test_mlflow_gets_valid_names_and_finite_points_only(tracking_uri, run):
    writer = MlflowWriter(run, tracking_uri)
    writer.write(look(np.nan, layer="my layer(1)é"), 0, 0)
    writer.write(look(-2.0, layer="my layer(1)é"), 5, 0)
    writer.close()
    data = connect(tracking_uri).get_run(run).data
    assert set(data.metrics) == {f"my layer_1__/{state}/{name}" for state in "hc" for name in NUMBERS}
    assert data.tags["verdict/my layer_1__/h"] == "vanishing"
    ((step, value),) = points(tracking_uri, run, "my layer_1__/h/rate")
    assert (step, value) == (5, pytest.approx(-2.0, rel=1e-12))


def test_a_run_monitored_again_gets_only_later_steps(tracking_uri, run):
    client = connect(tracking_uri)
    client.set_terminated(run, "FAILED")
    for shift in (0, 4):
        writer = MlflowWriter(run, tracking_uri)
        writer.close()  # no look, nothing to end
        for step in (0, 4, 8):
            writer.write(look(-1.0 - shift), step + shift, 0)
            assert client.get_run(run).info.status == "RUNNING"
        writer.close()
        assert client.get_run(run).info.status == "FAILED"
    found = points(tracking_uri, run, "lstm/h/rate")
    assert [step for step, _ in found] == [0, 4, 8, 12]
    assert [value for _, value in found] == pytest.approx([-1, -1, -1, -5], rel=1e-12)


def test_without_a_run_there_is_one_sentence(tracking_uri):
    with pytest.raises(
        ArgumentError, match="^run_id: expected the id of an MLflow run, or an active run, received None$"
    ):
        MlflowWriter(uri=tracking_uri).write(look(0.0), 0, 0)
