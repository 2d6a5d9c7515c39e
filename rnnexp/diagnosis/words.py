"""The verdict in words: what a run is limited by, each sentence from named metrics."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from rnnexp.diagnosis.evidence import Evidence

_DECADE = math.log(10)
_MANY = 0.3  # share of saturated units that is worth a sentence
_SOME = 0.05  # share of dead units that is worth a sentence
_SAME = 1e-4  # nats per step: a twentieth of a decade over 1000 steps
_OFTEN = 0.5  # share of clipped updates that is worth a sentence
_THOUSANDS = ("", " thousand", " million", " billion", " trillion")
_FIRST = "by mean-field theory"  # the part that is told, whatever its size
_EQUAL = math.log10(1.05)  # decades: less is no difference in words
_RARE = 1.0  # decades of the rms norm over the typical one that are worth a sentence


class Sentence(NamedTuple):
    """One sentence, and the metrics (by the names of the measurement contract) that it is made from."""

    text: str
    metrics: tuple[str, ...]


def describe(evidence: Evidence) -> list[Sentence]:
    """Return what was found: gradient, theory, units, clipping, learning."""
    return [sentence for part in _PARTS for sentence in part(evidence)]


def paragraph(sentences: Iterable[Sentence]) -> str:
    """Return the sentences as one text."""
    return " ".join(sentence.text for sentence in sentences)


def _gradient(e: Evidence) -> Iterator[Sentence]:
    names = ("grad/rate", "grad/log10_ratio", "verdict.gradient")
    if e.gradient == "non_finite":
        yield Sentence("The gradient is not finite, so its rate cannot be told.", ("grad/nonfinite_share",))
    elif e.gradient == "not_measured":
        text = "The gradient over time has no verdict: there is one step, or nothing reads the state"
        yield Sentence(f"{text}.", ("verdict.gradient",))
    elif e.log10_ratio == -math.inf:
        text = "In most sequences no gradient at all reaches the first step"
        yield Sentence(f"{text}.", ("grad/log10_ratio", "grad/zero_share"))
    else:
        yield Sentence(f"{_change(e)}.", names)
    if e.rms_over_typical > _RARE:
        yield _rare(e)
    for state, ratio in e.further_ratios.items():
        if math.isfinite(ratio):
            text = f"That of {state} is {times(ratio)} at the first step than at the last but one"
            within = f", within {e.decades:g} decades: {state} carries it where h does not"
            carried = abs(ratio) <= e.decades and e.gradient == "vanishing"
            yield Sentence(f"{text}{within if carried else ''}.", (f"grad/log10_ratio_{state}",))
    yield from _upper_layers(e)


def _upper_layers(e: Evidence) -> Iterator[Sentence]:
    told = {number: ratio for number, ratio in e.upper_ratios.items() if math.isfinite(ratio)}
    if told:
        listed = "; ".join(f"in layer {number} that of h is {times(ratio)}" for number, ratio in told.items())
        names = tuple(f"layer_{number}/grad/log10_ratio" for number in told)
        yield Sentence(f"{listed[0].upper()}{listed[1:]}.", names)


def _change(e: Evidence) -> str:
    """How a typical gradient changes from h_T to h_1, and at which rate where the two tell the same."""
    one = "The gradient is stable: a typical one" if e.gradient == "stable" else "A typical gradient"
    if e.layers > 1:
        one = f"In the lowest of {e.layers} layers {one[0].lower()}{one[1:]}"
    text = f"{one} is {times(e.log10_ratio)} at the first of {e.time_steps} steps than at the last"
    if abs(e.log10_ratio) < _EQUAL:
        text = f"{one} is as large at the first of {e.time_steps} steps as at the last"
    if not math.isfinite(e.rate):
        return text
    if e.rate * e.log10_ratio < 0 and abs(e.log10_ratio) > 0.1:
        return f"{text}, though its slope over all lags is {e.rate:+.4f} nats per step: it bends"
    every = f", a factor of 10 every {_DECADE / abs(e.rate):.3g} steps" if e.gradient != "stable" else ""
    return f"{text} ({e.rate:+.4f} nats per step{every})"


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


def _rare(e: Evidence) -> Sentence:
    larger = times(e.rms_over_typical)
    text = f"A few of the {e.probe_samples} sequences have a far larger gradient: at the first step the root"
    text = f"{text} mean square is {larger} than a typical one,"
    text = f"{text} and about {e.effective_samples:.2g} sequences decide it"
    if e.log10_ratio + e.rms_over_typical > e.decades:
        text = f"{text}: explosions are rare, and clipping is for them"
    return Sentence(f"{text}.", ("grad/rate_rms", "grad/effective_samples"))


def _bound(e: Evidence) -> Iterator[Sentence]:
    names = ("theory/rate_bound", "grad/rate_low")
    if e.rate_low > e.rate_bound + _SAME:
        text = f"It exceeds {e.rate_bound:+.4f} nats per step, more than any step of these weights hands on"
        yield Sentence(f"{text}: the measurement is at fault.", names)
    elif e.rate_bound < -_SAME and math.isfinite(e.rate):
        most = math.exp(e.rate_bound)
        text = f"It must shrink: no step hands on more than {most:.4g} of it, whatever the states"
        yield Sentence(f"{text}.", names)


def _before(e: Evidence) -> Iterator[Sentence]:
    """Mean field speaks of kernels that the initialiser might have drawn."""
    if not (math.isfinite(e.rate_start) and math.isfinite(e.rate_kernels) and e.rate_kernels_sd > 0):
        return
    spreads = abs(e.rate_start - e.rate_kernels) / e.rate_kernels_sd
    text = f"Before training, mean-field theory predicts {e.rate_start:+.4f} nats per step for the mean over"
    text = f"{text} random kernels; twelve drawn anew have {e.rate_kernels:+.4f}"
    distance = f"{spreads:.1f} of their standard deviations of {e.rate_kernels_sd:.4f} away"
    yield Sentence(f"{text}, {distance}.", ("theory/rate", "theory/rate_kernels", "theory/rate_kernels_sd"))


def _sum(e: Evidence) -> Iterator[Sentence]:
    """What leads from mean field to the rms rate of these weights: the parts add up to the difference."""
    timing = e.rate_rms - e.rate_closure
    parts = {
        _FIRST: e.predicted_rate,
        "from the measured variance": e.rate_measured_q - e.predicted_rate,
        "from the measured slopes": e.rate_measured_slopes - e.rate_measured_q,
        "from this kernel": e.rate_closure - e.rate_measured_slopes,
        "from slopes that keep step with gradients": timing,
    }
    if not all(map(math.isfinite, parts.values())):
        return
    told = {where: part for where, part in parts.items() if abs(part) >= _SAME or where == _FIRST}
    listed = ", ".join(f"{part:+.4f} {where}" for where, part in told.items())
    names = ("theory/rate", "theory/rate_measured_q", "theory/rate_measured_slopes", "theory/rate_closure")
    text = f"The rms rate of {e.rate_rms:+.4f} is made up of {listed}"
    if abs(timing) > max(0.01, abs(e.rate_closure) / 4):
        more = "larger" if timing > 0 else "smaller"
        text = f"{text}: where the gradient is large, the slopes are {more} than by chance"
    yield Sentence(f"{text}.", (*names, "grad/rate_rms"))


def _units(e: Evidence) -> Iterator[Sentence]:
    where = "" if e.layers == 1 else " of the lowest layer"
    if e.saturated > _MANY and e.gates:
        text = f"{_percent(e.saturated)} of the gates' units{where} are saturated at a typical step"
        yield Sentence(f"{text}: open or shut for good.", ("state/saturated",))
    elif e.saturated > _MANY and e.activation not in _HALF_FLAT:
        yield Sentence(
            f"{_percent(e.saturated)} of the units{where} are saturated at a typical step.",
            ("state/saturated",),
        )
    if e.dead > _SOME:
        text = f"{_percent(e.dead)} of the units{where} are dead: their slope is zero at every step of the"
        text = f"{text} {e.probe_samples} probe sequences"
        yield Sentence(f"{text}.", ("state/dead",))


def _clipping(e: Evidence) -> Iterator[Sentence]:
    if not e.clip_fraction > _OFTEN:
        return
    text = f"{_percent(e.clip_fraction)} of the updates were clipped"
    if e.clip not in _EVEN:
        meaning = _WHERE_CLIPPED.get(e.clip, "")
    elif e.optimizer == "sgd":
        meaning = ", so the clip sets the step size more than the loss does"
    else:
        meaning = f", so that they count nearly alike; the step size is that of {e.optimizer}, which does not"
        meaning = f"{meaning} see a common factor of the gradients"
    yield Sentence(f"{text}{meaning}.", ("grad/clip_fraction",))


def _truncation(e: Evidence) -> Iterator[Sentence]:
    if e.truncate is None or not math.isfinite(e.truncation_norm_ratio):
        return
    text = f"Training cuts the gradient every {e.truncate} steps: what is left has"
    text = f"{text} {e.truncation_norm_ratio:.3g} of the norm of the whole gradient, and a cosine of"
    text = f"{text} {e.truncation_cosine:.3f} with it"
    yield Sentence(f"{text}.", ("truncation/norm_ratio", "truncation/cosine"))


def _learning(e: Evidence) -> Iterator[Sentence]:
    names = ("val/loss", "task/floor_loss", "val/loss_below_floor", "val/error", "verdict.learning")
    loss, constant = f"its loss of {e.loss:.4g}", f"{e.floor_loss:.4g} of the best constant answer"
    apart = f"{abs(e.below):.2g} +- {e.below_half_width:.1g}"
    same = f"that of the {e.baseline} on the same sequences"
    if e.learning == "diverged":
        at = "" if e.diverged_at is None else f" at training step {e.diverged_at}"
        yield Sentence(f"Training diverged{at}.", ("train/loss", "grad/global_norm"))
    elif e.learning == "solved":
        wrong = f"{_percent(e.error, 2)} of the answers are wrong"
        yield Sentence(f"The task is solved: {wrong}, and {loss} compares with {constant}.", names)
    elif e.learning == "learning":
        wrong = f"{_percent(e.error, 2)} of the answers are wrong"
        yield Sentence(f"The network learns: {loss} is {apart} below {same}; {wrong}.", names)
    elif e.learning == "worse_than_chance":
        yield Sentence(f"The network is worse than chance: {loss} compares with {constant}.", names)
    else:
        side = "below" if e.below >= 0 else "above"
        surely = e.below < -e.below_half_width
        then = f"and compares with {constant}" if surely else "which may be luck"
        yield Sentence(f"The network is at chance: {loss} is {apart} {side} {same}, {then}.", names)
    if e.proven_horizon >= 1:
        text = f"A loss this low proves that it uses at least {math.floor(e.proven_horizon)} of the"
        yield Sentence(f"{text} {e.time_steps} steps.", ("task/proven_horizon",))


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


_HALF_FLAT = frozenset({"relu", "relu6", "hard_tanh", "hard_sigmoid", "soft_shrink", "hard_shrink"})
"""Activations with flat stretches by design: a large share of flat units is their normal state."""

_EVEN = frozenset({"norm", "global_norm", "pascanu", "autoclip"})
"""Clips that bring every gradient they act on to the same norm, or nearly."""

_WHERE_CLIPPED = {"value": ", in one entry or more", "agc": ", in one unit or more"}
"""What a clip acted on where that may be a small part of the gradient."""

_PARTS: tuple[Callable[[Evidence], Iterator[Sentence]], ...] = (
    _gradient,
    _bound,
    _before,
    _sum,
    _units,
    _truncation,
    _clipping,
    _learning,
)
