"""Word counts as predictors: the unigram and the bigram of a training text."""

import numpy as np

_STRENGTHS = 2.0 ** np.arange(12)  # among which `fit_bigram` chooses


class Unigram:
    """p(w) = (count(w) + 1) / (words + classes), over the classes of a training text.

    Args:
        classes: The training text, (N,) of integers.
        size: Number of classes.
    """

    def __init__(self, classes: np.ndarray, size: int):
        counts = np.bincount(classes, minlength=size) + 1.0
        self.probabilities = counts / counts.sum()

    def losses(self, words: np.ndarray) -> np.ndarray:
        """Return -ln p of every word, any shape."""
        return -np.log(self.probabilities[words])


class Bigram:
    """p(w | v) = (count(v, w) + strength p(w)) / (count(v) + strength), with the unigram's p(w).

    A Dirichlet prior around the unigram (MacKay and Peto 1995, https://doi.org/10.1017/S1351324900000218).

    Args:
        classes: The training text, (N,) of integers.
        size: Number of classes.
        strength: Words that the prior counts for, above 0.
    """

    def __init__(self, classes: np.ndarray, size: int, strength: float):
        self._unigram, self._size, self._strength = Unigram(classes, size), size, strength
        self._pairs, self._counts = np.unique(self._code(classes[:-1], classes[1:]), return_counts=True)
        self._before = np.bincount(classes[:-1], minlength=size)

    def losses(self, before: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Return -ln p of every word given the one before it, both of one shape."""
        code = self._code(before, words)
        place = np.minimum(np.searchsorted(self._pairs, code), len(self._pairs) - 1)
        count = np.where(self._pairs[place] == code, self._counts[place], 0)
        seen = count + self._strength * self._unigram.probabilities[words]
        return -np.log(seen / (self._before[before] + self._strength))

    def _code(self, before: np.ndarray, words: np.ndarray) -> np.ndarray:
        return before.astype(np.int64) * self._size + words


def fit_bigram(classes: np.ndarray, size: int) -> Bigram:
    """Return the bigram whose strength, fitted to nine tenths of the text, serves the last tenth best."""
    cut = max(2, len(classes) * 9 // 10)
    rest = classes[cut - 1 :]

    def loss(strength: float) -> float:
        return float(Bigram(classes[:cut], size, strength).losses(rest[:-1], rest[1:]).mean())

    return Bigram(classes, size, min(_STRENGTHS, key=loss))
