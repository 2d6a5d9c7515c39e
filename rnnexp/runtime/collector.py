"""Suspends Python's garbage collector during long imports."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def kept_from(module: str) -> Iterator[None]:
    """Suspend the collector while `module` is imported inside, and exempt all objects made so far from it.

    The half million objects of TensorFlow's modules live to the end, but every full collection visits them:
    that is a second of the four that the import takes, and a third of a second whenever Keras clears its
    session. If the module is imported already this does nothing, since newer objects may be garbage.
    """
    if module in sys.modules:
        yield
        return
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
