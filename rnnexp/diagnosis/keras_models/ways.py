"""The ways to take a pass through a model: traced, with or without XLA, or eagerly."""

import contextlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf


class Way:
    """One way to take a pass: traced (with XLA or not, `tf.function`s inlined or not), or eager.

    Args:
        owner: The pass.
        jit_compile: Whether XLA compiles it.
        inline: Whether the functions of the model run as Python code.
        eager: Whether nothing is traced.
    """

    def __init__(self, owner: Any, jit_compile: bool, inline: bool, eager: bool):
        self._owner = weakref.proxy(owner)
        self._jit_compile, self._inline, self._eager = jit_compile, inline, eager
        self._traced: dict[str, Callable] = {}

    def take(self, name: str, leaves: Sequence[tf.Tensor], *before: Any) -> Any:
        """Return what a method of the owner returns, which is traced once.

        Args:
            name: differentiate, plain, gradients or move.
            leaves: The leaves of a batch, its last arguments.
            before: Its arguments before them.
        """
        arguments, function = (*before, *leaves), getattr(self._owner, name)
        if self._eager:
            with functions_run_eagerly(True):
                return function(*arguments)
        if name not in self._traced:
            # The plain pass is not compiled with XLA, which is not worth its time for one number.
            jit_compile = self._jit_compile and name == "differentiate"
            traced = tf.function(function, autograph=False, jit_compile=jit_compile)
            specs = [keras.tree.map_structure(tf.type_spec_from_value, each) for each in arguments]
            with functions_run_eagerly(self._inline and name != "plain"):
                self._traced[name] = traced.get_concrete_function(*specs)
        return self._traced[name](*arguments)


@contextlib.contextmanager
def functions_run_eagerly(wanted: bool) -> Iterator[None]:
    """Run every `tf.function` inside as Python code, if that is wanted."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(wanted or before)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
