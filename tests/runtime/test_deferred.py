"""TensorFlow and Keras come with the first use, and then are the modules themselves."""

import subprocess
import sys

import keras
import tensorflow as tf

from rnnexp.runtime import deferred


def test_an_import_waits_for_the_first_use(working_folder):
    (working_folder / "tensorflow.py").write_text("constant = 1")  # found there first, and costs no seconds
    program = (
        "import sys; from rnnexp.runtime.deferred import keras, ops, tf;"
        "before = {'tensorflow', 'keras'} & set(sys.modules); tf.constant;"
        "sys.exit(bool(before) or 'tensorflow' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_what_is_used_is_what_the_modules_hold():
    assert deferred.tf.constant is tf.constant
    assert deferred.keras.layers.GRUCell is keras.layers.GRUCell
    assert deferred.ops.matmul is keras.ops.matmul
