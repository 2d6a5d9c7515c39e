"""The next character of a text."""

import os
from collections.abc import Iterator

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.task import (
    VALIDATION_SEQUENCES,
    Batch,
    Stream,
    Task,
    class_floor,
    held_out_share,
    misclassified,
    one_hot,
)
from rnnexp.tasks.text import text_of


class Characters(Task):
    """Predict the next character of a text.

        x_t = one-hot(c_t),    y_t = c_(t+1),    t = 1 .. T

    `x` is (B, T, V) and `y` (B, T), with T = `seq_len` and V the number of different characters in the
    training part, plus one class, the last, for characters that occur in the held-out part only. The last
    `held_out` of the text is held out. A training batch takes T + 1 characters from uniformly random places
    of the training part, with replacement; the streams `validation` and `probe` do so from the held-out part.
    `validation` yields the held-out part window by window, each character scored once, up to 10,000 windows.

    The floor is that of the best constant predictor on the characters that `validation` scores, which are the
    held-out part without its first character and the up to T - 1 at its end that fill no window: with p_k the
    share of class k among them

        floor_loss = -sum_k p_k ln p_k  nats per character,    floor_error = 1 - max_k p_k

    Learning is measured against more than that: the bigram table of the training part,

        p(c' | c) = (n_cc' + a u_c') / (n_c + a),    u_c' = (n_c' + 1) / (n + V),    a = 1

    with n_cc' how often c' follows c. It knows the character that is read and none before, so that a lower
    loss than its own proves a memory of more than that.

    An error is the share of wrong characters of a sequence. There is no criterion: no text is ever solved.

    Without `path` the text is the reference that CPython carries for `help()`, `pydoc_data.topics`, its
    topics in the order of their names: English and some Python, 464,970 characters in CPython 3.11.7. It
    differs a little between versions of Python, and so do its floors. It also repeats itself: about 8 % of
    the held-out part stands word for word (100 characters or more) in the training part. Compare runs on it
    with one another, and with nothing published.

    Args:
        seq_len: T, at least 1; both parts of the text need `seq_len` + 1 characters.
        path: A UTF-8 text file, or None for the text above. Every line end is read as one newline.
        held_out: Share of the text that is held out, in [0.01, 0.99].

    Attributes:
        alphabet: The characters of classes 0 to V - 2.

    Raises:
        ArgumentError: An argument is outside its domain, or the text cannot be read or is too short.
    """

    scores_every_step = True
    loss = "cross_entropy"
    loss_unit = "nats per character"
    criterion = None
    baseline = "bigram table of the training text"

    def __init__(self, seq_len: int, path: str | os.PathLike[str] | None = None, held_out: float = 0.1):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        self.path = path
        self.held_out = held_out_share(held_out)
        codes = _codes(text_of(path))
        boundary = len(codes) - round(len(codes) * self.held_out)
        self._check_length(min(boundary, len(codes) - boundary))
        self.alphabet, classes = _classify(codes, boundary)
        self.input_size = self.output_size = len(self.alphabet) + 1
        self._train, self._held_out = classes[:boundary], classes[boundary:]
        self._windows = min((len(self._held_out) - 1) // self.time_steps, VALIDATION_SEQUENCES)
        scored = self._held_out[1 : 1 + self._windows * self.time_steps]
        self.floor_loss, self.floor_error = class_floor(np.bincount(scored))
        self._surprise = _bigram_surprise(self._train, self.input_size)

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, V) and `y` (B, T) of batch `index`."""
        text = self._train if stream == "train" else self._held_out
        starts = generator(seed, stream, index).integers(len(text) - self.time_steps, size=batch_size)
        return self._cut(text, starts)

    def validation(self, seed: int, batch_size: int) -> Iterator[Batch]:
        """Yield the held-out text in consecutive windows, at most 10,000, the last batch possibly short.

        They are the same under every `seed`.
        """
        for first in range(0, self._windows, batch_size):
            windows = np.arange(first, min(first + batch_size, self._windows))
            yield self._cut(self._held_out, windows * self.time_steps)

    def baseline_losses(self, batch: Batch) -> np.ndarray:
        """Return the mean of -ln p(c_{t+1} | c_t) over the steps of every sequence, (B,), nats."""
        return self._surprise[batch.x.argmax(axis=2), batch.y].mean(axis=1)

    def errors(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the share of the T characters that `prediction` (B, T, V) has wrong."""
        return misclassified(prediction, y).mean(axis=1)

    def _cut(self, text: np.ndarray, starts: np.ndarray) -> Batch:
        classes = text[starts[:, None] + np.arange(self.time_steps + 1)]
        return Batch(one_hot(classes[:, :-1], self.input_size), np.ascontiguousarray(classes[:, 1:]))

    def _check_length(self, shorter: int) -> None:
        if shorter < 2:
            raise checks.ArgumentError("path", "a text with two characters or more in both parts", self.path)
        if self.time_steps >= shorter:
            expected = f"at most {shorter - 1}, since the shorter part of the text has {shorter} characters"
            raise checks.ArgumentError("seq_len", expected, self.seq_len)


def _bigram_surprise(text: np.ndarray, classes: int) -> np.ndarray:
    """Return -ln p(c' | c), (V, V), from the classes of a text."""
    counts = np.bincount(text[:-1].astype(np.int64) * classes + text[1:], minlength=classes**2)
    counts = counts.reshape(classes, classes)
    alone = (np.bincount(text, minlength=classes) + 1) / (len(text) + classes)
    return -np.log((counts + alone) / (counts.sum(axis=1, keepdims=True) + 1))


def _codes(text: str) -> np.ndarray:
    """Return the code points of `text`."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def _classify(codes: np.ndarray, boundary: int) -> tuple[str, np.ndarray]:
    """Return the characters before `boundary` in order, and the class (int32) of every code point."""
    known = np.flatnonzero(np.bincount(codes[:boundary]))
    class_of = np.full(codes.max() + 1, len(known), dtype=np.int32)
    class_of[known] = np.arange(len(known))
    return "".join(map(chr, known)), class_of[codes]
