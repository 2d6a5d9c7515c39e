"""One forward and one backward pass through a model, traced once: ln ||dl_b/dh_t|| of every state."""

import contextlib
import logging
import warnings
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend import set_keras_mask

from rnnexp.diagnosis.keras_models.calls import Call, sequences
from rnnexp.diagnosis.keras_models.data import Batch, dense, leaves_of, row_mask, specs_of
from rnnexp.diagnosis.keras_models.instrumentation import OutOfSightError, Site, Sites, instrumented
from rnnexp.diagnosis.keras_models.objective import objective
from rnnexp.diagnosis.keras_models.preservation import preserved, seed_generator
from rnnexp.diagnosis.keras_models.result import StateFlow
from rnnexp.diagnosis.keras_models.site_values import calls_of, linked, values_of
from rnnexp.diagnosis.keras_models.verification import Checked, check_step, places, same_loss
from rnnexp.diagnosis.keras_models.ways import Way
from rnnexp.runtime.checks import ArgumentError

_logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """The results of a pass.

    Attributes:
        loss: L.
        states: Every state of every sequence.
        warnings: Sentences on results that are not measured or not to be trusted.
        checked: The comparisons of dl/dh_t with a central difference.
    """

    loss: float
    states: list[StateFlow]
    warnings: tuple[str, ...]
    checked: tuple[Checked, ...]


class BackwardPass:
    """The traced pass of one model, loss, mode and shape.

    It holds the model by a weak reference, so that it can be a value of a table whose keys are models.

    Args:
        model: Any Keras model.
        loss: As `rnnexp.diagnosis.keras_models.objective.objective` takes it.
        training: Whether layers run in training mode.
        like: A batch with the shapes and dtypes of all later batches.
    """

    def __init__(self, model: keras.Model, loss: Any, training: bool, like: Batch):
        self._model = weakref.ref(model)
        self._loss = loss
        self._training = training
        self._specs = specs_of(like)
        self._padded = False
        self._ways = self._open_ways(model)
        self._sites: list[Site] = []
        self._notes: list[str] = []
        self._moved: list[tuple[int, int]] = []
        self._means: list[keras.metrics.Metric] = []
        self._generator: Any = None

    def run(self, batch: Batch, verify: bool = False) -> Found:
        """Return L and the states for one batch, and leave the model as it was.

        A model that cannot be traced, or calls its layers inside a graph of their own, runs eagerly, which is
        slow. The first way that works is used from then on. A model that does not accept ragged inputs gets
        them padded, with a mask.
        """
        try:
            return self._run(batch, verify)
        except ArgumentError:
            raise
        except Exception:
            if self._padded or not any(isinstance(leaf, tf.RaggedTensor) for leaf in leaves_of(batch)):
                raise
            self._padded, self._ways = True, self._open_ways(self._held())
            return self._run(batch, verify)

    def _run(self, batch: Batch, verify: bool) -> Found:
        *cheaper, surest = self._ways
        for number, way in enumerate(cheaper):
            try:
                result = self._take(way, batch, verify)
            except ArgumentError:
                raise
            except Exception as error:
                _logger.info("the pass is taken another way, since: %s", error)
                if isinstance(error, OutOfSightError):
                    break  # no graph shows more
            else:
                self._ways = self._ways[number:]
                return result
        result = self._take(surest, batch, verify)
        self._ways = [surest]
        return result

    def _open_ways(self, model: keras.Model) -> list[Way]:
        """Return the ways to take the pass, the cheapest first: as `fit` would, without XLA, eagerly.

        A `tf.function` of the model is traced as part of the pass if its Python code allows that.
        """
        if tf.config.functions_run_eagerly() or (model.compiled and model.run_eagerly):
            return [Way(self, jit_compile=False, inline=True, eager=True)]
        kinds = [(False, True, False), (False, False, False), (False, True, True)]
        if model.compiled and model.jit_compile:
            kinds.insert(0, (True, True, False))
        return [Way(self, *kind) for kind in kinds]

    def _take(self, way: Way, batch: Batch, verify: bool) -> Found:
        leaves = leaves_of(batch)
        with self._preserved():
            loss, samples, values = way.take("differentiate", leaves)
        calls, unlinked = calls_of(self._sites, keras.tree.map_structure(np.asarray, values))
        doubts = [f"{note}: not measured" for note in self._notes]
        doubts += [
            f"what reads the output of {path} at a step is not counted: it is no state" for path in unlinked
        ]
        doubts += self._check_loss(way, float(loss), leaves)
        checked = self._verified(way, leaves, calls, float(samples)) if verify else []
        doubts += [each.warning for each in checked if not each.agrees]
        return Found(float(loss), sequences(calls), tuple(doubts), tuple(checked))

    def _check_loss(self, way: Way, loss: float, leaves: list[Any]) -> list[str]:
        """Compare the loss with that of a pass without instruments; return a warning if they differ."""
        with self._preserved():
            plain = float(way.take("plain", leaves))
        if same_loss(loss, plain, self._held()):
            return []
        with self._preserved():
            again = float(way.take("plain", leaves))
        if not same_loss(plain, again, self._held()):  # the model draws numbers that cannot be drawn again
            return []
        return [
            f"the loss of the measured pass is {loss:.6g}, that of a plain one {plain:.6g}: trust neither"
        ]

    def _verified(self, way: Way, leaves: list[Any], calls: list[Call], samples: float) -> list[Checked]:
        """Compare dL/dh_t with central differences, at three steps of each state that a tap can change."""
        with self._preserved():
            gradients = [each.numpy() for each in way.take("gradients", leaves)]
        names, norms = [], []
        for tap, (number, state) in enumerate(self._moved):
            found = calls[number].states[state]
            names.append((f"{found.layer}/{found.state}", gradients[tap].shape[1]))
            norms.append(found.log_norms)
        movable = [self._sites[number].is_movable for number, _ in self._moved]

        def loss_with(values: list[np.ndarray]) -> float:
            with self._preserved():
                return float(way.take("move", leaves, [tf.convert_to_tensor(value) for value in values]))

        checked = []
        for place in places(names):
            if movable[place.tap]:
                norm = float(np.sqrt(np.nansum(np.exp(2 * norms[place.tap][place.step])))) / samples
                checked.append(check_step(place, norm, gradients, loss_with))
        return [each for each in checked if each is not None]

    @contextlib.contextmanager
    def _preserved(self) -> Iterator[None]:
        with preserved(self._held(), self._training):
            yield
            # A trace keeps using the generator that it met first, which may have no other owner.
            self._generator = self._generator or seed_generator()

    def _held(self) -> keras.Model:
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this pass is gone")
        return model

    def batch(self, leaves: tuple) -> Batch:
        """Return the batch that the leaves came from."""
        remaining = iter(leaves)
        return keras.tree.map_structure(lambda spec: None if spec is None else next(remaining), self._specs)

    def forward(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Return L and the factor between L and the loss of a sample (`Objective.samples`)."""
        model = self._held()
        mode = {"training": self._training} if model._call_has_training_arg else {}
        if self._padded:
            masks = keras.tree.map_structure(row_mask, batch.x)
            batch = batch._replace(x=keras.tree.map_structure(dense, batch.x))
            if model._call_has_mask_arg:
                mode["mask"] = masks
            else:
                keras.tree.map_structure(set_keras_mask, batch.x, masks)
        with warnings.catch_warnings():
            if self._padded:  # Keras warns of a mask although it uses it
                warnings.filterwarnings("ignore", ".*was passed an input with a mask attached to it.*")
            prediction = model(batch.x, **mode)
        found = objective(model, self._loss, batch, prediction, self._training)
        if not tf.executing_eagerly():
            self._means += found.means
        return found.loss, found.samples

    def differentiate(self, *leaves: tf.Tensor) -> tuple:
        """Return L, the factor of `Objective`, and the `Values` of every site."""
        tape, sites, loss, samples = self._look(leaves, strict=not tf.executing_eagerly())
        sites.finish()
        scale = _loss_scale(self._held(), loss)
        gradients = tape.gradient(loss, [list(site.taps) for site in sites.calls], scale)
        level = tf.math.log(tf.cast(samples, tf.float64)) - tf.math.log(tf.cast(scale, tf.float64))
        self._sites = [linked(sites.calls, number, each) for number, each in enumerate(gradients)]
        self._notes = sites.notes
        pairs = zip(self._sites, gradients, strict=True)
        return loss, samples, [values_of(self._sites, site, each, level) for site, each in pairs]

    def _look(self, leaves: tuple, strict: bool, values: list[tf.Tensor] | None = None) -> tuple:
        """Return tape, sites, and L and its factor of a pass with instruments."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            sites = Sites(tape, strict, values)
            with instrumented(self._held(), sites):
                return tape, sites, *self.forward(self.batch(leaves))

    def plain(self, *leaves: tf.Tensor) -> tf.Tensor:
        """Return L of a pass without instruments."""
        return self.forward(self.batch(leaves))[0]

    def move(self, values: list[tf.Tensor], *leaves: tf.Tensor) -> tf.Tensor:
        """Return L where `values` are added to the states."""
        return self._look(leaves, strict=False, values=values)[2]

    def gradients(self, *leaves: tf.Tensor) -> list[tf.Tensor]:
        """Return dL/de of every tap that `move` takes a value for, in its order."""
        tape, sites, loss, _ = self._look(leaves, strict=False, values=[])
        owners = {
            id(tap): (number, state)
            for number, site in enumerate(sites.calls)
            for state, tap in enumerate(site.taps)
        }
        self._moved = [owners[id(tap)] for tap in sites.opened]
        return tape.gradient(loss, sites.opened, unconnected_gradients="zero")


def _loss_scale(model: keras.Model, loss: tf.Tensor) -> tf.Tensor:
    """Return the factor by which training scales L against underflow of float16 gradients; else 1."""
    one = tf.ones((), loss.dtype)
    optimizer = model.optimizer if model.compiled else None
    return one if optimizer is None else tf.cast(optimizer.scale_loss(one), loss.dtype)
