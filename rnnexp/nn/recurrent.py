"""`rnnexp.RNN`: the keras.layers.RNN that runs the scan and reports the norms of its adjoints."""

import logging

import keras
import tensorflow as tf
from keras import ops

from rnnexp.nn import activations, padding, step_cell  # noqa: F401  # the cells that a model holds
from rnnexp.nn import taps as recording
from rnnexp.nn.cells import catalogue
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.keras_loop import tapped_loop, zero_taps
from rnnexp.nn.log_norm import log_norm
from rnnexp.nn.rematerialized_scan import segmented_scan
from rnnexp.nn.scan import Scanned, scan
from rnnexp.runtime import checks

_logger = logging.getLogger(__name__)

for _spec in catalogue.CATALOGUE.values():  # a saved `StepCell` holds a spec
    keras.saving.register_keras_serializable("rnnexp")(_spec)


@keras.saving.register_keras_serializable("rnnexp")
class RNN(keras.layers.RNN):
    """A drop-in for `keras.layers.RNN` that hands out its adjoints, and runs Elman cells on the fast scan.

        h_t = phi(W_xh^T x_t + b + W_hh^T h_{t-1}),   t = 1 .. T

    The scan is taken for an `ElmanCell` (or a `keras.layers.SimpleRNNCell` without dropout; no subclass of
    them) whose activation is elementwise and whose dtype is the layer's, when there is no mask and no
    unrolling.
    Everything else (LSTM, GRU, any cell or stack of cells) runs in Keras' own loop, with the same numbers;
    the log says so once a layer.

    Inside `rnnexp.nn.taps.recording(tape)` the layer also hands out ln ||dL/dh_t|| for every step, of every
    floating state; where a step is masked it is -inf. Keras' loop is then not unrolled. The gradient is by
    the state that a step hands on: of an LSTM, dL/dc_t leaves out the way from c_t to h_t inside the step.

    Args:
        cell: The cell, or a list of cells (which Keras stacks).
        segment: K. The scan then keeps the state of every K-th step only and computes the others again, K at
            a time, for the backward pass: memory for T / K + 4 K steps instead of 4 T, for a longer backward
            pass; see `rnnexp.nn.rematerialized_scan`. With `return_sequences` all states are kept, and memory
            is saved on the rest. The numbers are those of the plain scan to rounding. None, or K >= T: the
            plain scan. Keras' loop knows no segments.
        truncate: K of truncated back-propagation: the gradient is cut where a chunk of K steps begins,
            counted from the end, and states are carried on. None: no cut. Not together with `segment`.
        *args: As for `keras.layers.RNN`.
        **kwargs: `return_sequences`, `return_state`, `go_backwards`, `stateful`, `unroll`,
            `zero_output_for_mask`, `name`, `dtype`: as for `keras.layers.RNN`.

    Call arguments:
        sequences: x, (B, T, F).
        initial_state: h_0, (B, H), or a list that holds it. Default: 0.
        mask: (B, T) booleans.
        training: Passed to the cell, where it asks for it.

    Returns:
        h_T (B, H), or all h_t (B, T, H) with `return_sequences`; with `return_state` followed by h_T.

    Raises:
        ArgumentError: `segment` or `truncate` is neither None nor an integer of at least 1, or both
            are given.
        ValueError: A call inside `rnnexp.nn.padding.padded` has a mask, segments, or goes backwards.

    Examples:
        >>> import numpy as np
        >>> layer = RNN(ElmanCell(3, activation="relu"), return_sequences=True)
        >>> layer(np.ones((2, 5, 4), "float32")).shape
        TensorShape([2, 5, 3])
    """

    def __init__(self, cell, *args, segment=None, truncate=None, **kwargs):
        super().__init__(cell, *args, **kwargs)
        self.segment = None if segment is None else checks.integer("segment", segment, minimum=1)
        self.truncate = None if truncate is None else checks.integer("truncate", truncate, minimum=1)
        if segment is not None and truncate is not None:
            raise checks.ArgumentError("segment", "None together with truncate", segment)
        self._said_slow = False

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Run the recurrence on the scan if it applies, else in Keras' loop. Keras calls this method."""
        first = padding.first_step()
        if first is not None and (mask is not None or self.segment is not None or self.go_backwards):
            raise ValueError("expected no mask, no segments and no way backwards inside padded()")
        obstacle = self._obstacle(mask)
        if obstacle is not None:
            self._say_slow(obstacle)
            mask = mask if first is None else _mask(sequences, first)
            return self._keras_loop(sequences, initial_state, mask, training)
        initial_state = initial_state[0] if isinstance(initial_state, list | tuple) else initial_state
        # A stateful layer passes a variable, which holds h_T by the time of the backward pass: copy it.
        initial_state = tf.convert_to_tensor(initial_state)
        states, last = self._scan(self._time_major(sequences), initial_state)
        outputs = tf.expand_dims(last, 1) if states is None else tf.transpose(states, (1, 0, 2))
        return last, outputs, [last]

    def _scan(self, x, initial_state) -> Scanned:
        """Run the scan over x (T, B, F), in segments if `segment` is given and less than T."""
        cell = self.cell
        options = {"return_states": self.return_sequences, "taps": self._taps(x)}
        recurrent_kernel = tf.convert_to_tensor(cell.recurrent_kernel)
        if self.segment is None or (x.shape[0] is not None and x.shape[0] <= self.segment):
            options |= {"first": padding.first_step(), "truncate": self.truncate}
            return scan(self._projected(x), recurrent_kernel, initial_state, cell.activation, **options)
        kernel = tf.convert_to_tensor(cell.kernel)
        bias = None if cell.bias is None else tf.convert_to_tensor(cell.bias)
        weights = (kernel, bias, recurrent_kernel)
        return segmented_scan(x, *weights, initial_state, cell.activation, segment=self.segment, **options)

    def _taps(self, x) -> list[tf.Tensor]:
        """Open the taps of the current record for the scan over x (T, B, F)."""
        record = recording.current()
        if record is None:
            return []
        sizes = _size(x, 0), _size(x, 1)
        taps = (
            record.tap(self.name, *sizes),
            record.vector_tap(*sizes, self.cell.units, self.compute_dtype),
        )
        return [tap for tap in taps if tap is not None]

    def project(self, sequences):
        """Return p_t = W_xh^T x_t + b of all steps, in processing order, (T, B, H) from x (B, T, F)."""
        return self._projected(self._time_major(sequences))

    def get_config(self):
        """Return the constructor's arguments, serialised."""
        return {**super().get_config(), "segment": self.segment, "truncate": self.truncate}

    def _time_major(self, sequences):
        """Return x in processing order, (T, B, F) from (B, T, F)."""
        time_major = tf.transpose(ops.cast(sequences, self.compute_dtype), (1, 0, 2))
        return tf.reverse(time_major, axis=[0]) if self.go_backwards else time_major

    def _projected(self, x):
        projected = ops.matmul(x, self.cell.kernel)
        return projected if self.cell.bias is None else projected + self.cell.bias

    def _keras_loop(self, sequences, initial_state, mask, training):
        """Run the recurrence in Keras' loop, with taps if a record is open."""
        record, zeros = recording.current(), zero_taps(sequences, initial_state)
        opened = [] if record is None else record.open(_size(sequences, 1), _size(sequences, 0), len(zeros))
        untapped = all(tap is None for tap in opened)
        if untapped and self.truncate is None:
            return super().inner_loop(sequences, initial_state, mask, training)
        mask = keras.tree.flatten(mask)[0] if keras.tree.is_nested(mask) else mask
        if record is None or untapped:
            nothing = [None] * len(zeros)
            return tapped_loop(self, nothing, sequences, initial_state, mask, training, self.truncate)[0]
        if record.outputs_only:
            wanted = _may_be_output(self.cell, zeros)
            opened = [tap if each else None for tap, each in zip(opened, wanted, strict=True)]
        taps = [
            None if tap is None else _spread(tap, zero, self.go_backwards)
            for tap, zero in zip(opened, zeros, strict=True)
        ]
        result, step = tapped_loop(self, taps, sequences, initial_state, mask, training, self.truncate)
        names, outputs = step.names(step.same.numpy() if tf.executing_eagerly() else [False] * len(zeros))
        names[outputs[-1] if outputs else 0] = recording.OUTPUT
        record.keep(self.name, names, opened)
        return result

    def _obstacle(self, mask) -> str | None:
        """Return why the scan cannot run this call, or None if it can."""
        # A subclass may have another step than its parent.
        if type(self.cell) not in (ElmanCell, keras.layers.SimpleRNNCell):
            return f"the cell is a {type(self.cell).__name__}"
        if self.cell.compute_dtype != self.compute_dtype:
            return f"the cell computes in {self.cell.compute_dtype}, the layer in {self.compute_dtype}"
        if getattr(self.cell, "dropout", 0) or getattr(self.cell, "recurrent_dropout", 0):
            return "the cell has dropout"
        if mask is not None:
            return "the sequences are masked"
        if self.unroll:
            return "the loop is to be unrolled"
        if not activations.is_elementwise(self.cell.activation):
            return "the activation is not known to be elementwise"
        return None

    def _say_slow(self, obstacle: str) -> None:
        if not self._said_slow:
            _logger.info("layer %s runs in Keras' loop: %s", self.name, obstacle)
            self._said_slow = True


def _may_be_output(cell, states: list) -> list[bool]:
    """Return which states may be the output, known for Keras' cells: no other adjoint is computed then."""
    if type(cell) in (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell, ElmanCell):
        return [number == 0 for number, _ in enumerate(states)]
    return [True] * len(states)


def _mask(sequences: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
    """Return the mask (B, T) of sequences that begin at step `first`."""
    time_steps = _size(sequences, 1)
    return tf.broadcast_to(padding.is_step(time_steps, first), (_size(sequences, 0), time_steps))


def _size(tensor: tf.Tensor, axis: int) -> int | tf.Tensor:
    """Return the size of an axis, as a number if it is static."""
    size = tensor.shape[axis]
    return tf.shape(tensor)[axis] if size is None else size


def _spread(tap: tf.Tensor, zeros: tf.Tensor, go_backwards: bool) -> tf.Tensor:
    """Return e = 0 (B, T, ...), whose gradient sends ln ||dL/de_t|| to the tap, (T,) or (T, B)."""
    samples = [] if tap.shape.rank == 2 else [1]

    @tf.custom_gradient
    def spread(_tap):
        def adjoint(g):
            by_time = tf.transpose(g, (1, 0, *range(2, g.shape.rank)))
            norms = log_norm(by_time, [*samples, *range(2, g.shape.rank)])
            return tf.reverse(norms, [0]) if go_backwards else norms

        return tf.identity(zeros), adjoint

    return spread(tap)
