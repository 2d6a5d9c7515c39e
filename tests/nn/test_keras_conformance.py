"""Keras' own tests, which its wheel carries, with our layer in the place of Keras' layers."""

import types
import unittest.mock

import keras
import pytest
from keras.src import layers
from keras.src.layers.rnn import (
    bidirectional_test,
    dropout_rnn_cell_test,
    rnn_test,
    simple_rnn_test,
    stacked_rnn_cells_test,
)
from keras.src.testing import TestCase

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.recurrent import RNN

pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be ignored:UserWarning")

LAYER_ARGUMENTS = {
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
    "dtype",
}


def simple_rnn(cell):
    """Return what takes the arguments of `keras.layers.SimpleRNN` and makes our layer of that cell."""

    def make(*args, **arguments):
        for_layer = {name: value for name, value in arguments.items() if name in LAYER_ARGUMENTS}
        for_cell = {
            name: value for name, value in arguments.items() if name not in for_layer or name == "dtype"
        }
        return RNN(cell(*args, **for_cell), **for_layer)

    return make


class Conformance(TestCase):
    """Runs what it is mixed into with `substitute` among the `layers` that the tests' module sees."""

    module: types.ModuleType
    substitute: tuple[str, object] = ("RNN", RNN)

    def setUp(self):
        super().setUp()
        self.addCleanup(keras.config.enable_traceback_filtering)  # Keras' own set-up switches it off
        substituted = types.SimpleNamespace(**{**vars(layers), **dict([self.substitute])})
        patch = unittest.mock.patch.object(self.module, "layers", substituted)
        patch.start()
        self.addCleanup(patch.stop)


class TestRNN(Conformance, rnn_test.RNNTest):
    module = rnn_test


class TestStackedCells(Conformance, stacked_rnn_cells_test.StackedRNNTest):
    module = stacked_rnn_cells_test
    # Left out for its time, half of this file's: seven networks trained, all of them in Keras' own loop.
    test_basics = None


class TestDropoutCell(Conformance, dropout_rnn_cell_test.DropoutRNNCellTest):
    module = dropout_rnn_cell_test


class TestSimpleRNNCell(Conformance, simple_rnn_test.SimpleRNNTest):
    module = simple_rnn_test
    substitute = ("SimpleRNN", simple_rnn(keras.layers.SimpleRNNCell))


class TestElmanCell(Conformance, simple_rnn_test.SimpleRNNTest):
    module = simple_rnn_test
    substitute = ("SimpleRNN", simple_rnn(ElmanCell))

    def test_basics(self):
        """Instead of Keras' `test_basics`, which gives the cell dropout and regularizers: it has none."""
        for return_sequences, shape in ((False, (3, 5)), (True, (3, 2, 5))):
            self.run_layer_test(
                RNN,
                init_kwargs={"cell": ElmanCell(5), "return_sequences": return_sequences},
                input_shape=(3, 2, 4),
                expected_output_shape=shape,
                expected_num_trainable_weights=3,
                expected_num_non_trainable_weights=0,
                expected_num_seed_generators=0,
                supports_masking=True,
            )


class Bidirectional:
    """Those of Keras' tests of the wrapper that wrap a SimpleRNN; the others wrap LSTM and GRU only."""

    module = bidirectional_test
    test_correctness = bidirectional_test.SimpleRNNTest.test_correctness


class TestBidirectionalSimpleRNNCell(Bidirectional, Conformance):
    substitute = ("SimpleRNN", simple_rnn(keras.layers.SimpleRNNCell))


class TestBidirectionalElmanCell(Bidirectional, Conformance):
    substitute = ("SimpleRNN", simple_rnn(ElmanCell))
    test_basics = bidirectional_test.SimpleRNNTest.test_basics
