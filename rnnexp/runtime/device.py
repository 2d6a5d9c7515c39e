"""The processor of a run, checked before TensorFlow is imported, and the import of TensorFlow for it."""

import contextlib
import ctypes
import os
import tempfile
from collections.abc import Iterator

from rnnexp.runtime import collector, output
from rnnexp.runtime.checks import ArgumentError


def gpu_count() -> int:
    """Return how many GPUs the CUDA driver offers to this process; 0 without a driver.

    This asks the driver directly, in milliseconds instead of the seconds of TensorFlow. The driver respects
    `CUDA_VISIBLE_DEVICES`.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def check_device(device: str) -> None:
    """Raise `ArgumentError` if `device` is `"gpu"` and there is none."""
    if device == "gpu" and gpu_count() == 0:
        raise ArgumentError("device", "auto or cpu, as the CUDA driver offers no GPU here", device)


def import_tensorflow(device: str) -> None:
    """Import TensorFlow and Keras for `device`, without the lines that TensorFlow prints about itself.

    Raises:
        ArgumentError: TensorFlow finds no GPU for `"gpu"`, or has begun on other devices in this process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _native_stderr_held_back(), collector.kept_from("tensorflow"):
        import keras  # noqa: F401  (imports TensorFlow)
        import tensorflow as tf

        # TensorFlow takes every new network of a process for a repeated trace, and warns of it.
        tf.get_logger().setLevel("ERROR")
        _take(device)


def _take(device: str) -> None:
    """Make all GPUs visible to TensorFlow, or none, as `device` says."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise ArgumentError("device", "auto or cpu, as TensorFlow finds no GPU (is CUDA installed?)", device)
    wanted = [] if device == "cpu" else gpus
    if tf.config.get_visible_devices("GPU") == wanted:
        return
    try:
        tf.config.set_visible_devices(wanted, "GPU")
    except RuntimeError:
        expected = "the device of the first run of this process, since TensorFlow takes its devices once"
        raise ArgumentError("device", expected, device) from None


@contextlib.contextmanager
def _native_stderr_held_back() -> Iterator[None]:
    """Buffer what compiled code writes to the standard error, and show it only if an error follows.

    TensorFlow's libraries write before any log level can be set.
    """
    with tempfile.TemporaryFile() as held:
        try:
            with output.errors_in(held):
                yield
        except Exception:
            held.seek(0)
            os.write(2, held.read())
            raise
