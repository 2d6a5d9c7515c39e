"""Jumps of the gradient, said when they happen."""

from collections.abc import Iterator

import numpy as np

from rnnexp.diagnosis.course import SPIKE

_FEWEST, _MOST = 20, 10_000  # norms that make a median


class Jumps:
    """Tells the first norm that is far above the median of those before it; the summary has the largest.

        norm_n > 100 median(norm_0, ..., norm_{n-1}),   of the last 10,000 norms at most

    Args:
        name: Of the run.
    """

    def __init__(self, name: str):
        self._name = name
        self._norms = np.empty(0)
        self._told = False

    def of(self, train_steps: np.ndarray, norms: np.ndarray) -> Iterator[str]:
        """Yield a sentence where one of these norms, (N,), is the first that jumps.

        Args:
            train_steps: Their training steps, (N,).
            norms: Global norms of the gradient, after those of the calls before.
        """
        if self._told:
            return
        usual = float(np.median(self._norms)) if len(self._norms) >= _FEWEST else np.inf
        far = np.flatnonzero(~(norms <= SPIKE * usual))
        self._norms = np.concatenate([self._norms, norms])[-_MOST:]
        if len(far) and np.isfinite(usual):
            self._told = True
            first = far[0]
            text = f"{self._name}: at training step {train_steps[first]} the norm of the gradient jumped to"
            yield f"{text} {norms[first]:.2g}, from a median of {usual:.2g} before"
