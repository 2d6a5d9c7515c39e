import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnexp.nn.initializers import Orthogonal
from rnnexp.tracking import MlflowTracker, Tracker, ensure_store
from rnnexp.tracking.client import connect

# Runs where the package is not to be found: the model must bring it.
READER = """
import sys
import numpy as np
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
np.save("loaded.npy", model.predict(np.load("x.npy")))
import rnnexp
assert "/code/" in rnnexp.__file__, rnnexp.__file__
"""


@pytest.fixture(scope="module", autouse=True)
def graph_rewriting():
    """Leave it on, as it is in the processes whose numbers are compared to the bit with those of this one."""


@pytest.fixture
def network():
    import keras

    from rnnexp.nn.elman_cell import ElmanCell
    from rnnexp.nn.recurrent import RNN

    inputs = keras.Input((7, 2))
    states = RNN(ElmanCell(5, recurrent_initializer=Orthogonal(seed=3)))(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(states))


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 7, 2)).astype(np.float32)


@pytest.fixture
def logged(network, x, tracking_uri):
    tracker = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "a")
    tracker.model(network)
    tracker.end("FINISHED")
    return tracker


def model_of(client, run_id):
    """The one model that a run has logged."""
    (output,) = client.get_run(run_id).outputs.model_outputs
    return client.get_logged_model(output.model_id)


def test_the_model_is_read_where_the_project_is_not_installed(logged, network, x, tracking_uri, tmp_path):
    np.save(tmp_path / "x.npy", x)
    folder = model_of(connect(tracking_uri), logged.run_id).artifact_location
    command = [sys.executable, "-I", "-W", "ignore", "-c", READER, folder]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "loaded.npy"), network.predict(x, verbose=0))


def test_an_uploaded_model_has_the_files_of_a_local_one(logged, network, x, tracking_uri, monkeypatch):
    client, uploads = connect(tracking_uri), []
    upload = type(client).log_model_artifacts
    monkeypatch.setattr(type(client), "log_model_artifacts", lambda *given: uploads.append(upload(*given)))
    monkeypatch.setattr("mlflow.utils.uri.is_local_uri", lambda uri: False)
    uploaded = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "b")
    uploaded.model(network)
    assert len(uploads) == 1
    found = []
    for tracker in (logged, uploaded):
        folder = Path(model_of(client, tracker.run_id).artifact_location.removeprefix("file://"))
        found.append({path.relative_to(folder) for path in folder.rglob("*") if path.is_file()})
    assert found[0] == found[1]
    assert Path("MLmodel") in found[0]


def test_the_model_belongs_to_its_run_and_tells_its_shapes(logged, tracking_uri):
    model = model_of(connect(tracking_uri), logged.run_id)
    assert (model.name, str(model.status), model.source_run_id) == ("model", "READY", logged.run_id)

    import mlflow.models

    mlflow.set_tracking_uri(tracking_uri)
    info = mlflow.models.get_model_info(f"runs:/{logged.run_id}/model")
    assert [spec.shape for spec in info.signature.inputs] == [(-1, 7, 2)]
    assert [spec.shape for spec in info.signature.outputs] == [(-1, 3)]


def test_without_mlflow_the_model_is_a_keras_file(network, x, tmp_path):
    import keras

    Tracker(tmp_path, "a").model(network)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), network.predict(x, verbose=0))


def test_a_run_that_is_opened_again_has_one_model_in_the_end(logged, network, x, tracking_uri):
    again = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "a", run_id=logged.run_id)
    again.model(network)
    again.end("FINISHED")
    client = connect(tracking_uri)
    experiment = client.get_run(logged.run_id).info.experiment_id
    assert [model.source_run_id for model in client.search_logged_models([experiment])] == [logged.run_id]
