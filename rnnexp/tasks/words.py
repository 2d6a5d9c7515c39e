"""The next word of a text."""

import functools
import math
import os
import re
from collections import Counter

import numpy as np

from rnnexp.runtime import checks
from rnnexp.tasks.ngrams import Bigram, Unigram, fit_bigram
from rnnexp.tasks.task import Predict, Report
from rnnexp.tasks.text import TextTask

UNKNOWN = "<unknown>"
"""Stands for every word outside the vocabulary."""

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_ENDS = (".", "!", "?")
_SENTENCES, _SHOWN, _GUESSES = 5, 6, 3
"""Sentences of a report, the words shown of each, and the guesses for the next."""


class Words(TextTask):
    """Predict the next word of a text.

        x_t = one-hot(w_t),    y_t = w_(t+1),    t = 1 .. T

    A word is a run of letters, digits and inner apostrophes, in lower case; every other sign but white space
    is a word of its own. The classes are the `vocabulary` most frequent words of the training part and, last,
    one for all others. `x` is (B, T, V) and `y` (B, T), T = `seq_len`, V the number of classes. The row of
    W_xh (V, H) at a word is that word's embedding, H numbers that are trained: W_xh^T x_t looks it up.

    The text, its parts, streams and windows are those of `Characters`, counted in words. The floor is that of
    the best constant predictor on the words that `validation` scores: with p_k the share of class k

        floor_loss = -sum_k p_k ln p_k  nats per word,    floor_error = 1 - max_k p_k

    `report` compares the network with the unigram and the bigram of the training text, in perplexity,
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

    symbols = "words"
    loss_unit = "nats per word"
    baseline = "bigram of the training text"

    def __init__(
        self,
        seq_len: int,
        path: str | os.PathLike[str] | None = None,
        vocabulary: int = 1000,
        held_out: float = 0.1,
    ):
        self.vocabulary = checks.integer("vocabulary", vocabulary, minimum=1)
        super().__init__(seq_len, path, held_out)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of classes 0 to V - 2, the most frequent first."""
        return tuple(self._known)

    def report(self, predict: Predict) -> Report:
        """Compare `predict` with the unigram and the bigram, and show its next words in five sentences.

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
        """Return at most five places of the held-out text, `_SHOWN` words into a sentence if possible."""
        last = len(self._held_out) - 1
        ends = [place for place, word in enumerate(self.words) if word in _ENDS]
        after = np.flatnonzero(np.isin(self._held_out, ends)) + 1 + _SHOWN
        after = after[(after >= self.time_steps) & (after <= last)]
        places = after if len(after) >= _SENTENCES else np.arange(self.time_steps, last + 1)
        return np.unique(places[np.linspace(0, len(places) - 1, _SENTENCES).astype(int)])

    def _word(self, place: int) -> str:
        return (*self.words, UNKNOWN)[place]

    def _encode(self, text: str) -> tuple[tuple[str, ...], np.ndarray]:
        words = _WORD.findall(text.lower())
        counts = Counter(words[: self._boundary(len(words))])
        known = tuple(word for word, _ in counts.most_common(self.vocabulary))
        class_of = {word: place for place, word in enumerate(known)}
        return known, np.array([class_of.get(word, len(known)) for word in words], np.int32)


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
