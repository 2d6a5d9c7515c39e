"""The verdict in words: what limits a run, and what to try, each sentence from named metrics."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

_DECADE = math.log(10)
_THOUSANDS = ("", " thousand", " million", " billion", " trillion")
_MANY = 0.3  # share of saturated units that is worth a sentence
_SOME = 0.05  # share of dead units that is worth a sentence
_SHORT = 10  # steps: no seq_len that anybody would ask for
_SAME = 1e-4  # nats per step: a twentieth of a decade over 1000 steps
_OFTEN = 0.5  # share of clipped updates that is worth a sentence


class Sentence(NamedTuple):
    """One sentence, and the metrics (by the names of the measurement contract) that it is made from."""

    text: str
    metrics: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What was measured of a run, and what theory says of a run started otherwise.

    Attributes:
        activation: Name of phi.
        init: Name of the recurrent initialiser.
        clip: Name of the clip.
        steps: T.
        gradient: Verdict on the gradient.
        learning: Verdict on learning.
        rate: nats per step of lag.
        rate_low: Lower end of its 95 % interval.
        rate_high: Upper end of its 95 % interval.
        predicted_rate: Mean-field rate at the end.
        log10_ratio: Decades from h_T to h_1.
        decades: D of the gradient verdict.
        saturated: Share of saturated units at a typical step.
        dead: Share of dead units.
        clip_fraction: Share of clipped updates.
        loss: Validation loss.
        floor_loss: That of the best constant predictor.
        error: Share of wrong sequences.
        orthogonal_rate: Mean-field rate at the start of a run with init=orthogonal and gain 1.
        diverged_at: Training step of divergence, or None.
        rate_measured_q: Mean-field rate at the measured variance of the pre-activations.
        rate_measured_slopes: Rate of the measured slopes.
        rate_bound: ln(sigma_max sup |phi'|), which the rate cannot exceed.
        gates: Whether the cell has gates: the saturated units are then theirs.
        laws: The modules of `rnnexp.theory` whose laws are laws of the cell. By mean-field theory a gain of
            the recurrent kernel sets the rate; a diagonal kernel hands a live unit's gradient on.
    """

    activation: str
    init: str
    clip: str
    steps: int
    gradient: str
    learning: str
    rate: float
    rate_low: float
    rate_high: float
    predicted_rate: float
    log10_ratio: float
    decades: float
    saturated: float
    dead: float
    clip_fraction: float
    loss: float
    floor_loss: float
    error: float
    orthogonal_rate: float
    diverged_at: int | None
    rate_measured_q: float = math.nan
    rate_measured_slopes: float = math.nan
    rate_bound: float = math.nan
    gates: bool = False
    laws: frozenset[str] = frozenset()


def paragraph(sentences: Iterable[Sentence]) -> str:
    """Return the sentences as one text."""
    return " ".join(sentence.text for sentence in sentences)


def advise(evidence: Evidence) -> list[Sentence]:
    """Return the paragraph: gradient, theory, units, clipping, learning, and what to try."""
    return [sentence for part in _PARTS for sentence in part(evidence)]


def _gradient(e: Evidence) -> Iterator[Sentence]:
    names = ("grad/rate", "grad/log10_ratio", "verdict.gradient")
    if e.gradient == "non_finite":
        yield Sentence("The gradient is not finite, so its rate cannot be told.", ("grad/nonfinite_share",))
    elif not math.isfinite(e.rate):
        yield Sentence("The gradient is exactly zero at nearly every step.", ("grad/zero_share",))
    elif e.gradient == "stable":
        change = f"a factor of {10 ** abs(e.log10_ratio):.3g}" if abs(e.log10_ratio) < e.decades else "little"
        text = f"The gradient is stable: over {e.steps} steps back it changes by {change}"
        yield Sentence(f"{text} ({e.rate:+.4f} nats per step).", names)
    else:
        verb = "loses" if e.rate < 0 else "gains"
        text = f"The gradient {verb} a decade every {_DECADE / abs(e.rate):.3g} steps"
        yield Sentence(f"{text}: {_ends(e.log10_ratio)}.", names)


def _ends(log10_ratio: float) -> str:
    if math.isfinite(log10_ratio):
        return f"at the first step it is {times(log10_ratio)} than at the last"
    return f"nothing at all reaches the {'first' if log10_ratio < 0 else 'last'} step"


def times(log10_ratio: float) -> str:
    """Return a finite ratio, given as its log10, in words.

    >>> times(-7.81), times(2.9), times(-36.4)
    ('65 million times smaller', '790 times larger', '10^36 times smaller')
    """
    decades = abs(log10_ratio)
    comparison = "times smaller" if log10_ratio < 0 else "times larger"
    if decades >= 3 * len(_THOUSANDS):
        return f"10^{decades:.0f} {comparison}"
    rounded = float(f"{10**decades:.2g}")
    thousands = min(int(math.log10(rounded) // 3), len(_THOUSANDS) - 1)
    return f"{rounded / 1000**thousands:.4g}{_THOUSANDS[thousands]} {comparison}"


def _theory(e: Evidence) -> Iterator[Sentence]:
    if not (math.isfinite(e.rate) and math.isfinite(e.predicted_rate)):
        return
    half_width = (e.rate_high - e.rate_low) / 2
    difference = e.predicted_rate - e.rate
    agrees = e.rate_low <= e.predicted_rate <= e.rate_high or abs(difference) < _SAME
    where = "which agrees with"
    if not agrees:
        where = f"{difference:+.4f} ({_digits(abs(difference) / max(half_width, _SAME))} half-widths) from"
    caveat = " (it does not hold for units that do not mix)" if e.init == "identity" else ""
    text = f"Mean-field theory says {e.predicted_rate:+.4f} nats per step, {where} what is measured{caveat}"
    yield Sentence(f"{text}.", ("theory/rate", "grad/rate_low", "grad/rate_high"))
    if not agrees:
        yield from _assumptions(e)


def _digits(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _assumptions(e: Evidence) -> Iterator[Sentence]:
    """What of the difference between theory and measurement every assumption of theory makes.

    The three parts add up to it, as `rnnexp.theory.measured_statistics` says. One is named alone where
    neither other is half as large as the whole; else they cancel or are alike, and all are told.
    """
    parts = {
        _VARIANCE: e.predicted_rate - e.rate_measured_q,
        _SHAPE: e.rate_measured_q - e.rate_measured_slopes,
        _DIRECTION: e.rate_measured_slopes - e.rate,
    }
    if not all(map(math.isfinite, parts.values())):
        return
    half = abs(e.predicted_rate - e.rate) / 2
    large = [name for name, part in parts.items() if abs(part) > half]
    if len(large) == 1:
        text = f"The {large[0]} makes {parts[large[0]]:+.4f} of that: {_WHY[large[0]](e)}"
    else:
        told = {name: part for name, part in parts.items() if abs(part) >= _SAME}
        text = "Of that, " + ", ".join(f"the {name} makes {part:+.4f}" for name, part in told.items())
    yield Sentence(f"{text}.", (*_REESTIMATED, "theory/rate", "grad/rate"))


def _bound(e: Evidence) -> Iterator[Sentence]:
    names = ("theory/rate_bound", "grad/rate_low")
    if e.rate_low > e.rate_bound + _SAME:
        text = f"It exceeds {e.rate_bound:+.4f} nats per step, more than any step of these weights hands on"
        yield Sentence(f"{text}: the measurement is at fault.", names)
    elif e.rate_bound < -_SAME and math.isfinite(e.rate):
        most = math.exp(e.rate_bound)
        text = f"It must shrink: no step hands on more than {most:.4g} of it, whatever the states"
        yield Sentence(f"{text}.", names)


def _units(e: Evidence) -> Iterator[Sentence]:
    if e.saturated > _MANY and e.gates:
        text = f"{e.saturated:.0%} of the gates' units are saturated at a typical step: open or shut for good"
        yield Sentence(f"{text}.", ("state/saturated",))
    elif e.saturated > _MANY and e.activation not in _HALF_FLAT:
        yield Sentence(
            f"{e.saturated:.0%} of the units are saturated at a typical step.", ("state/saturated",)
        )
    if e.dead > _SOME:
        yield Sentence(f"{e.dead:.0%} of the units are dead: no input moves them.", ("state/dead",))


def _clipping(e: Evidence) -> Iterator[Sentence]:
    if e.clip_fraction > _OFTEN:
        text = f"{e.clip_fraction:.0%} of the updates were clipped, so the clip sets the step size"
        yield Sentence(f"{text} more than the loss does.", ("grad/clip_fraction",))


def _learning(e: Evidence) -> Iterator[Sentence]:
    names = ("val/loss", "task/floor_loss", "val/error", "verdict.learning")
    numbers = f"loss {e.loss:.4g} against {e.floor_loss:.4g} of the best constant"
    if e.learning == "diverged":
        at = "" if e.diverged_at is None else f" at training step {e.diverged_at}"
        yield Sentence(f"Training diverged{at}.", ("train/loss", "grad/global_norm"))
    elif e.learning == "solved":
        yield Sentence(f"The task is solved: {e.error:.2%} wrong, {numbers}.", names)
    elif e.learning == "learning":
        yield Sentence(f"The network learns: {numbers}, {e.error:.2%} wrong.", names)
    else:
        yield Sentence(f"The network is at chance: {numbers}.", names)


def _remedy(e: Evidence) -> Iterator[Sentence]:
    if e.learning == "solved":
        return
    if e.learning == "diverged" or e.gradient in ("exploding", "non_finite"):
        yield from _against_explosion(e)
    elif e.gradient == "vanishing" and math.isfinite(e.rate):
        yield from _against_vanishing(e)
    elif e.learning == "learning":
        yield Sentence("More training steps are the first thing to try.", ("verdict.learning",))
    elif e.gradient == "stable":
        text = "The gradient is not what limits this run: try more steps, or another optimizer.learning_rate"
        yield Sentence(f"{text}.", ("verdict.gradient", "verdict.learning"))


def _against_explosion(e: Evidence) -> Iterator[Sentence]:
    if e.clip == "none":
        yield Sentence("Try clip=global_norm.", ("grad/global_norm_max",))
    if math.isfinite(e.rate) and e.rate > 0 and "mean_field" in e.laws:
        text = f"To first order a gain times {math.exp(-e.rate):.3g} (init.gain) takes the growth away"
        yield Sentence(f"{text}.", ("grad/rate",))


def _against_vanishing(e: Evidence) -> Iterator[Sentence]:
    reach = e.decades * _DECADE / -e.rate
    text = f"At this rate it spans {reach:.3g} steps within {e.decades:g} decades"
    worth_trying = ": try a seq_len up to that" if reach >= _SHORT else ""
    yield Sentence(f"{text}{worth_trying}.", ("grad/rate",))
    if e.activation == "relu" and e.init != "identity" and "diagonal_kernel" in e.laws:
        yield Sentence(
            "For relu try init=identity: a live unit then hands its gradient on as it is.", ("grad/rate",)
        )
    elif e.init != "orthogonal" and e.orthogonal_rate > e.rate / 2:
        text = f"An orthogonal start (init=orthogonal) is predicted {e.orthogonal_rate:+.4f} nats per step"
        yield Sentence(f"{text}.", ("theory/rate", "grad/rate"))


_HALF_FLAT = frozenset({"relu", "relu6", "hard_tanh", "hard_sigmoid", "soft_shrink", "hard_shrink"})
"""Activations with flat stretches by design: a large share of flat units is their normal state."""

_VARIANCE = "variance of the pre-activations"
_SHAPE = "distribution of the slopes"
_DIRECTION = "direction of the gradient"

_REESTIMATED = ("theory/rate_measured_q", "theory/rate_measured_slopes")

_WHY: dict[str, Callable[[Evidence], str]] = {
    _VARIANCE: lambda e: f"with the measured variance it says {e.rate_measured_q:+.4f}",
    _SHAPE: lambda e: (
        "with the measured ones, in place of those of Gaussian pre-activations, it says"
        f" {e.rate_measured_slopes:+.4f}"
    ),
    _DIRECTION: lambda e: (
        f"W_hh and the slopes hand on {'more' if e.rate > e.rate_measured_slopes else 'less'} of it than of a"
        " random direction"
    ),
}

_PARTS: tuple[Callable[[Evidence], Iterator[Sentence]], ...] = (
    _gradient,
    _bound,
    _theory,
    _units,
    _clipping,
    _learning,
    _remedy,
)
