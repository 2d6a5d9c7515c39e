"""A Keras model as an MLflow model that also loads where this project is not installed."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnnexp.runtime import provenance
from rnnexp.tracking import packed_source

_REQUIRED = ("tensorflow", "keras", "numpy")


def log_model(client: Any, experiment_id: str, run_id: str, model: Any) -> str:
    """Log `model` as the run's model `model` and return its id.

    The package's source travels with the model, so `mlflow.pyfunc.load_model("runs:/<run_id>/model")` needs
    only the packages of the model's `requirements.txt`. Those are named here: left to itself, MLflow finds
    them by loading the model in a second process.

    Args:
        client: An `mlflow.MlflowClient`.
        experiment_id: The experiment of the run.
        run_id: The run.
        model: A `keras.Model` with one input and one output.
    """
    import mlflow.tensorflow
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model, ModelSignature

    # Only shapes and dtypes are looked at, and those the model knows; what it leaves open is -1.
    question, answer = (_schema(tensor) for tensor in (model.inputs[0], model.outputs[0]))
    signature = ModelSignature(question, answer)
    logged = client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
    record = Model(artifact_path=logged.artifact_location, run_id=run_id, model_id=logged.model_id)
    with _folder(client, logged) as folder, tempfile.TemporaryDirectory() as temporary:
        mlflow.tensorflow.save_model(
            model,
            str(folder),
            mlflow_model=record,
            signature=signature,
            code_paths=[str(packed_source.write(Path(temporary)))],
            pip_requirements=_requirements(),
        )
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return logged.model_id


def _schema(tensor: Any) -> Any:
    """Return MLflow's words for a symbolic tensor of a Keras model."""
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    shape = [-1 if size is None else size for size in tensor.shape]
    return Schema([TensorSpec(np.dtype(tensor.dtype), shape)])


@contextlib.contextmanager
def _folder(client: Any, logged: Any) -> Iterator[Path]:
    """Yield where the model's files are to be written: where they stay, or what is uploaded afterwards.

    Until the model is finalized it is pending to whoever looks, so that half of it may lie in its place.
    """
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    if is_local_uri(logged.artifact_location):
        yield Path(local_file_uri_to_path(logged.artifact_location))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        yield folder
        client.log_model_artifacts(logged.model_id, str(folder))


def remove_models(client: Any, experiment_id: str, run_id: str) -> None:
    """Remove the models of a run, whole or half written, that was interrupted after them."""
    query = f"source_run_id = '{run_id}'"
    for logged in client.search_logged_models([experiment_id], filter_string=query):
        client.delete_logged_model(logged.model_id)


def load_model(path: Path) -> Any:
    """Return the Keras model of a file, with the layers of this package known."""
    import keras

    import rnnexp

    rnnexp.RNN  # noqa: B018  (makes the layers known to Keras)
    return keras.models.load_model(path)


def _requirements() -> list[str]:
    installed = provenance.versions()
    return [f"{name}=={installed[name]}" for name in _REQUIRED if name in installed]
