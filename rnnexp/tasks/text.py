"""What the tasks over texts share: a text, its two parts, and windows of it to predict the next symbol in."""

import abc
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.random import generator
from rnnexp.tasks.ngrams import Bigram
from rnnexp.tasks.task import (
    VALIDATION_SEQUENCES,
    Batch,
    Stream,
    Task,
    class_floor,
    held_out_share,
    one_hot,
)

_READABLE = "a readable UTF-8 text file"


class TextTask(Task):
    """Predict the next symbol of a text: x_t = one-hot(s_t), y_t = s_(t+1), t = 1 .. T.

    The symbols that occur in the training part have a class each; one more class, the last, stands for all
    others. Batches, parts and floor are as `rnnexp.tasks.Characters` describes them.

    Args:
        seq_len: T, at least 1; both parts of the text need `seq_len` + 1 symbols.
        path: A UTF-8 text file, or None for the reference that CPython carries.
        held_out: Share of the text that is held out, in [0.01, 0.99].

    Attributes:
        symbols: What the symbols are called, such as "words".

    Raises:
        ArgumentError: An argument is outside its domain, or the text cannot be read or is too short.
    """

    scores_every_step = True
    loss = "cross_entropy"
    criterion = None

    symbols: ClassVar[str]

    def __init__(self, seq_len: int, path: str | os.PathLike[str] | None = None, held_out: float = 0.1):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        self.path, self.held_out = path, held_out_share(held_out)
        self._known, classes = self._encode(text_of(path))
        boundary = self._boundary(len(classes))
        self.input_size = self.output_size = len(self._known) + 1
        self._train, self._held_out = classes[:boundary], classes[boundary:]
        self._windows = min((len(self._held_out) - 1) // self.time_steps, VALIDATION_SEQUENCES)
        scored = self._held_out[1 : 1 + self._windows * self.time_steps]
        self.floor_loss, self.floor_error = class_floor(np.bincount(scored))

    @abc.abstractmethod
    def _encode(self, text: str) -> tuple[Sequence[str], np.ndarray]:
        """Return the symbols with a class of their own, and the class of every symbol of `text`, int32."""

    def _boundary(self, length: int) -> int:
        """Return how many of the `length` symbols of the text are its training part."""
        boundary = length - round(length * self.held_out)
        shorter = min(boundary, length - boundary)
        if shorter < 2:
            expected = f"a text with two {self.symbols} or more in both parts"
            raise ArgumentError("path", expected, self.path)
        if self.time_steps >= shorter:
            expected = (
                f"at most {shorter - 1}, since the shorter part of the text has {shorter} {self.symbols}"
            )
            raise ArgumentError("seq_len", expected, self.seq_len)
        return boundary

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

    @property
    @abc.abstractmethod
    def _bigram(self) -> Bigram:
        """The baseline, from the training part."""

    def baseline_losses(self, batch: Batch) -> np.ndarray:
        """Return the mean of the bigram's -ln p(s_{t+1} | s_t) over every sequence, (B,), nats."""
        return self._bigram.losses(batch.x.argmax(axis=2), batch.y).mean(axis=1)

    def _cut(self, text: np.ndarray, starts: np.ndarray) -> Batch:
        classes = text[starts[:, None] + np.arange(self.time_steps + 1)]
        return Batch(one_hot(classes[:, :-1], self.input_size), np.ascontiguousarray(classes[:, 1:]))


def text_of(path: object) -> str:
    """Return the text of a UTF-8 file, every line end as one newline; without a path, Python's reference.

    The reference is `pydoc_data.topics`, its topics in the order of their names: English and some Python,
    464,970 characters in CPython 3.11.7, and a little different in other versions.

    Raises:
        ArgumentError: The file cannot be read as UTF-8, or is empty.
    """
    if path is None:
        return _topics()
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError("path", _READABLE, path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # UnicodeDecodeError and a path with a zero byte are ValueErrors
        raise ArgumentError("path", _READABLE, str(path)) from error
    if text == "":
        raise ArgumentError("path", "a text file that is not empty", str(path))
    return text


def _topics() -> str:
    # Here, since it is half a megabyte that only texts need.
    from pydoc_data.topics import topics

    return "".join(topics[name] for name in sorted(topics))
