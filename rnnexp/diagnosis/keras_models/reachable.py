"""All objects that are reachable from a model, also through closures, containers and helper objects."""

import collections
import functools
import inspect
import random
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

_MOST = 20_000
"""Most objects that are searched, in case the closures of a model reach a whole program."""
_LIBRARIES = frozenset(
    {"keras", "tensorflow", "numpy", "builtins", "scipy", "pandas", "threading", "logging", "re"}
)
_LEAVES = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType, np.ndarray, tf.Tensor)
_CONTAINERS = (dict, list, tuple, set, frozenset, collections.deque)
_FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial, type(tf.function(lambda: None)))


class Held(NamedTuple):
    """An object, and the attributes and places that lead to it.

    Attributes:
        value: The object.
        way: The path to it, such as encoder, cells, 0.
    """

    value: Any
    way: tuple[str, ...]


def reachable(root: keras.layers.Layer) -> Iterator[Held]:
    """Yield all objects reachable from `root`, itself first: layers, variables, generators, containers ...

    The search follows what Keras tracks, attributes, entries of containers, and what functions close over,
    bind or read from their module.
    """
    return _search(root, _children)


def layers_of(root: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return every layer that is reachable from `root`, itself first."""
    return [held.value for held in reachable(root) if isinstance(held.value, keras.layers.Layer)]


def layers_by_path(root: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield every layer below `root` with its path of names, such as bidirectional/forward_lstm.

    If two layers of one parent have the same name, the attributes that hold them precede it.
    """
    paths, queue = {id(root): ""}, collections.deque([root])
    while queue:
        parent = queue.popleft()
        children = _layers_below(parent)
        names = collections.Counter(child.value.name for child in children)
        for child, way in children:
            if id(child) in paths:
                continue
            own = child.name if names[child.name] == 1 else "/".join((*way, child.name))
            above = paths[id(parent)]
            paths[id(child)] = f"{above}/{own}" if above else own
            queue.append(child)
            yield paths[id(child)], child


def _search(root: Any, children: Callable[[Any], Iterable[tuple[str, Any]]]) -> Iterator[Held]:
    """Yield `root` and all that is below it, each object once, the nearest first."""
    queue, seen = collections.deque([Held(root, ())]), {id(root)}
    keep = [root]  # an id identifies an object only while the object lives
    while queue and len(seen) < _MOST:
        held = queue.popleft()
        yield held
        for name, value in children(held.value):
            if isinstance(value, _LEAVES) or id(value) in seen:
                continue
            seen.add(id(value))
            keep.append(value)
            queue.append(Held(value, (*held.way, name)))


def _layers_below(parent: keras.layers.Layer) -> list[Held]:
    """Return the layers that `parent` holds itself, not through another layer, in Keras' tracking order."""

    def children(value: Any) -> Iterable[tuple[str, Any]]:
        if value is parent:
            return _own_attributes(parent)
        return () if isinstance(value, keras.layers.Layer) else _children(value)

    _, *below = _search(parent, children)
    found = {id(held.value): held for held in below if isinstance(held.value, keras.layers.Layer)}
    tracked = {id(layer): found.get(id(layer), Held(layer, (layer.name,))) for layer in parent._layers}
    return list((tracked | found).values())


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, keras.layers.Layer):
        yield from _own_attributes(value)
        for layer in list(value._layers):
            yield layer.name, layer
    elif isinstance(value, dict):
        yield from ((str(key), each) for key, each in list(value.items()))
    elif isinstance(value, _CONTAINERS):
        yield from ((str(number), each) for number, each in enumerate(list(value)))
    elif isinstance(value, _FUNCTIONS):
        yield from _of_function(value)
    elif isinstance(value, tf.Module) or not _is_foreign(value):
        yield from list(getattr(value, "__dict__", {}).items())


def _own_attributes(layer: keras.layers.Layer) -> list[tuple[str, Any]]:
    """Return the attributes that are not Keras' own bookkeeping, including the function of a wrapper."""
    return [(name, value) for name, value in list(vars(layer).items()) if name not in _keras_attributes()]


@functools.cache
def _keras_attributes() -> frozenset[str]:
    """Return the names of the attributes that Keras itself gives layers and models."""
    before = random.getstate()  # initializers draw their seeds
    try:
        # With explicit names, so that the counters of Keras' automatic names do not advance.
        dense, inputs = keras.layers.Dense(1, name="dense"), keras.Input((1,), name="inputs")
        model = keras.Model(inputs, dense(inputs), name="model")
        model.compile(keras.optimizers.SGD(name="optimizer"), "mse")
        layers = (keras.layers.Layer(name="layer"), dense, keras.Sequential(name="sequential"), model)
    finally:
        random.setstate(before)
    return frozenset({name for layer in layers for name in vars(layer)} - {"activation"})


def _of_function(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, functools.partial):
        yield from (("function", value.func), *((str(n), each) for n, each in enumerate(value.args)))
        yield from value.keywords.items()
        return
    if isinstance(value, types.MethodType):
        yield "self", value.__self__
    function = inspect.unwrap(getattr(value, "python_function", getattr(value, "__func__", value)))
    if not isinstance(function, types.FunctionType) or _is_foreign(function):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell of a closure
            continue
    yield from ((str(n), each) for n, each in enumerate(function.__defaults__ or ()))
    yield from (function.__kwdefaults__ or {}).items()
    for name in _names_read(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names_read(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names_read(inner)


def _is_foreign(value: Any) -> bool:
    """Whether an object belongs to a library, whose objects hold nothing of the model."""
    home = getattr(value, "__module__", None) or type(value).__module__
    return str(home).partition(".")[0] in _LIBRARIES
