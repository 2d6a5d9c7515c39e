"""Checks of constructor arguments: what was expected, what came. Needs nothing but the standard library."""

import difflib
import math
import numbers
from collections.abc import Sequence


class ArgumentError(ValueError):
    """An argument is outside its domain.

    Args:
        name: The argument's name, such as `"threshold"`.
        expected: What would have been taken, such as `"a finite number above 0"`.
        received: The value that came.
    """

    def __init__(self, name: str, expected: str, received: object):
        super().__init__(f"{name}: expected {expected}, received {received!r}")
        self.name = name
        self.expected = expected
        self.received = received


def integer(name: str, value: object, minimum: int, maximum: int | None = None) -> int:
    """Return `value` if it is an integer from `minimum` to `maximum`, else raise `ArgumentError`."""
    expected = (
        f"an integer of at least {minimum}" if maximum is None else f"an integer from {minimum} to {maximum}"
    )
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ArgumentError(name, expected, value)
    if maximum is not None and value > maximum:
        raise ArgumentError(name, expected, value)
    return int(value)


def positive(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number above 0, else raise `ArgumentError`."""
    return _real(name, value, "a finite number above 0", lambda number: number > 0)


def non_negative(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number of at least 0, else raise `ArgumentError`."""
    return _real(name, value, "a finite number of at least 0", lambda number: number >= 0)


def fraction(name: str, value: object) -> float:
    """Return `value` as a float if it lies in [0, 1), else raise `ArgumentError`."""
    return _real(name, value, "a number in [0, 1)", lambda number: 0 <= number < 1)


def boolean(name: str, value: object) -> bool:
    """Return `value` if it is true or false, else raise `ArgumentError`."""
    if not isinstance(value, bool):
        raise ArgumentError(name, "true or false", value)
    return value


def choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`, else raise `ArgumentError` that lists them."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(name, f"one of {', '.join(choices)}", value)
    return value


def nearest(word: str, choices: Sequence[str]) -> str | None:
    """Return the choice most similar to `word`, or None where none is close.

    >>> nearest("seqlen", ["units", "seq_len"])
    'seq_len'
    """
    matches = difflib.get_close_matches(word, choices, n=1)
    return matches[0] if matches else None


def _real(name, value, expected, holds) -> float:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not holds(value):
        raise ArgumentError(name, expected, value)
    return float(value)
