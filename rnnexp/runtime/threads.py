"""One thread for small matrices."""

import contextlib
import functools

import scipy.linalg  # noqa: F401  (so that its library is among those that are found)
import threadpoolctl


def one_blas_thread() -> contextlib.AbstractContextManager:
    """Keep NumPy's and SciPy's linear algebra to one thread while the context lasts.

    OpenBLAS starts its threads from H of about 96; for matrices of a few hundred rows they gain nothing, and
    where other processes share the cores they wait for each other: 20 times slower at H = 128 on two cores.
    """
    return _libraries().limit(limits=1, user_api="blas")


@functools.cache
def _libraries() -> threadpoolctl.ThreadpoolController:
    """Return the libraries that are loaded, NumPy's and SciPy's among them: finding them takes 6 ms."""
    return threadpoolctl.ThreadpoolController()
