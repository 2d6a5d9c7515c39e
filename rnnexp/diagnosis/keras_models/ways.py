"""The ways to take a pass through a model: traced, with or without XLA, or eagerly."""

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras
import tensorflow as tf


class Pass(Protocol):
    """The functions that a way runs; their arguments are the leaves of a batch."""

    def differentiate(self, *leaves: tf.Tensor, strict: bool) -> tuple:
        """Take the measured pass."""

    def plain(self, *leaves: tf.Tensor) -> tf.Tensor:
        """Return L of a pass without instruments."""

    def gradients(self, *leaves: tf.Tensor) -> list[tf.Tensor]:
        """Return the gradients of all taps."""

    def move(self, values: list[tf.Tensor], *leaves: tf.Tensor) -> tf.Tensor:
        """Return L where values are added to the states."""

    def specs(self) -> list[Any]:
        """Return the types of the leaves."""


class Way:
    """One way to take a pass: traced (with XLA or not, `tf.function`s inlined or not), or eager.

    Args:
        owner: The pass.
        jit_compile: Whether XLA compiles it.
        inline: Whether the functions of the model run as Python code.
        eager: Whether nothing is traced.
    """

    def __init__(self, owner: Pass, jit_compile: bool, inline: bool, eager: bool):
        self._owner = weakref.proxy(owner)
        self._jit_compile, self._inline, self._eager = jit_compile, inline, eager
        self._traced: dict[str, Callable] = {}

    def measured(self, *leaves: tf.Tensor) -> tuple:
        """As `Pass.differentiate`."""
        strict = not self._eager
        return self._call("measured", functools.partial(self._owner.differentiate, strict=strict), leaves)

    def plain(self, *leaves: tf.Tensor) -> tf.Tensor:
        """Return L of a pass without instruments."""
        return self._call("plain", self._owner.plain, leaves)

    def gradients(self, *leaves: tf.Tensor) -> list[tf.Tensor]:
        """As `Pass.gradients`."""
        return self._call("gradients", self._owner.gradients, leaves)

    def moved(self, values: list[tf.Tensor], *leaves: tf.Tensor) -> tf.Tensor:
        """As `Pass.move`."""
        return self._call("moved", self._owner.move, leaves, values)

    def _call(self, name: str, function: Callable, leaves: tuple, *before: Any) -> Any:
        inline = self._inline and name != "plain"
        if self._eager:
            with _inlined(True):
                return function(*before, *leaves)
        if name not in self._traced:
            # The plain pass is not compiled with XLA, which is not worth its time for one number.
            jit_compile = self._jit_compile and name == "measured"
            traced = tf.function(function, autograph=False, jit_compile=jit_compile)
            specs = [keras.tree.map_structure(tf.type_spec_from_value, each) for each in before]
            with _inlined(inline):
                self._traced[name] = traced.get_concrete_function(*specs, *self._owner.specs())
        return self._traced[name](*before, *leaves)


@contextlib.contextmanager
def _inlined(wanted: bool) -> Iterator[None]:
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(wanted or before)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
