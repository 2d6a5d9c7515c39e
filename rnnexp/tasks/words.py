"""The next word of a text."""

import functools
import math
import os
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.random import generator
from rnnexp.tasks.ngrams import Bigram, Unigram, fit_bigram
from rnnexp.tasks.task import (
    VALIDATION_SEQUENCES,
    Batch,
    Predict,
    Report,
    Stream,
    Task,
    class_floor,
    held_out_share,
    misclassified,
    one_hot,
)
from rnnexp.tasks.text import text_of

UNKNOWN = "<unknown>"
"""Stands for every word outside the vocabulary."""

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_ENDS = (".", "!", "?")
_SENTENCES, _SHOWN, _GUESSES = 5, 6, 3
"""Sentences of a report, the words shown of each, and the guesses for the next."""


class Words(Task):
    """Predict the next word of a text.

        x_t = one-hot(w_t),    y_t = w_(t+1),    t = 1 .. T

    A word is a run of letters, digits and inner apostrophes, in lower case; every other sign but white space
    is a word of its own. The classes are the `vocabulary` most frequent words of the training part and, last,
    one for all others. `x` is (B, T, V) and `y` (B, T), T = `seq_len`, V the number of classes. The row of
    W_xh (V, H) at a word is that word's embedding, H numbers that are trained: W_xh^T x_t looks it up.

    The text, its parts, streams and windows are those of `Characters`, counted in words. The floor is that of
    the best constant predictor on the words that `validation` scores: with p_k the share of class k

        floor_loss = -sum_k p_k ln p_k  nats per word,    floor_error = 1 - max_k p_k

    `report` sets the network beside the unigram and the bigram of the training text, in perplexity,
    exp(loss), and shows its guesses in five held-out sentences.

    An error is the share of wrong words of a sequence. There is no criterion: no text is ever solved.

    Args:
        seq_len: T, at least 1; both parts of the text need `seq_len` + 1 words.
        path: A UTF-8 text file, or None for the reference that CPython carries.
        vocabulary: Words with a class of their own, at least 1; a text may have fewer.
        held_out: Share of the text that is held out, in [0.01, 0.99].

    Attributes:
        words: The words of classes 0 to V - 2, the most frequent first.

    Raises:
        ArgumentError: An argument is outside its domain, or the text cannot be read or is too short.
    """

    scores_every_step = True
    loss = "cross_entropy"
    loss_unit = "nats per word"
    criterion = None
    baseline = "bigram of the training text"

    def __init__(
        self,
        seq_len: int,
        path: str | os.PathLike[str] | None = None,
        vocabulary: int = 1000,
        held_out: float = 0.1,
    ):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        self.vocabulary = checks.integer("vocabulary", vocabulary, minimum=1)
        self.path, self.held_out = path, held_out_share(held_out)
        text = _WORD.findall(text_of(path).lower())
        boundary = len(text) - round(len(text) * self.held_out)
        self._check_length(min(boundary, len(text) - boundary))
        known = Counter(text[:boundary]).most_common(self.vocabulary)
        self.words = tuple(word for word, _ in known)
        self.input_size = self.output_size = len(self.words) + 1
        class_of = {word: place for place, word in enumerate(self.words)}
        classes = np.array([class_of.get(word, len(self.words)) for word in text], np.int32)
        self._train, self._held_out = classes[:boundary], classes[boundary:]
        self._windows = min((len(self._held_out) - 1) // self.time_steps, VALIDATION_SEQUENCES)
        scored = self._held_out[1 : 1 + self._windows * self.time_steps]
        self.floor_loss, self.floor_error = class_floor(np.bincount(scored))

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, V) and `y` (B, T) of batch `index`."""
        text = self._train if stream == "train" else self._held_out
        return self._cut(
            text, generator(seed, stream, index).integers(len(text) - self.time_steps, size=batch_size)
        )

    def validation(self, seed: int, batch_size: int) -> Iterator[Batch]:
        """Yield the held-out text in consecutive windows, at most 10,000; the same under every `seed`."""
        for first in range(0, self._windows, batch_size):
            windows = np.arange(first, min(first + batch_size, self._windows))
            yield self._cut(self._held_out, windows * self.time_steps)

    def baseline_losses(self, batch: Batch) -> np.ndarray:
        """Return the mean of the bigram's -ln p(w_{t+1} | w_t) over every sequence, (B,), nats."""
        return self._bigram.losses(batch.x.argmax(axis=2), batch.y).mean(axis=1)

    def errors(self, prediction: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the share of the T words that `prediction` (B, T, V) has wrong."""
        return misclassified(prediction, y).mean(axis=1)

    def report(self, predict: Predict) -> Report:
        """Set `predict` beside the unigram and the bigram, and show its next words in five sentences.

        Its metrics are `val/perplexity`, `task/unigram_perplexity`, `task/bigram_perplexity`,
        `val/loss_below_unigram`, `val/loss_below_unigram_half_width`, `val/loss_below_bigram` and
        `val/loss_below_bigram_half_width`.
        """
        unigram = Unigram(self._train, self.output_size)
        losses: dict[str, list[np.ndarray]] = {"network": [], "unigram": [], "bigram": []}
        for batch in self.validation(0, 100):
            losses["network"].append(_losses(predict(batch.x), batch.y))
            losses["unigram"].append(unigram.losses(batch.y).mean(axis=1))
            losses["bigram"].append(self.baseline_losses(batch))
        arrays = {f"{name}_loss": np.concatenate(parts) for name, parts in losses.items()}
        perplexities = {name: float(np.exp(arrays[f"{name}_loss"].mean())) for name in losses}
        metrics = {"val/perplexity": perplexities["network"]}
        metrics |= {f"task/{name}_perplexity": perplexities[name] for name in ("unigram", "bigram")}
        for name in ("unigram", "bigram"):
            difference = arrays[f"{name}_loss"] - arrays["network_loss"]
            metrics[f"val/loss_below_{name}"] = float(difference.mean())
            metrics[f"val/loss_below_{name}_half_width"] = _half_width(difference)
        return Report((_compared(metrics), *self._guesses(predict)), metrics, arrays)

    @functools.cached_property
    def _bigram(self) -> Bigram:
        return fit_bigram(self._train, self.output_size)

    def _guesses(self, predict: Predict) -> list[str]:
        """Five beginnings of held-out sentences, the likeliest next words, and the next word of the text."""
        places = self._beginnings()
        x, y = self._cut(self._held_out, places - self.time_steps)
        chances = _probabilities(predict(x)[:, -1])
        sentences = []
        for row, place, truth in zip(chances, places, y[:, -1], strict=True):
            shown = " ".join(self._word(k) for k in self._held_out[max(0, place - _SHOWN) : place])
            likely = [f"{self._word(k)} ({row[k]:.0%})" for k in row.argsort()[::-1][:_GUESSES]]
            sentences.append(f"{shown} ... {', '.join(likely)}; the text: {self._word(truth)}")
        return sentences

    def _beginnings(self) -> np.ndarray:
        """Places of the held-out text, five or fewer, `_SHOWN` words into a sentence where there are any."""
        last = len(self._held_out) - 1
        ends = [place for place, word in enumerate(self.words) if word in _ENDS]
        after = np.flatnonzero(np.isin(self._held_out, ends)) + 1 + _SHOWN
        after = after[(after >= self.time_steps) & (after <= last)]
        places = after if len(after) >= _SENTENCES else np.arange(self.time_steps, last + 1)
        return np.unique(places[np.linspace(0, len(places) - 1, _SENTENCES).astype(int)])

    def _word(self, place: int) -> str:
        return (*self.words, UNKNOWN)[place]

    def _cut(self, text: np.ndarray, starts: np.ndarray) -> Batch:
        classes = text[starts[:, None] + np.arange(self.time_steps + 1)]
        return Batch(one_hot(classes[:, :-1], self.input_size), np.ascontiguousarray(classes[:, 1:]))

    def _check_length(self, shorter: int) -> None:
        if shorter < 2:
            raise checks.ArgumentError("path", "a text with two words or more in both parts", self.path)
        if self.time_steps >= shorter:
            expected = f"at most {shorter - 1}, since the shorter part of the text has {shorter} words"
            raise checks.ArgumentError("seq_len", expected, self.seq_len)


def _half_width(values: np.ndarray) -> float:
    """Return half the 95 % interval of the mean; nan of one value."""
    return math.nan if len(values) < 2 else 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values))


def _probabilities(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _losses(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean cross-entropy of every sequence, (B,), from logits (B, T, V)."""
    logits = logits.astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
    return (total - np.take_along_axis(logits, y[..., None].astype(np.int64), axis=-1)[..., 0]).mean(axis=1)


def _compared(metrics: dict[str, float]) -> str:
    parts = []
    for name in ("unigram", "bigram"):
        below, half_width = metrics[f"val/loss_below_{name}"], metrics[f"val/loss_below_{name}_half_width"]
        parts.append(
            f"{name} {metrics[f'task/{name}_perplexity']:.1f} ({below:+.3f} +- {half_width:.3f} nats)"
        )
    floors = " and ".join(parts)
    return f"Perplexity {metrics['val/perplexity']:.1f}; of the training text's {floors} above the network's."
