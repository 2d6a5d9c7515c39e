"""The next character of a text."""

import functools

import numpy as np

from rnnexp.tasks.ngrams import Bigram
from rnnexp.tasks.text import TextTask


class Characters(TextTask):
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

    symbols = "characters"
    loss_unit = "nats per character"
    baseline = "bigram table of the training text"

    @property
    def alphabet(self) -> str:
        """The characters of classes 0 to V - 2, in the order of their code points."""
        return "".join(self._known)

    @functools.cached_property
    def _bigram(self) -> Bigram:
        return Bigram(self._train, self.output_size, strength=1.0)

    def _encode(self, text: str) -> tuple[str, np.ndarray]:
        codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        known = np.flatnonzero(np.bincount(codes[: self._boundary(len(codes))]))
        class_of = np.full(codes.max() + 1, len(known), dtype=np.int32)
        class_of[known] = np.arange(len(known))
        return "".join(map(chr, known)), class_of[codes]
