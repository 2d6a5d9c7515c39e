"""Python's garbage collector, kept away from long imports."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def kept_from(module: str) -> Iterator[None]:
    """Import `module` inside: nothing is collected meanwhile, and never is what is there by then.

    What a module makes stays, half a million objects of TensorFlow's, and a collection goes through all of
    them: a second of the four that importing it takes, a third of one whenever Keras clears its session.
    Where the module is imported already this does nothing, since what came after it may be garbage.
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
