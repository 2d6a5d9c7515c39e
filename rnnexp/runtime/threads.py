"""One thread for small matrices."""

import contextlib
import functools

import threadpoolctl


def one_blas_thread() -> contextlib.AbstractContextManager:
    """Keep NumPy's and SciPy's linear algebra to one thread while the context lasts.

    OpenBLAS uses several threads from about H = 96 on. For matrices of a few hundred rows that gains nothing,
    and if other processes use the same cores its threads wait for each other: 20 times slower at H = 128 on
    two cores.
    """
    return _libraries().limit(limits=1, user_api="blas")


@functools.cache
def _libraries() -> threadpoolctl.ThreadpoolController:
    """Return the loaded linear-algebra libraries, NumPy's and SciPy's among them; the search takes 6 ms."""
    import scipy.linalg  # noqa: F401  (loads its library, so that it can be found)

    return threadpoolctl.ThreadpoolController()
