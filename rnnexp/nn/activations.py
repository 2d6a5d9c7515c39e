"""Elementwise activations phi by name, and their slopes phi'.

Importing this module does not import TensorFlow: a configuration is checked against `NAMES` before that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from rnnexp.runtime.deferred import keras, tf

NAMES = (
    "tanh", "relu", "sigmoid", "linear", "softplus", "softsign", "elu", "selu", "celu", "leaky_relu", "relu6",
    "hard_tanh", "hard_sigmoid", "hard_silu", "silu", "gelu", "mish", "exponential", "log_sigmoid",
    "squareplus", "sparse_plus", "sparse_sigmoid", "tanh_shrink", "soft_shrink", "hard_shrink",
)  # fmt: skip
"""The elementwise activations of Keras, as `keras.activations.get` knows them (and `silu` for `swish`)."""

Activation = Callable[["tf.Tensor"], "tf.Tensor"]
Slope = Callable[["tf.Tensor"], "tf.Tensor"]


_MARK = "_rnnexp_elementwise"


def elementwise(function: Activation | None = None, *, slope_from_state: Slope | None = None) -> Any:
    """Mark a user's function as elementwise: y_i = phi(a_i).

    Args:
        function: phi, of a tensor of any shape, float32 or float64, in TensorFlow's operations.
        slope_from_state: h -> phi'(a), if the state h = phi(a) determines the slope; None: phi is
            differentiated automatically.

    Returns:
        The function itself, or a decorator if `function` is None.
    """

    def mark(marked: Activation) -> Activation:
        setattr(marked, _MARK, slope_from_state)
        return marked

    return mark if function is None else mark(function)


def is_marked(activation: Callable) -> bool:
    """Whether `elementwise` marks it."""
    return hasattr(activation, _MARK)


def is_elementwise(activation: Callable) -> bool:
    """Whether `activation` is elementwise: one of Keras' (`NAMES`), or marked by `elementwise`.

    Any other callable does not count as elementwise, since its Jacobian could be full.
    """
    name = getattr(activation, "__name__", None)
    return is_marked(activation) or (name in NAMES and activation is by_name(name))


def by_name(name: str) -> Activation:
    """Return Keras' activation function of that name, or that of `module:function`."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function) if function else keras.activations.get(name)


def slope_from_state(activation: Callable) -> Slope | None:
    """Return the function h -> phi'(a) if the state h = phi(a) determines the slope, else None.

    With it back-propagation needs no pre-activations, since the states are in memory anyway.

        tanh: 1 - h^2      sigmoid: h (1 - h)      relu: [h > 0]      softplus: 1 - exp(-h)      linear: 1
    """
    if is_marked(activation):
        return getattr(activation, _MARK)
    if not is_elementwise(activation):
        return None

    def where_positive(otherwise: Slope) -> Slope:
        return lambda h: tf.where(h > 0, tf.ones_like(h), otherwise(h))

    table: dict[str, Slope] = {
        "tanh": lambda h: 1 - h * h,
        "sigmoid": lambda h: h * (1 - h),
        "linear": tf.ones_like,
        "relu": where_positive(tf.zeros_like),
        "elu": where_positive(lambda h: h + 1),
        "leaky_relu": where_positive(lambda h: tf.fill(tf.shape(h), tf.cast(0.2, h.dtype))),
        "softplus": lambda h: -tf.math.expm1(-h),
        "exponential": lambda h: h,
    }
    return table.get(activation.__name__)


def slope(activation: Callable, pre_activation: tf.Tensor) -> tf.Tensor:
    """Return phi'(a) by automatic differentiation, in the shape of `pre_activation`.

    Exact for elementwise activations only: it is the gradient of sum(phi(a)).
    """
    with tf.GradientTape() as tape:
        tape.watch(pre_activation)
        state = activation(pre_activation)
    return tape.gradient(state, pre_activation, unconnected_gradients="zero")


def numpy_pair(name: str) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """Return phi and phi' of that name as functions of float64 arrays, for quadrature and NumPy twins."""
    activation = by_name(name)

    def phi(a: np.ndarray) -> np.ndarray:
        return np.asarray(activation(tf.constant(a, tf.float64)))

    def phi_slope(a: np.ndarray) -> np.ndarray:
        return np.asarray(slope(activation, tf.constant(a, tf.float64)))

    return phi, phi_slope
