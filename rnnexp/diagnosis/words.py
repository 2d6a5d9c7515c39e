"""The verdict in words: what a run is limited by, each sentence from named metrics."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rnnexp.diagnosis.evidence import Evidence

_DECADE = math.log(10)
_MANY = 0.3  # share of saturated units that is worth a sentence
_SOME = 0.05  # share of dead units that is worth a sentence
_SAME = 1e-4  # nats per step: a twentieth of a decade over 1000 steps
_OFTEN = 0.5  # share of clipped updates that is worth a sentence
_THOUSANDS = ("", " thousand", " million", " billion", " trillion")
_EQUAL = math.log10(1.05)  # decades: less is no difference in words
_RARE = 1.0  # decades of the rms norm over the typical one that are worth a sentence


_CHAIN = {
    "theory/rate": "by mean-field theory",
    "theory/rate_measured_q": "from the measured variance",
    "theory/rate_measured_slopes": "from the measured slopes",
    "theory/rate_closure": "from this kernel",
    "grad/rate_rms": "from slopes that keep step with gradients",
}
"""The rates that lead from mean field to the measured one, and what each adds to the one before."""


class Sentence(NamedTuple):
    """One sentence, and the metrics (by the names of the measurement contract) that it is made from."""

    text: str
    metrics: tuple[str, ...]


def describe(evidence: Evidence) -> list[Sentence]:
    """Return what was found: gradient, theory, units, clipping, learning."""
    return [sentence for part in _PARTS for sentence in part(evidence)]


def _gradient(e: Evidence) -> Iterator[Sentence]:
    names = ("grad/rate", "grad/log10_ratio", "verdict.gradient")
    if e.gradient == "non_finite":
        yield Sentence("The gradient is not finite, so its rate cannot be told.", ("grad/nonfinite_share",))
    elif e.gradient == "not_measured":
        text = "The gradient over time has no verdict: there is one step, or nothing reads the state"
        yield Sentence(f"{text}.", ("verdict.gradient",))
    elif e["grad/log10_ratio"] == -math.inf:
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
    every = {number: f"layer_{number}/grad/log10_ratio" for number in range(2, e.layers + 1)}
    names = {number: name for number, name in every.items() if math.isfinite(e[name])}
    if names:
        told = (f"in layer {number} that of h is {times(e[name])}" for number, name in names.items())
        listed = "; ".join(told)
        yield Sentence(f"{listed[0].upper()}{listed[1:]}.", tuple(names.values()))


def _change(e: Evidence) -> str:
    """How a typical gradient changes from h_T to h_1, and at which rate where the two tell the same."""
    rate, ratio = e["grad/rate"], e["grad/log10_ratio"]
    one = "The gradient is stable: a typical one" if e.gradient == "stable" else "A typical gradient"
    if e.layers > 1:
        one = f"In the lowest of {e.layers} layers {one[0].lower()}{one[1:]}"
    text = f"{one} is {times(ratio)} at the first of {e.time_steps} steps than at the last"
    if abs(ratio) < _EQUAL:
        text = f"{one} is as large at the first of {e.time_steps} steps as at the last"
    if not math.isfinite(rate):
        return text
    if rate * ratio < 0 and abs(ratio) > 0.1:
        return f"{text}, though its slope over all lags is {rate:+.4f} nats per step: it bends"
    every = f", a factor of 10 every {_DECADE / abs(rate):.3g} steps" if e.gradient != "stable" else ""
    return f"{text} ({rate:+.4f} nats per step{every})"


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
    text = f"{text} and about {e['grad/effective_samples']:.2g} sequences decide it"
    if e["grad/log10_ratio"] + e.rms_over_typical > e.decades:
        text = f"{text}: explosions are rare, and clipping is for them"
    return Sentence(f"{text}.", ("grad/rate_rms", "grad/effective_samples"))


def _bound(e: Evidence) -> Iterator[Sentence]:
    names, bound = ("theory/rate_bound", "grad/rate_low"), e["theory/rate_bound"]
    if e["grad/rate_low"] > bound + _SAME:
        text = f"It exceeds {bound:+.4f} nats per step, more than any step of these weights hands on"
        yield Sentence(f"{text}: the measurement is at fault.", names)
    elif bound < -_SAME and math.isfinite(e["grad/rate"]):
        text = f"It must shrink: no step hands on more than {math.exp(bound):.4g} of it, whatever the states"
        yield Sentence(f"{text}.", names)


def _before(e: Evidence) -> Iterator[Sentence]:
    """Mean field speaks of kernels that the initialiser might have drawn."""
    names = ("theory/rate", "theory/rate_kernels", "theory/rate_kernels_sd")
    predicted, mean, spread = map(e.before, names)
    if not (math.isfinite(predicted) and math.isfinite(mean) and spread > 0):
        return
    text = f"Before training, mean-field theory predicts {predicted:+.4f} nats per step for the mean over"
    text = f"{text} random kernels; twelve drawn anew have {mean:+.4f}"
    distance = f"{abs(predicted - mean) / spread:.1f} of their standard deviations of {spread:.4f} away"
    yield Sentence(f"{text}, {distance}.", names)


def _sum(e: Evidence) -> Iterator[Sentence]:
    """What leads from mean field to the rms rate of these weights: the parts add up to the difference."""
    rates = [e[name] for name in _CHAIN]
    if not all(map(math.isfinite, rates)):
        return
    parts = [rate - before for before, rate in itertools.pairwise([0.0, *rates])]
    first, *others = (
        (part, f"{part:+.4f} {where}") for part, where in zip(parts, _CHAIN.values(), strict=True)
    )
    listed = ", ".join([first[1], *(text for part, text in others if abs(part) >= _SAME)])
    text = f"The rms rate of {rates[-1]:+.4f} is made up of {listed}"
    if abs(parts[-1]) > max(0.01, abs(e["theory/rate_closure"]) / 4):
        more = "larger" if parts[-1] > 0 else "smaller"
        text = f"{text}: where the gradient is large, the slopes are {more} than by chance"
    yield Sentence(f"{text}.", tuple(_CHAIN))


def _units(e: Evidence) -> Iterator[Sentence]:
    where = "" if e.layers == 1 else " of the lowest layer"
    saturated, dead = e["state/saturated"], e["state/dead"]
    if saturated > _MANY and e.gates:
        text = f"{_percent(saturated)} of the gates' units{where} are saturated at a typical step"
        yield Sentence(f"{text}: open or shut for good.", ("state/saturated",))
    elif saturated > _MANY and e.activation not in _HALF_FLAT:
        text = f"{_percent(saturated)} of the units{where} are saturated at a typical step."
        yield Sentence(text, ("state/saturated",))
    if dead > _SOME:
        text = f"{_percent(dead)} of the units{where} are dead: their slope is zero at every step of the"
        text = f"{text} {e.probe_samples} probe sequences"
        yield Sentence(f"{text}.", ("state/dead",))


def _clipping(e: Evidence) -> Iterator[Sentence]:
    clipped = e["grad/clip_fraction"]
    if not clipped > _OFTEN:
        return
    text = f"{_percent(clipped)} of the updates were clipped"
    if e.clip not in _EVEN:
        meaning = _WHERE_CLIPPED.get(e.clip, "")
    elif e.optimizer == "sgd":
        meaning = ", so the clip sets the step size more than the loss does"
    else:
        meaning = f", so that they count nearly alike; the step size is that of {e.optimizer}, which does not"
        meaning = f"{meaning} see a common factor of the gradients"
    yield Sentence(f"{text}{meaning}.", ("grad/clip_fraction",))


def _truncation(e: Evidence) -> Iterator[Sentence]:
    norm_ratio = e["truncation/norm_ratio"]
    if math.isfinite(norm_ratio):
        text = (
            f"Training cuts the gradient every {e.truncate} steps: what is left has {norm_ratio:.3g} of the"
        )
        text = f"{text} norm of the whole gradient, and a cosine of {e['truncation/cosine']:.3f} with it"
        yield Sentence(f"{text}.", ("truncation/norm_ratio", "truncation/cosine"))


def _learning(e: Evidence) -> Iterator[Sentence]:
    names = ("val/loss", "task/floor_loss", "val/loss_below_floor", "val/error", "verdict.learning")
    below, half_width = e["val/loss_below_floor"], e["val/loss_below_floor_half_width"]
    loss = f"its loss of {e['val/loss']:.4g}"
    constant = f"{e['task/floor_loss']:.4g} of the best constant answer"
    apart = f"{abs(below):.2g} +- {half_width:.1g}"
    wrong = f"{_percent(e['val/error'], 2)} of the answers are wrong"
    same = f"that of the {e.baseline} on the same sequences"
    if e.learning == "diverged":
        at = "" if e.diverged_at is None else f" at training step {e.diverged_at}"
        yield Sentence(f"Training diverged{at}.", ("train/loss", "grad/global_norm"))
    elif e.learning == "solved":
        yield Sentence(f"The task is solved: {wrong}, and {loss} compares with {constant}.", names)
    elif e.learning == "learning":
        yield Sentence(f"The network learns: {loss} is {apart} below {same}; {wrong}.", names)
    elif e.learning == "worse_than_chance":
        yield Sentence(f"The network is worse than chance: {loss} compares with {constant}.", names)
    else:
        side = "below" if below >= 0 else "above"
        luck = "" if below < -half_width else ", which may be luck"
        yield Sentence(f"The network is at chance: {loss} is {apart} {side} {same}{luck}.", names)
    horizon = e["task/proven_horizon"]
    if horizon >= 1:
        text = f"A loss this low proves that it uses at least {math.floor(horizon)} of the"
        yield Sentence(f"{text} {e.time_steps} steps.", ("task/proven_horizon",))


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


_HALF_FLAT = frozenset({"relu", "relu6", "hard_tanh", "hard_sigmoid", "soft_shrink", "hard_shrink"})
"""Activations with flat stretches by design: a large share of flat units is their normal state."""

_EVEN = frozenset({"global_norm", "pascanu", "autoclip"})
"""Clips that bring every whole gradient they act on to the same norm, or nearly."""

_WHERE_CLIPPED = {
    "value": ", in one entry or more",
    "norm": ", in one variable or more",
    "agc": ", in one unit or more",
}
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
