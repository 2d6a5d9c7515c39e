"""Checks of constructor arguments: what was expected, what came. Needs nothing but the standard library."""

import difflib
import math
import numbers
from collections.abc import Callable, Sequence

from rnnexp.runtime.secrets import clean

_LONGEST = 2000  # characters of a line


class ArgumentError(ValueError):
    """An argument is outside its domain.

    Args:
        name: The argument's name, such as `"threshold"`.
        expected: What would have been taken, such as `"a finite number above 0"`.
        received: The value that came.
    """

    def __init__(self, name: str, expected: str, received: object):
        super().__init__(clean(f"{name}: expected {expected}, received {received!r}"))
        self.name = name
        self.expected = expected
        self.received = received


def one_line(error: Exception) -> str:
    """Return the message of an exception in one line, with its class unless it is an `ArgumentError`."""
    text = " ".join(str(error).split())
    kind = "" if isinstance(error, ArgumentError) else f"{type(error).__name__}: "
    return clean(f"{kind}{text}")[:_LONGEST]


def integer(name: str, value: object, minimum: int, maximum: int | None = None) -> int:
    """Return `value` if it is an integer from `minimum` to `maximum`, else raise `ArgumentError`."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    number = int(value) if whole else minimum - 1  # type: ignore[call-overload]  # mypy does not follow `whole`
    if number < minimum or (maximum is not None and number > maximum):
        range_ = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ArgumentError(name, f"an integer {range_}", value)
    return number


def finite(name: str, value: object) -> float:
    """Return `value` as a float if it is a finite number; else raise ArgumentError."""
    return _real(name, value, "a finite number", lambda _: True)


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
        raise ArgumentError(name, one_of(choices, value), value)
    return value


def one_of(choices: Sequence[str], value: object) -> str:
    """Return what is expected where `value` is none of `choices`: all of them, and the one that may be meant.

    >>> one_of(["tanh", "relu"], "rleu")
    'one of tanh, relu (did you mean relu?)'
    """
    near = nearest(value, choices) if isinstance(value, str) else None
    return f"one of {', '.join(choices)}" + (f" (did you mean {near}?)" if near else "")


def nearest(word: str, choices: Sequence[str]) -> str | None:
    """Return the choice most similar to `word`, or None where none is close.

    >>> nearest("seqlen", ["units", "seq_len"])
    'seq_len'
    """
    matches = difflib.get_close_matches(word, choices, n=1)
    return matches[0] if matches else None


def _real(name: str, value: object, expected: str, holds: Callable[[float], bool]) -> float:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise ArgumentError(name, expected, value)
    try:
        number = float(value)
    except OverflowError:  # an integer beyond every float
        number = math.inf
    if not math.isfinite(number) or not holds(number):
        raise ArgumentError(name, expected, value)
    return number
