import csv
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from rnnexp.diagnosis.keras_models import (
    Batches,
    CsvWriter,
    Epochs,
    GradientFlowMonitor,
    MlflowWriter,
    TensorBoardWriter,
    gradient_flow,
)
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.client import connect

B, T, F = 8, 5, 3
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(4 * B, T, F)).astype("float32")
Y = DRAW.normal(size=(4 * B, 1)).astype("float32")


@pytest.fixture(scope="module")
def traced():
    """A model that is traced once; its optimizer keeps nothing but the count of its updates."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((T, F)), kl.LSTM(3, name="lstm"), kl.Dense(1)])
    model.compile("sgd", "mse")
    return model, model.get_weights()


@pytest.fixture
def model(traced):
    model, weights = traced
    model.set_weights(weights)
    return model


class Kept:
    def __init__(self):
        self.calls = []

    def write(self, flow, step, epoch):
        self.calls.append((step, epoch, flow))

    def close(self):
        self.calls.append("closed")


def fit(model, *callbacks, epochs=2):
    model.fit(X, Y, batch_size=B, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)


class Watched(NamedTuple):
    """A training of two epochs, watched at every one."""

    monitor: GradientFlowMonitor
    kept: Kept
    table: Path
    board: Path
    before: dict[str, float]
    after: dict[str, float]


@pytest.fixture(scope="module")
def watched(traced, tmp_path_factory):
    model, weights = traced
    model.set_weights(weights)
    folder = tmp_path_factory.mktemp("watched")
    kept, table, board = Kept(), folder / "looks" / "flow.csv", folder / "board"
    before = gradient_flow(model, X[:B], Y[:B]).metrics()
    monitor = GradientFlowMonitor(X[:B], Y[:B], writer=[kept, CsvWriter(table), TensorBoardWriter(board)])
    fit(model, monitor)
    return Watched(monitor, kept, table, board, before, gradient_flow(model, X[:B], Y[:B]).metrics())


def test_a_look_is_taken_at_every_epoch_and_written(watched):
    assert [look[:2] for look in watched.monitor.history] == [(0, 0), (4, 0), (8, 1)]
    assert watched.kept.calls == [*watched.monitor.history, "closed"]


@pytest.mark.parametrize(
    ("every", "looks"), [(Epochs(2), [(0, 0), (8, 1)]), (Batches(3), [(0, 0), (3, 0), (6, 1)])]
)
def test_looks_are_taken_at_their_intervals(model, every, looks):
    monitor = GradientFlowMonitor(X[:B], Y[:B], every=every)
    fit(model, monitor)
    assert [look[:2] for look in monitor.history] == looks


def test_a_look_is_a_call_of_gradient_flow(watched):
    assert watched.monitor.history[0].flow.metrics() == watched.before
    assert watched.monitor.history[-1].flow.metrics() == watched.after != watched.before


def test_updates_are_counted_over_executions_and_calls_of_fit():
    model = keras.Sequential([keras.Input((T, F)), kl.SimpleRNN(1)])
    model.compile("sgd", "mse", steps_per_execution=2)
    monitor = GradientFlowMonitor(X[:B], Y[:B], every=Batches(3))
    fit(model, monitor)
    fit(model, monitor, epochs=1)
    assert [look.step for look in monitor.history] == [0, 4, 6, 10, 12]


def test_training_is_the_same_to_the_bit_with_a_monitor():
    def train(*callbacks):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([
            keras.Input(batch_shape=(B, T, F)),
            kl.SimpleRNN(4, dropout=0.3, recurrent_dropout=0.3, stateful=True),
            kl.BatchNormalization(),
            kl.Dropout(0.5),
            kl.Dense(1),
        ])  # fmt: skip
        model.compile("adam", "mse", metrics=[keras.metrics.MeanAbsoluteError()])
        model.optimizer.build(model.trainable_variables)  # inside `fit` it would have the step traced twice
        history = model.fit(X, Y, batch_size=B, epochs=2, verbose=0, callbacks=callbacks).history
        return [*model.get_weights(), *(np.array(values) for values in history.values())]

    monitor = GradientFlowMonitor(X[:B], Y[:B], every=Batches(1), training=True)
    keras.tree.map_structure(np.testing.assert_array_equal, train(monitor), train())
    assert len(monitor.history) == 9


def test_a_csv_file_holds_a_row_a_look_and_state(watched):
    with watched.table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["epoch"], row["state"]) for row in rows] == [
        (step, epoch, state) for step, epoch in [("0", "0"), ("4", "0"), ("8", "1")] for state in "hc"
    ]
    states = [state for look in watched.monitor.history for state in look.flow.states]
    for row, state in zip(rows, states, strict=True):
        assert {name: float(row[name]) for name in state.metrics()} == state.metrics()
        assert (row["layer"], row["verdict"]) == ("lstm", state.verdict)


def test_tensorboard_files_hold_the_scalars_and_the_verdicts(watched):
    (path,) = watched.board.iterdir()
    found = {
        (value.tag, event.step): (
            tf.make_ndarray(value.tensor).item(),
            value.metadata.plugin_data.plugin_name,
        )
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    for look in watched.monitor.history:
        for name, value in look.flow.metrics().items():
            assert found[name, look.step] == (pytest.approx(value, rel=1e-6), "scalars")
        for name, verdict in look.flow.verdicts().items():
            assert found[f"{name}/verdict", look.step] == (verdict.encode(), "text")


def test_mlflow_runs_get_metrics_and_keep_their_status(model, tracking_uri):
    import mlflow

    client = connect(tracking_uri)
    given, ended = (client.create_run("0").info.run_id for _ in range(2))
    client.set_terminated(ended, "KILLED")
    writers = [MlflowWriter(run_id, tracking_uri) for run_id in (given, ended)]
    monitor = GradientFlowMonitor(X[:B], Y[:B], writer=[MlflowWriter(), *writers])
    try:
        mlflow.set_tracking_uri(tracking_uri)
        active = mlflow.start_run().info.run_id
        fit(model, monitor)
    finally:
        mlflow.end_run()
    for run_id, status in {active: "FINISHED", given: "RUNNING", ended: "KILLED"}.items():
        for name in monitor.history[0].flow.metrics():
            points = client.get_metric_history(run_id, name)
            expected = [(look.step, look.flow.metrics()[name]) for look in monitor.history]
            assert sorted((point.step, point.value) for point in points) == expected
        run = client.get_run(run_id)
        assert run.data.tags["verdict/lstm/h"] == monitor.history[-1].flow.layers["lstm"]["h"].verdict
        assert run.info.status == status


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"every": 5}, r"^every: expected Batches\(n\) or Epochs\(n\), received 5$"),
        ({"writer": "flow.csv"}, r"^writer: expected an object with write and close, such as CsvWriter"),
        ({"training": "no"}, r"^training: expected true or false, received 'no'$"),
    ],
)
def test_wrong_arguments_are_refused_at_once(options, text):
    with pytest.raises(ArgumentError, match=text):
        GradientFlowMonitor(X, Y, **options)


@pytest.mark.parametrize("kind", [Batches, Epochs])
def test_an_interval_is_a_positive_integer(kind):
    with pytest.raises(ArgumentError, match=r"^n: expected an integer of at least 1, received 0$"):
        kind(0)
