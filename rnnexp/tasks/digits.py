"""Handwritten digits, read pixel by pixel or row by row."""

import functools
import math
import numbers
from collections.abc import Iterator

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.extras import explained
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import Batch, Stream, Task, class_floor, held_out_share, shortest_window

IMAGES_PER_DIGIT = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
"""Images of 0 to 9 in the data set. Kept here so that the floor is known without reading the images."""

_FEATURES = {64: 1, 8: 8}
"""The lengths at which an image of 8 x 8 pixels can be read, and the features of a step."""

_NOISE = 2**40
"""First counter of the noise, beyond the number of epochs of any run."""


class Digits(Task):
    """Which digit is it, from the 1,797 images of 8 x 8 pixels that scikit-learn carries.

        x_t = pixel t / 16  (seq_len 64),   or row t / 16  (seq_len 8);    y = the digit, at the last step

    `x` is (B, 64, 1) or (B, 8, 8) with values in [0, 1], from left to right and top to bottom; `y` is (B,).
    A small sibling of the pixel-by-pixel MNIST of Le, Jaitly and Hinton 2015 (https://arxiv.org/abs/1504.00941)
    that needs no download; images: https://archive.ics.uci.edu/dataset/80 (the part called test there).

    `permute` reads the pixels or rows in one random order, the same for every image, seed and run, which
    breaks up the neighbourhood in time (the permuted task of Le et al.). `pad` steps of noise, N(0, 1) in
    every feature, follow the image, so that T = `seq_len` + `pad`: how long the digit is remembered becomes a
    number of its own (the noise-padded images of Chang et al. 2019, https://arxiv.org/abs/1902.09689).

    A fixed share of the images of every digit is held out, the same ones under every seed, so that runs
    compare. `validation` yields these, each once; the last batch may be short. The streams `validation` and
    `probe` draw from them too, `train` from all others. A stream goes through its images epoch by epoch, each
    in an order of its own, keyed by the seed, the stream and the epoch: sampling without replacement, as is
    usual for a finite set. A batch may span the end of an epoch.

    The floor is that of the best constant predictor scored on the held-out images, whatever the order and the
    padding: with p_k the share of digit k among them,

        floor_loss = -sum_k p_k ln p_k  nats  (ln 10 within 0.1 %),    floor_error = 1 - max_k p_k  (about .9)

    No criterion is published for these sequences; 5 % of the held-out images wrong is this project's own, and
    not on 10,000 fresh sequences, which do not exist: with 359 images held out its standard error is 1.2 %.

    Args:
        seq_len: 64 (pixels) or 8 (rows).
        held_out: Share of the images of every digit that is held out, in [0.01, 0.99].
        pad: Steps of noise after the image, at least 0.
        permute: Whether to read the image in a fixed random order.

    Raises:
        ArgumentError: An argument is outside its domain.
    """

    loss = "cross_entropy"
    loss_unit = "nats"
    criterion = 0.05

    output_size = 10

    def __init__(self, seq_len: int, held_out: float = 0.2, pad: int = 0, permute: bool = False):
        if not isinstance(seq_len, numbers.Integral) or seq_len not in _FEATURES:
            raise checks.ArgumentError("seq_len", "64 (pixels) or 8 (rows)", seq_len)
        self.pad: int = checks.integer("pad", pad, minimum=0)
        self.permute: bool = checks.boolean("permute", permute)
        self.seq_len = int(seq_len)
        self.time_steps = self.seq_len + self.pad
        self.input_size = _FEATURES[self.seq_len]
        self.held_out = held_out_share(held_out)
        self._counts: list[int] = [round(self.held_out * count) for count in IMAGES_PER_DIGIT]
        counts = np.array(self._counts)
        self.floor_loss, self.floor_error = class_floor(counts)
        with np.errstate(divide="ignore"):  # a digit that is not held out is not asked for
            self._surprise: np.ndarray = -np.log(counts / counts.sum())

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, F) and `y` (B,) of batch `index`."""
        train, held_out = self._split
        rows = train if stream == "train" else held_out
        return self._images(rows[_draw(seed, stream, index, batch_size, len(rows))], seed, stream, index)

    def validation(self, seed: int, batch_size: int) -> Iterator[Batch]:
        """Yield the held-out images once, in batches of `batch_size`, the last of which may be short.

        They are the same under every `seed`.
        """
        _, held_out = self._split
        for index, start in enumerate(range(0, len(held_out), batch_size)):
            # The noise is that of a fixed seed, so that runs are judged on the same sequences.
            yield self._images(held_out[start : start + batch_size], 0, "validation", index)

    def baseline_losses(self, batch: Batch) -> np.ndarray:
        """Return -ln p_y of every image, (B,), nats."""
        return self._surprise[batch.y]

    def proven_horizon(self, loss: float) -> float:
        """Return the steps that a predictor must have seen to have this loss; nan without padding."""
        if self.pad == 0:
            return math.nan
        floors = np.zeros(self.time_steps + 1)
        floors[: self.pad + 1] = self.floor_loss
        return float(np.ceil(shortest_window(floors, loss)))

    @functools.cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the training and of the held-out images."""
        _, digits = _load()
        # The key is a constant: the split belongs to the task, not to a run.
        rng = generator(0, "validation")
        shuffled = [rng.permutation(np.flatnonzero(digits == digit)) for digit in range(10)]
        held_out = [rows[:count] for rows, count in zip(shuffled, self._counts, strict=True)]
        held_out_rows = np.sort(np.concatenate(held_out))
        return np.setdiff1d(np.arange(len(digits)), held_out_rows), held_out_rows

    @functools.cached_property
    def _order(self) -> np.ndarray:
        """The image's step that is read at each step; a constant of the task, not of a run."""
        return generator(0, "train").permutation(self.seq_len) if self.permute else np.arange(self.seq_len)

    def _images(self, rows: np.ndarray, seed: int, stream: Stream, index: int) -> Batch:
        images, digits = _load()
        x = images[rows].reshape(len(rows), self.seq_len, self.input_size)[:, self._order]
        return Batch(np.concatenate([x, self._noise(len(x), seed, stream, index)], axis=1), digits[rows])

    def _noise(self, images: int, seed: int, stream: Stream, index: int) -> np.ndarray:
        size = (images, self.pad, self.input_size)
        # One counter beyond all epochs' orders, which come from the same key.
        return generator(seed, stream, _NOISE + index).standard_normal(size, dtype=np.float32)


def _draw(seed: int, stream: Stream, index: int, batch_size: int, size: int) -> np.ndarray:
    """Return batch `index` of the endless sequence of permuted epochs of `size` items."""
    start = index * batch_size
    epoch, skipped = divmod(start, size)
    epochs = range(epoch, (start + batch_size - 1) // size + 1)
    order = np.concatenate([generator(seed, stream, epoch).permutation(size) for epoch in epochs])
    return order[skipped : skipped + batch_size]


@functools.cache
def _load() -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels (1797, 64) in [0, 1] float32 and the digits (1797,) int32."""
    # Here, since scikit-learn takes a second to import and other tasks do not need it.
    with explained():
        from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    return (pixels / 16).astype(np.float32), digits.astype(np.int32)
