"""The training step: forward and backward pass, regularise, clip, update the weights, record."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from rnnexp.nn.losses import sequence_losses
from rnnexp.nn.padding import is_step, padded
from rnnexp.nn.taps import Record, recording
from rnnexp.optim.clipping import Clip, Clipped
from rnnexp.optim.constraints import Constraint, NoConstraint
from rnnexp.optim.regularizers import Adjoints, NoRegularizer, Regularizer
from rnnexp.runtime import checks
from rnnexp.training.buffer import Buffer
from rnnexp.training.data import Block
from rnnexp.training.gradients import Differentiated, averaged
from rnnexp.training.record import Recorded


class RecordingModel(keras.Model):
    """A keras.Model whose training step also records the gradient at every time step.

        L = mean_b l_b + sum of network.losses + R,   rms_b ||dl_b/dh_t|| = sqrt(B) ||dL/dh_t||

    `network.losses` are the terms that layers add, as in `keras.Model.fit`: regularizers of weights and of
    activities, and `add_loss`. R is the term of the regularizer. L is differentiated, and `fit` reports it.
    The record holds mean_b l_b, the task's own loss, which is compared with the floor. The gradient terms
    that a regularizer computes from the adjoints are added to dL/dw before the clip.

    One backward pass yields the weight gradients and ln ||dL/dh_t|| for every t. `fit` receives blocks of
    batches (`rnnexp.training.data`): a step of Keras is a block, a loop over training steps on the device.
    Each training step writes one row of a `Buffer` there. For a cell with several states only h, the layer's
    output, is recorded; the others, such as the c of an LSTM, are measured by `rnnexp.diagnosis.measurement`.

    Args:
        network: The Keras model to train. To be recorded it must hold one `rnnexp.RNN` a layer, of any cell.
        loss_kind: One of `rnnexp.nn.losses.KINDS`.
        clip: From `rnnexp.clipping`; this model holds its state. The optimizer should not clip.
        time_steps: T, the length of the sequences.
        rows: Training steps that the buffer holds; read it before it wraps around.
        record: Whether to record the norms. If not, `log_norms` are (N, 0).
        layers: L, the recurrent layers that the network holds.
        shards: Equal parts of the batch that are differentiated in parallel, one on each core. The result
            equals that of one part to rounding and does not depend on the number of cores. Terms that layers
            add must then be means over samples, as Keras' activity regularizers are.
        regularizer: From `rnnexp.optim.regularizers`; None: no term.
        constraint: From `rnnexp.optim.constraints`; None: the weights are free.

    Raises:
        ArgumentError: `shards` is not an integer of at least 1.

    Attributes:
        rows: As above.
        time_steps: T, or 0 where no norms are recorded.
        recorded_layers: L.
        bound: The weights under the constraint.
        clip_state: Variables that hold the state of the clip; a checkpoint contains them.
    """

    def __init__(
        self,
        network: keras.Model,
        loss_kind: str,
        clip: Clip,
        *,
        time_steps: int,
        rows: int = 100,
        record: bool = True,
        layers: int = 1,
        shards: int = 1,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
    ):
        # Without this dtype Keras rounds float64 inputs of `call` to float32.
        super().__init__(name="recording", dtype=network.inputs[0].dtype)
        self.network = network
        self._loss_kind = loss_kind
        self._clip = clip
        first = clip.init(network.trainable_variables)
        self.clip_state = [tf.Variable(value, trainable=False) for value in first]
        constraint = NoConstraint() if constraint is None else constraint
        self.bound = constraint.bind(network.trainable_variables, time_steps)
        self.bound.restart()
        self._record = record
        self._regularizer = NoRegularizer() if regularizer is None else regularizer
        self._shards = checks.integer("shards", shards, minimum=1)
        self._differentiate, self._take = self._backward_pass, self._update
        self.rows = rows
        self.time_steps = time_steps if record else 0
        self.recorded_layers = layers
        self._buffer = Buffer(rows, self.time_steps, layers)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the network's outputs."""
        return self.network(x, training=training)

    def compile(self, *args, jit_compile: bool = False, **kwargs):
        """Prepare for `fit` as `keras.Model.compile` does; `jit_compile` compiles with XLA.

        One shard is compiled together with the update. Several shards are compiled separately: XLA runs a
        loop over time on one core, and TensorFlow runs separately compiled functions on several.
        """
        if self._shards > 1:
            self._differentiate = tf.function(self._backward_pass, autograph=False, jit_compile=jit_compile)
            self._take = tf.function(self._update, autograph=False, jit_compile=jit_compile)
            jit_compile = False
        super().compile(*args, jit_compile=jit_compile, **kwargs)
        # The optimizer makes its variables now: a function that makes variables is traced twice.
        self.optimizer.build(self.bound.trained)

    def make_train_function(self, force: bool = False):
        """Return the function that `fit` calls with its iterator: it compiles `train_step` alone.

        Keras would compile a function around it that also fetches the data. TensorFlow would then optimise
        the graph of the whole training step before XLA compiles it: 0.15 s of a first step.
        """
        if self.steps_per_execution > 1:
            return super().make_train_function(force)
        if self.train_function is None or force:
            step = self.train_step
            if not self.run_eagerly:
                step = tf.function(step, autograph=False, jit_compile=self.jit_compile)
            self.train_function: Any = lambda iterator: step(next(iterator))
        return self.train_function

    # No Python code below branches on a tensor; AutoGraph would take half a second to find that out.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Block) -> dict[str, tf.Tensor]:
        """Take one step for every batch of a block, in their order.

        Args:
            data: The block; K and B are static.

        Returns:
            The loss of the last batch.

        Raises:
            ValueError: As `step`.
        """
        x, y, filled, *firsts = data

        def step(place, _):
            parts = (x, y, *firsts)
            return place + 1, self.step(*(tf.gather(part, place) for part in parts))

        _, loss = tf.while_loop(
            lambda place, _: place < filled,
            step,
            (0, tf.zeros((), self.compute_dtype)),
            maximum_iterations=x.shape[0],
        )
        return {"loss": loss}

    def step(self, x: tf.Tensor, y: tf.Tensor, first: tf.Tensor | None = None) -> tf.Tensor:
        """Take one training step: forward pass, backward pass, clip, update, constrain, record.

        Args:
            x: (B, T, F), with a static B.
            y: The targets.
            first: The first step, from 0, of the sequences, as of `rnnexp.nn.padding.padded`. Steps before it
                are recorded as nan.

        Returns:
            L, with the terms of layers and regularizer.

        Raises:
            ValueError: The norms are to be recorded, but not exactly L recurrent layers report them; or B is
                not a multiple of the shards.
        """
        parts = zip(tf.split(x, self._shards), tf.split(y, self._shards), strict=True)
        return self._take([self._differentiate(*part, first) for part in parts], x.shape[0], first)

    def _backward_pass(self, x: tf.Tensor, y: tf.Tensor, first: tf.Tensor | None) -> Differentiated:
        weights = self.network.trainable_variables
        with tf.GradientTape() as tape, self._recording(tape) as record, padded(first):
            prediction = self.network(x, training=True)
            loss = tf.reduce_mean(sequence_losses(self._loss_kind, y, prediction, first))
            # Layers add their terms when the network is called.
            terms = [tf.reduce_sum(tf.cast(term, loss.dtype)) for term in self.network.losses]
            by_path = {weight.path: weight for weight in weights}
            penalty = self._regularizer.loss(by_path, x, y)
            trained = tf.add_n([loss, *terms, *([] if penalty is None else [penalty])])
        sources = (weights, self._norm_taps(record), self._vector_taps(record))
        gradients, log_norms, vectors = tape.gradient(trained, sources)
        added = self._terms(by_path, vectors)
        gradients = [
            gradient + added[weight.path] if weight.path in added else gradient
            for weight, gradient in zip(weights, gradients, strict=True)
        ]
        return Differentiated(loss, trained, gradients, log_norms)

    def _update(self, parts: list[Differentiated], batch_size: int, first: tf.Tensor | None) -> tf.Tensor:
        whole = parts[0] if len(parts) == 1 else averaged(parts)
        weights = self.network.trainable_variables
        clipped, state = self._clip.update(whole.gradients, weights, tuple(self.clip_state))
        for variable, value in zip(self.clip_state, state, strict=True):
            variable.assign(value)
        self._apply(clipped)
        log_norms = [_of_steps(norms, first) for norms in whole.log_norms]
        self._buffer.write(whole.loss, clipped, log_norms, batch_size)
        return whole.trained_loss

    def _apply(self, clipped: Clipped) -> None:
        """Update the weights, unless the clip asks for none."""

        def update() -> tf.Tensor:
            # Keras takes gradients of one graph alone, and a constraint makes its own in that of the branch.
            gradients = [tf.identity(gradient) for gradient in clipped.gradients]
            self.bound.update(gradients, self.optimizer)
            return tf.constant(True)

        if clipped.skipped is None:
            update()
        else:
            tf.cond(clipped.skipped, lambda: tf.constant(False), update)

    def _recording(self, tape: tf.GradientTape) -> AbstractContextManager[Record | None]:
        """Enter the record in which recurrent layers open taps; None if nothing is recorded."""
        vectors = self._regularizer.wants_adjoints
        if self._record or vectors:
            return recording(tape, outputs_only=True, vectors=vectors)
        return nullcontext()

    def _norm_taps(self, record: Record | None) -> list[tf.Tensor]:
        if record is None or not self._record:
            return []
        if len(record.taps) != self.recorded_layers:
            expected = f"adjoints of as many recurrent layers as layers={self.recorded_layers} says"
            raise ValueError(f"expected {expected}, found {len(record.taps)}")
        return list(record.taps.values())

    def _vector_taps(self, record: Record | None) -> list[tf.Tensor]:
        if record is None or not self._regularizer.wants_adjoints:
            return []
        if len(record.vectors) != 1:
            found = len(record.vectors)
            raise ValueError(f"expected one recurrent layer on the scan, for its adjoints, found {found}")
        return record.vectors

    def _terms(self, weights: Mapping[str, Any], vectors: list[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Return the gradient terms of the regularizer by the paths of weights."""
        if not vectors:
            return {}
        states, pre_activations = tf.unstack(vectors[0], axis=1)
        return self._regularizer.gradient_terms(weights, Adjoints(states, pre_activations))

    @property
    def steps_taken(self) -> int:
        """Training steps since the start of the run."""
        return int(self._buffer.taken)

    @steps_taken.setter
    def steps_taken(self, value: int) -> None:
        self._buffer.taken.assign(value)

    def read(self, first: int) -> Recorded:
        """Return the record of the steps `first` .. `steps_taken` - 1.

        Raises:
            ValueError: The buffer no longer holds `first`.
        """
        return self._buffer.read(first)


def _of_steps(log_norms: tf.Tensor, first: tf.Tensor | None) -> tf.Tensor:
    """Return the norms (T,) with nan where the sequences have no step."""
    if first is None:
        return log_norms
    return tf.where(is_step(tf.shape(log_norms)[0], first), log_norms, tf.constant(math.nan, log_norms.dtype))
