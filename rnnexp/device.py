"""Which processor a run takes, decided before TensorFlow is imported."""

import ctypes
import os

from rnnexp.checks import ArgumentError


def gpu_count() -> int:
    """Return how many GPUs the CUDA driver offers to this process; 0 without a driver.

    The driver is asked itself, which takes milliseconds; TensorFlow would take seconds. It respects
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


def prepare_tensorflow(device: str) -> None:
    """Set what TensorFlow reads when it is imported: the device, and no log lines below errors."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
