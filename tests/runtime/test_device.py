import ctypes
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnexp.runtime import device
from rnnexp.runtime.checks import ArgumentError

ROOT = Path(__file__).parents[2]


class Driver:
    """Stands for libcuda: `cuInit` returns `code`, `cuDeviceGetCount` writes `count`."""

    def __init__(self, code, count):
        self._code, self._count = code, count

    def cuInit(self, flags):
        return self._code

    def cuDeviceGetCount(self, pointer):
        pointer._obj.value = self._count
        return 0


@pytest.mark.parametrize(("code", "count", "found"), [(0, 2, 2), (0, 0, 0), (100, 2, 0)])
def test_the_driver_is_asked(monkeypatch, code, count, found):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(code, count))
    assert device.gpu_count() == found


def no_library(name):
    raise OSError(name)


def test_without_a_driver_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", no_library)
    assert device.gpu_count() == 0
    device.check_device("auto")
    device.check_device("cpu")
    expected = "device: expected auto or cpu, as the CUDA driver offers no GPU here, received 'gpu'"
    with pytest.raises(ArgumentError, match=expected):
        device.check_device("gpu")


def test_with_a_gpu_every_device_passes(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(0, 1))
    for name in ("auto", "cpu", "gpu"):
        device.check_device(name)


@pytest.fixture
def visible(monkeypatch):
    """Give TensorFlow two GPUs, and return the list of those that it sees."""
    import tensorflow as tf

    seen = ["GPU:0", "GPU:1"]

    def see(gpus, kind):
        seen[:] = gpus

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: list(seen))
    monkeypatch.setattr(tf.config, "set_visible_devices", see)
    return seen


def test_the_cpu_is_taken_by_hiding_every_gpu(visible):
    device.import_tensorflow("cpu")
    assert visible == []
    device.import_tensorflow("gpu")
    assert visible == ["GPU:0", "GPU:1"]


@pytest.mark.parametrize("name", ["auto", "gpu"])
def test_otherwise_all_gpus_are_seen(visible, name):
    device.import_tensorflow(name)
    assert visible == ["GPU:0", "GPU:1"]


def test_tensorflow_does_not_warn_of_every_new_network(visible):
    import tensorflow as tf

    device.import_tensorflow("auto")
    assert not tf.get_logger().isEnabledFor(logging.WARNING)


def test_a_process_that_has_begun_cannot_change(visible, monkeypatch):
    import tensorflow as tf

    def too_late(gpus, kind):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", too_late)
    device.import_tensorflow("auto")
    with pytest.raises(ArgumentError, match="device: expected the device of the first run of this process"):
        device.import_tensorflow("cpu")


def test_a_driver_without_cuda_is_no_gpu(visible, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(ArgumentError, match="as TensorFlow finds no GPU"):
        device.import_tensorflow("gpu")


def test_what_compiled_code_says_is_held_back(capfd):
    with device._native_stderr_held_back():
        os.write(2, b"This TensorFlow binary is optimized\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_and_shown_when_an_error_follows(capfd):
    with pytest.raises(OSError, match="no such library"), device._native_stderr_held_back():
        os.write(2, b"libcudart.so: cannot open\n")
        raise OSError("no such library")
    assert capfd.readouterr().err == "libcudart.so: cannot open\n"


def test_importing_it_imports_no_tensorflow():
    program = "import sys; import rnnexp.runtime.device; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
