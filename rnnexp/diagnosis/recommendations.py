"""What to try next, from the history of a run: overrides that can be pasted, the most pressing first."""

import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from rnnexp.diagnosis.course import rounded_up, threshold_of
from rnnexp.diagnosis.evidence import Evidence

_DECADE = math.log(10)
_SHORTEST = 10  # steps: no sequence that anybody would ask for
_MOST = 10.0  # times the steps so far: further no line is drawn on
_LONGER = 5.0  # times the steps so far, where nothing says how many
_LOSS_AT_ONE = math.log1p(math.exp(-1))  # -ln sigma(1), of the usual forget bias
_GOOD = 0.05  # of the floor: about where the criteria of the tasks lie


class Recommendation(NamedTuple):
    """Something to try.

    Attributes:
        reason: One sentence.
        overrides: What is typed in addition, or instead of what was typed for the same keys.
        metrics: What the sentence is made from, by the names of the measurement contract.
    """

    reason: str
    overrides: tuple[str, ...]
    metrics: tuple[str, ...]


def recommend(evidence: Evidence) -> list[Recommendation]:
    """Return what to try, in the order in which the causes rule each other out; nothing of a solved task.

    1. Numbers that are not finite from the first step on: no clip can help.
    2. A spike of the gradient: a clip, or a smaller step where it was clipped.
    3. A loss that still falls, or a network whose last validation is its best: more steps.
    4. A gradient that vanishes at the start and at the end: another start or cell, and last a shorter
       sequence, which is another task.
    5. A gradient that explodes: a clip, a gain.
    6. A gradient inside the band: another rate, a wider layer.
    7. Fewer sequences than a publication needed: more steps.
    8. A gradient that vanishes at the end alone: as 4.
    """
    if evidence.learning == "solved":
        return []
    found: dict[tuple[str, ...], Recommendation] = {}
    for cause in _CAUSES:
        for each in cause(evidence):
            found.setdefault(each.overrides, each)
    return list(found.values())


def command(typed: Sequence[str], overrides: Iterable[str]) -> str:
    """Return the command of a run with other overrides.

    A key that comes again replaces what was typed, and the choice of a group its former fields too.

    >>> command(["activation=relu", "clip=value", "clip.threshold=2"], ["clip=global_norm"])
    'python run.py activation=relu clip=global_norm'
    """
    return f"python run.py {shlex.join(merged(typed, overrides))}"


def merged(typed: Sequence[str], overrides: Iterable[str]) -> list[str]:
    """Return the overrides of a run with other overrides in place of those of the same key or group."""
    added = list(overrides)
    keys = {override.lstrip("+~").partition("=")[0] for override in added}
    kept = []
    for override in typed:
        key = override.lstrip("+~").partition("=")[0]
        if key not in keys and key.partition(".")[0] not in keys and not key.startswith("resume"):
            kept.append(override)
    return [*kept, *added]


def _overflow(e: Evidence) -> Iterator[Recommendation]:
    at_once = e.diverged_at == 0 or (e.gradient_start == "non_finite" and e.course.spike() is None)
    if not at_once:
        return
    names = ("verdict.gradient_start", "train/loss")
    text = "Numbers are not finite before the first update, where no clip can help"
    if math.isfinite(e.critical_gain) and e.critical_gain < e.gain:
        gain = f"{e.critical_gain:.4g}"
        reason = f"{text}: at a gain of {gain} mean-field theory has no growth of the gradient."
        yield Recommendation(reason, (f"init.gain={gain}",), names)
    if e.dtype == "float32":
        yield Recommendation("A float64 has eight times the decades of a float32.", ("dtype=float64",), names)


def _spike(e: Evidence) -> Iterator[Recommendation]:
    spike = e.course.spike()
    if spike is None:
        return
    names = ("grad/spike_step", "grad/global_norm_max", "grad/global_norm_median")
    size = f"to {spike.norm:.2g}" if math.isfinite(spike.norm) else "beyond all numbers"
    text = f"At training step {spike.step} the norm of the gradient rose {size}, from a median of"
    text = f"{text} {spike.usual:.2g} before"
    if e.clip != "global_norm":
        threshold = threshold_of(spike)
        clip = ("clip=global_norm", f"clip.threshold={threshold:g}")
        yield Recommendation(f"{text}: clip it at what is usual.", clip, names)
    elif spike.wrecked or spike.usual < e.clip_threshold / 2:
        if spike.usual < e.clip_threshold / 2:
            overrides = (f"clip.threshold={threshold_of(spike):g}",)
            yield Recommendation(f"{text}: clip it at what is usual.", overrides, names)
        yield _rate(e, 0.3, f"{text}, although it was clipped: take smaller steps.", names)


def _falling(e: Evidence) -> Iterator[Recommendation]:
    if e.diverged_at is not None:
        return
    fall, needed = e.course.fall(), e.course.steps_to(_GOOD * e.floor_loss, _MOST)
    if fall is not None and needed is not None:
        text = f"The training loss fell by {-fall.share:.0%} within the last fifth of the steps"
        yield Recommendation(f"{text}: go on.", (f"steps={needed}",), ("train/loss",))
    elif e.learning == "learning" and e.course.best_is_last:
        text = "The network has begun to learn, and its last validation is its best"
        train_steps = rounded_up(_LONGER * e.train_steps)
        yield Recommendation(f"{text}: go on.", (f"steps={train_steps}",), ("val/loss_below_floor",))


def _vanishing(e: Evidence) -> Iterator[Recommendation]:
    if e.gradient == "vanishing" and e.ratio_start_high < -e.decades and e.diverged_at is None:
        yield from _against_vanishing(e, "from the start to the end of training")


def _vanishing_later(e: Evidence) -> Iterator[Recommendation]:
    if e.gradient == "vanishing" and not e.ratio_start_high < -e.decades and e.diverged_at is None:
        yield from _against_vanishing(e, "at the end of training")


def _against_vanishing(e: Evidence, when: str) -> Iterator[Recommendation]:
    names = ("grad/log10_ratio", "verdict.gradient", "verdict.gradient_start")
    text = f"A typical gradient loses {-e.log10_ratio:.3g} decades on its way to h_1 {when}: "
    if e.log10_ratio == -math.inf:
        text = f"Nothing reaches h_1 in most sequences {when}: "
    for reason, overrides, more in _ways_past_vanishing(e):
        said = text + reason if text else reason[0].upper() + reason[1:]
        yield Recommendation(f"{said}.", overrides, (*names, *more))
        text = ""  # the cause is told once


def _ways_past_vanishing(e: Evidence) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Reasons, overrides and the metrics that only this reason is made from."""
    elman = "mean_field" in e.laws
    # What no weights can mend at this length: every step takes a part of it away.
    hopeless = e.rate_bound * (e.time_steps - 1) < -e.decades * _DECADE
    if elman and hopeless and e.activation == "sigmoid":
        bound = f"no step of these weights hands on more than {math.exp(e.rate_bound):.3g} of it"
        yield f"{bound}, and tanh may", ("activation=tanh", "init=orthogonal"), ("theory/rate_bound",)
    if e.activation == "relu" and e.init != "identity" and elman:
        overrides = ("init=identity", "clip=global_norm")
        yield "from the identity a live unit hands it on as it is", overrides, ()
    if elman and e.init not in ("orthogonal", "identity") and e.orthogonal_rate > e.rate / 2:
        start = f"from an orthogonal kernel mean field predicts {e.orthogonal_rate:+.4f} nats per step"
        yield start, ("init=orthogonal",), ("theory/rate",)
    yield from _longer_gates(e)
    if e.cell != "lstm":
        yield "the c of an LSTM carries it past its units", ("cell=lstm",), ()
    if e.reach is not None and _SHORTEST <= e.reach < e.time_steps:
        shorter = max(_SHORTEST, e.seq_len * e.reach // e.time_steps)
        if shorter < e.seq_len:
            where = f"it leaves {e.decades:g} decades at lag {e.reach}"
            yield f"{where}, and a shorter sequence is another task", (f"seq_len={shorter}",), ()


def _longer_gates(e: Evidence) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Biases of the gates that keep a state, where none were chosen: one for every memory, or one number."""
    if e.cell not in ("lstm", "gru") or e.chosen_biases or e.time_steps < _SHORTEST:
        return
    chrono = f"units that keep their state for 2 to {e.time_steps} steps at the start reach all of them"
    yield chrono, (f"cell.chrono={e.time_steps}",), ()
    if e.cell == "lstm":
        loss = e.decades * _DECADE / (e.time_steps - 1)  # nats per step, -ln sigma(b)
        if loss < _LOSS_AT_ONE:
            bias = -math.log(math.expm1(loss))
            kept = f"a c that nothing writes to loses {e.decades:g} decades at a forget bias of {bias:.2g}"
            yield kept, (f"cell.forget_bias={bias:.2g}",), ()


def _exploding(e: Evidence) -> Iterator[Recommendation]:
    if e.gradient != "exploding" or e.diverged_at == 0:
        return
    names = ("grad/log10_ratio", "verdict.gradient")
    text = f"A typical gradient gains {e.log10_ratio:.3g} decades on its way to h_1"
    if e.clip == "none":
        overrides = ("clip=global_norm",)
        yield Recommendation(f"{text}: keep single updates from being too large.", overrides, names)
    if e.gradient_start == "exploding" and 0 < e.critical_gain < e.gain:
        gain = f"{e.critical_gain:.4g}"
        reason = f"At a gain of {gain} mean-field theory has no growth of the gradient at the start."
        yield Recommendation(reason, (f"init.gain={gain}",), (*names, "theory/rate"))


def _inside(e: Evidence) -> Iterator[Recommendation]:
    if e.gradient not in ("stable", "borderline") or e.diverged_at is not None:
        return
    names = ("verdict.gradient", "verdict.learning")
    fall = e.course.fall()
    text = "The gradient does not keep the network from learning"
    if fall is not None and not fall.falling:
        text = f"{text}, and no fall of the loss is seen"
    worse = e.learning == "worse_than_chance"
    step = "smaller" if worse else "larger"
    yield _rate(e, 0.3 if worse else 3.0, f"{text}: take {step} steps.", names)
    yield Recommendation("A wider layer may learn what this one does not.", (f"units={2 * e.units}",), names)


def _below_the_published(e: Evidence) -> Iterator[Recommendation]:
    seen = e.train_steps * e.batch_size
    if e.published_sequences is None or seen >= e.published_sequences or e.diverged_at is not None:
        return
    train_steps = rounded_up(e.published_sequences / e.batch_size)
    text = f"The network has seen {seen:,} sequences; success is published after {e.published_sequences:,}"
    yield Recommendation(f"{text}.", (f"steps={train_steps}",), ("val/loss",))


def _rate(e: Evidence, factor: float, reason: str, names: tuple[str, ...]) -> Recommendation:
    return Recommendation(reason, (f"optimizer.learning_rate={e.learning_rate * factor:.2g}",), names)


_CAUSES: tuple[Callable[[Evidence], Iterator[Recommendation]], ...] = (
    _overflow,
    _spike,
    _falling,
    _vanishing,
    _exploding,
    _inside,
    _below_the_published,
    _vanishing_later,
)
