"""Numbers as text on the page."""

import math
from collections.abc import Callable, Sequence

from rnnexp.plotting import style

MISSING = "–"


def rate(value: float) -> str:
    """Return a rate, nats per step.

    >>> rate(-0.0767), rate(float("nan"))
    ('−0.0767', '–')
    """
    return style.rate(value) if math.isfinite(value) else MISSING


def decades(value: float) -> str:
    """Return a log10 ratio.

    >>> decades(-7.27)
    '−7.27'
    """
    return style.number(value, "z.2f") if math.isfinite(value) else MISSING


def loss(value: float) -> str:
    """Return a loss to three digits, without zeros that say nothing.

    >>> loss(1 / 6), loss(1234567.0), loss(1e-7)
    ('0.167', '1.23e+06', '1e−07')
    """
    return style.number(value, ".3g") if math.isfinite(value) else MISSING


def percent(value: float) -> str:
    """Return a share in whole per cent, finer where it is small.

    >>> percent(0.4385), percent(0.0043), percent(0.0)
    ('44 %', '0.43 %', '0 %')
    """
    if not math.isfinite(value):
        return MISSING
    return f"{100 * value:.2g} %" if 0 < value < 0.01 else f"{100 * value:.0f} %"


def steps(value: float) -> str:
    """Return a number of steps.

    >>> steps(1250.0)
    '1,250'
    """
    return f"{value:,.0f}" if math.isfinite(value) else MISSING


def median_steps(value: float, low: float, high: float) -> str:
    """Return a median of steps with its interval; inf is beyond what was trained.

    >>> median_steps(1200.0, 900.0, 2000.0), median_steps(1200.0, 900.0, float("inf"))
    ('1,200 [900, 2,000]', '1,200 [900, ∞)')
    >>> median_steps(float("inf"), 900.0, float("inf")), median_steps(*[float("inf")] * 3)
    ('not reached [900, ∞)', 'not reached')
    """
    if math.isnan(value):
        return MISSING
    text = steps(value) if math.isfinite(value) else "not reached"
    if not math.isfinite(low):
        return text
    return f"{text} [{steps(low)}, {steps(high)}]" if math.isfinite(high) else f"{text} [{steps(low)}, ∞)"


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "run"), count(3, "seed"), count(0, "group")
    ('1 run', '3 seeds', 'no group')
    """
    if number == 0:
        return f"no {noun}"
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def interval(form: Callable[[float], str], low: float, high: float) -> str:
    """Return an interval, empty where there is none; of shares with one sign for both ends.

    >>> interval(percent, 0.0, 0.5615), interval(loss, 0.25, 0.5)
    ('[0, 56] %', '[0.25, 0.5]')
    """
    if not math.isfinite(low + high):
        return ""
    between = f"[{form(low)}, {form(high)}]"
    return f"{between.replace(' %', '')} %" if form is percent else between


def estimate(form: Callable[[float], str], value: float, low: float, high: float) -> str:
    """Return a value with its interval, if it has one.

    >>> estimate(percent, 0.36, 0.35, 0.38), estimate(loss, 0.5, float("nan"), float("nan"))
    ('36 [35, 38] %', '0.5')
    """
    between = interval(form, low, high)
    return f"{form(value).removesuffix(' %')} {between}" if between else form(value)


def listed(items: Sequence[str]) -> str:
    """Return items as a list in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
