"""TensorFlow and Keras, imported when something of them is first used.

    from rnnexp.runtime.deferred import keras, ops, tf

is for the modules that a configuration is checked with: a wrong value is answered before TensorFlow is
imported, which takes seconds. Their annotations are quoted, since Python evaluates all others at once.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from keras import ops

__all__ = ["keras", "ops", "tf"]


class _Deferred(ModuleType):
    """Stands for the module of its name."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


if not TYPE_CHECKING:
    keras, ops, tf = map(_Deferred, ("keras", "keras.ops", "tensorflow"))
