"""Random numbers from a counter, so that a batch depends on its own coordinates only."""

import numpy as np

_STREAMS = {"train": 0, "validation": 1, "probe": 2, "weights": 3, "train_length": 4}


def generator(seed: int, stream: str, index: int = 0) -> np.random.Generator:
    """Return the generator of item `index` of `stream` under `seed`.

    Philox 4x64 (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405) encrypts a counter under a key:
    the key is (seed, stream), the counter's upper words are the index, so two items never share a number and
    none depends on what was drawn before.

    >>> float(generator(0, "train", 7).random()) == float(generator(0, "train", 7).random())
    True
    """
    # As 64-bit words: NumPy would convert a list with a number of 2^63 or more to float64.
    key = np.array([seed, _STREAMS[stream]], np.uint64)
    counter = np.array([0, 0, index, 0], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
