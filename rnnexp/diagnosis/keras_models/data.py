"""One batch of a user's data, as `fit` takes it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

from rnnexp.diagnosis.keras_models.preservation import chance_kept
from rnnexp.runtime.checks import ArgumentError


class Batch(NamedTuple):
    """Inputs, targets and weights: tensors, or structures of them; None where there are none."""

    x: Any
    y: Any
    sample_weight: Any


def first_batch(
    model: keras.Model, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None
) -> Batch:
    """Return a batch as tensors.

    Args:
        model: The model that takes the batch.
        x: Inputs; or a `tf.data.Dataset` or `keras.utils.PyDataset`, whose first batch is taken; or a tuple
            (x, y) or (x, y, sample_weight).
        y: Targets.
        sample_weight: As for `fit`.
        class_weight: As for `fit`.

    Raises:
        ArgumentError: A part is of the wrong kind, empty, or does not fit the others; names it.
    """
    x, y, sample_weight = _unpacked(model, x, y, sample_weight)
    if class_weight is not None:
        if sample_weight is not None:
            raise ArgumentError("class_weight", "None where there are sample weights", class_weight)
        weights = class_weight_to_sample_weights(np.asarray(y), class_weight)
        sample_weight = np.asarray(weights, keras.config.floatx())
    named = {"x": x, "y": y, "sample_weight": sample_weight}
    batch = Batch(*(_tensors(name, data) for name, data in named.items()))
    _check_sizes(batch)
    _check_inputs(model, batch.x)
    return batch


def check_targets(model: keras.Model, loss: Any, y: Any) -> None:
    """Raise ArgumentError where targets are missing, or more or fewer than the model's outputs."""
    compiled = model._compile_loss if model.compiled else None
    own = type(model).compute_loss is not keras.Model.compute_loss and loss is None
    if own or (callable(loss) and not isinstance(loss, keras.losses.Loss)):
        return
    if y is None and (loss is not None or compiled is not None):
        raise ArgumentError("y", "targets, since the loss compares the outputs with them", None)
    outputs = len(getattr(model, "outputs", None) or ())
    targets = len(leaves_of(y))
    if y is not None and outputs and (loss is not None or compiled is not None) and targets != outputs:
        raise ArgumentError("y", f"targets for {outputs} output(s)", f"{targets} arrays")


def _unpacked(model: keras.Model, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    if isinstance(x, tf.data.Dataset | keras.utils.PyDataset):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ArgumentError(name, "None where x is a data set that yields it", type(value).__name__)
        return keras.utils.unpack_x_y_sample_weight(_first(x))
    inputs = getattr(model, "inputs", None) or (None,)
    if isinstance(x, tuple) and y is None and len(x) in (2, 3) and len(x) != len(inputs):
        return keras.utils.unpack_x_y_sample_weight(x)
    return x, y, sample_weight


def _first(data: Any) -> Any:
    with chance_kept():
        if isinstance(data, keras.utils.PyDataset):
            batch = data[0] if len(data) else None
        else:
            batch = next(iter(_unshuffled(data).take(1)), None)
    if batch is None:
        raise ArgumentError("x", "a data set with at least one batch", "an empty one")
    return batch


def _unshuffled(data: tf.data.Dataset) -> tf.data.Dataset:
    """Return the data without shuffling: reading a shuffled data set changes the order of the next epoch."""
    try:
        written = tf.raw_ops.DatasetToGraphV2(input_dataset=data._variant_tensor, external_state_policy=1)
        graph = tf.compat.v1.GraphDef.FromString(written.numpy())
        shuffles = {node.name: node.input[0] for node in graph.node if node.op.startswith("ShuffleDataset")}
        if not shuffles:
            return data
        for node in graph.node:
            node.input[:] = [_before(name, shuffles) for name in node.input]
        variant = tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString())
        return tf.data.experimental.from_variant(variant, data.element_spec)
    except (tf.errors.OpError, ValueError):
        return data


def _before(name: str, shuffles: dict[str, str]) -> str:
    while name.partition(":")[0] in shuffles:
        name = shuffles[name.partition(":")[0]]
    return name


def _tensors(name: str, data: Any) -> Any:
    if isinstance(data, Iterator):
        raise ArgumentError(name, "arrays, or a data set that can be read again", type(data).__name__)
    return keras.tree.map_structure(lambda leaf: _tensor(name, leaf), data)


def _tensor(name: str, data: Any) -> Any:
    """Return a tensor: float arrays in Keras' float type, as in `fit`; tensors unchanged."""
    if data is None or tf.is_tensor(data):  # ragged ones too
        return data
    if type(data).__name__ in ("Tensor", "Array") and hasattr(data, "__array__"):
        data = np.array(data)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ArgumentError(name, "rows of one length, or a ragged tensor", "rows of several") from error
    if array.dtype.kind not in "fiubcSU":
        raise ArgumentError(name, "numbers in rows of one length, or a ragged tensor", f"{array.dtype} data")
    return tf.convert_to_tensor(array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array)


def leaves_of(data: Any) -> list[Any]:
    """Return the tensors of a structure, or of a `Batch`, in the order of `keras.tree.flatten`."""
    return [leaf for leaf in keras.tree.flatten(data) if leaf is not None]


def specs_of(data: Any) -> Any:
    """Return the types of the tensors of a structure, or of a `Batch`; None where there is none."""
    return keras.tree.map_structure(
        lambda leaf: None if leaf is None else tf.type_spec_from_value(leaf), data
    )


def dense(leaf: Any) -> Any:
    """Return a ragged tensor padded; any other unchanged."""
    return leaf.to_tensor() if isinstance(leaf, tf.RaggedTensor) else leaf


def row_mask(leaf: Any) -> tf.Tensor | None:
    """Return the steps that a ragged tensor has, (B, T) booleans; None for a dense one."""
    if not isinstance(leaf, tf.RaggedTensor):
        return None
    return tf.sequence_mask(leaf.row_lengths(), tf.cast(leaf.bounding_shape(axis=1), tf.int32))


def _check_sizes(batch: Batch) -> None:
    inputs = leaves_of(batch.x)
    if not inputs:
        raise ArgumentError("x", "a batch of inputs", None)
    samples = inputs[0].shape[0] if inputs[0].shape.rank else None
    for name, data in batch._asdict().items():
        for leaf in leaves_of(data):
            shape = tuple(leaf.shape)
            if not shape or 0 in shape:
                raise ArgumentError(name, "at least one sample, with no axis of size 0", f"shape {shape}")
            if shape[0] != samples:
                raise ArgumentError(name, f"{samples} samples, as x has", f"shape {shape}")


def _check_inputs(model: keras.Model, x: Any) -> None:
    """Check x against the model's inputs, if they are known and x is not a dictionary."""
    expected = getattr(model, "inputs", None)
    if not expected or isinstance(x, dict):
        return
    given = leaves_of(x)
    if len(given) != len(expected):
        raise ArgumentError("x", f"{len(expected)} input(s)", f"{len(given)}")
    for leaf, spec in zip(given, expected, strict=True):
        shape, wanted = tuple(leaf.shape), tuple(spec.shape)
        fits = len(shape) == len(wanted) and all(
            b is None or a is None or a == b for a, b in zip(shape, wanted, strict=True)
        )
        # Keras adds or removes a last axis of size 1.
        if not fits and abs(len(shape) - len(wanted)) != 1:
            raise ArgumentError("x", f"shape {wanted}", f"shape {shape}")
