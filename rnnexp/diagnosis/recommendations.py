"""What to try next, from the history of a run: overrides that can be pasted, the most pressing first."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from rnnexp.diagnosis import configuration, spikes, vanishing
from rnnexp.diagnosis.course import rounded_up
from rnnexp.diagnosis.evidence import Evidence, Recommendation
from rnnexp.diagnosis.vanishing import vanishes
from rnnexp.runtime.config_keys import key_of

_ONCE = ("resume", "treat")  # keys of one command, which the next one does not take over
_SHORTEST = 10  # steps: no sequence that anybody would ask for
_MOST = 10.0  # times the steps so far: further no line is drawn on
_LONGER = 5.0  # times the steps so far, where nothing says how many
_GOOD = 0.05  # of the floor: about where the criteria of the tasks lie


def recommend(evidence: Evidence) -> list[Recommendation]:
    """Return what to try, in the order in which the causes rule each other out; nothing of a solved task.

    docs/recommendations.md has the causes in their order, and what is said to try for each.
    """
    if evidence.learning == "solved":
        return []
    found: dict[tuple[str, ...], Recommendation] = {}
    for cause in _CAUSES:
        for each in cause(evidence):
            found.setdefault(each.overrides, each)
    return list(found.values())


def merged(typed: Sequence[str], overrides: Iterable[str]) -> list[str]:
    """Return the overrides of a run with other overrides.

    A key that comes again replaces what was typed, and the choice of a group its former fields too.

    >>> merged(["activation=relu", "clip=value", "clip.threshold=2"], ["clip=global_norm"])
    ['activation=relu', 'clip=global_norm']
    """
    added = list(overrides)
    keys = {key_of(override) for override in added}
    kept = []
    for override in typed:
        key = key_of(override)
        if key not in keys and key.partition(".")[0] not in keys and key not in _ONCE:
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


def _falling(e: Evidence) -> Iterator[Recommendation]:
    if e.diverged_at is not None or e.learning == "worse_than_chance":
        return
    fall, needed = e.course.fall(), e.course.steps_to(_GOOD * e["task/floor_loss"], _MOST)
    if fall is not None and needed is not None:
        text = f"The training loss fell by {-100 * fall.share:.2g} % within the last fifth of the steps"
        yield Recommendation(f"{text}: go on.", (f"steps={needed}",), ("train/loss",))
    elif e.learning == "learning" and e.course.best_is_last:
        text = "The network has begun to learn, and its last validation is its best"
        train_steps = rounded_up(_LONGER * e.train_steps)
        yield Recommendation(f"{text}: go on.", (f"steps={train_steps}",), ("val/loss_below_floor",))


def _falling_slowly(e: Evidence) -> Iterator[Recommendation]:
    fall, needed = e.course.fall(), e.course.steps_to(_GOOD * e["task/floor_loss"], _MOST)
    if e.diverged_at is not None or fall is None or not fall.falling:
        return
    if needed is None:
        text = "The training loss still falls, but at this pace would be high after ten times the steps"
        train_steps = rounded_up(_MOST * e.train_steps)
        yield Recommendation(f"{text}: a turn may come.", (f"steps={train_steps}",), ("train/loss",))
    elif e.learning == "worse_than_chance":
        reason = "The training loss still falls, from above that of the best constant: go on."
        yield Recommendation(reason, (f"steps={needed}",), ("train/loss", "val/loss"))


def _another_cell(e: Evidence) -> Iterator[Recommendation]:
    if e.cell != "lstm" and e.diverged_at != 0:
        reason = "Another cell may learn what this one does not."
        yield Recommendation(reason, ("cell=lstm",), ("verdict.learning",))


def _shorter(e: Evidence) -> Iterator[Recommendation]:
    if not vanishes(e) or e.reach is None or not _SHORTEST <= e.reach < e.time_steps:
        return
    shorter = max(_SHORTEST, e.seq_len * e.reach // e.time_steps)
    if e["task/proven_horizon"] < e.reach and shorter < e.seq_len:
        where = f"The gradient leaves {e.decades:g} decades at lag {e.reach}"
        reason = f"{where}, and a shorter sequence is another task."
        yield Recommendation(reason, (f"seq_len={shorter}",), ("grad/log10_ratio",))


def _exploding(e: Evidence) -> Iterator[Recommendation]:
    if e.gradient != "exploding" or e.diverged_at == 0:
        return
    names = ("grad/log10_ratio", "verdict.gradient")
    text = "The gradient explodes on its way to the first step"
    if e.clip == "none":
        overrides = ("clip=global_norm",)
        yield Recommendation(f"{text}: keep single updates from being too large.", overrides, names)


def _inside(e: Evidence) -> Iterator[Recommendation]:
    kept = e.gradient in ("stable", "borderline") or (e.gradient == "vanishing" and e.carried)
    if not kept or e.diverged_at is not None:
        return
    names = ("verdict.gradient", "verdict.learning")
    fall = e.course.fall()
    text = "The gradient does not keep the network from learning"
    if fall is not None and not fall.falling:
        text = f"{text}, and no fall of the loss is seen"
    worse = e.learning == "worse_than_chance"
    step, factor = ("smaller", 0.3) if worse else ("larger", 3.0)
    rate = f"optimizer.learning_rate={e.learning_rate * factor:.2g}"
    yield Recommendation(f"{text}: take {step} steps.", (rate,), names)
    yield from _another_cell(e)
    wider = "A wider layer may learn what this one does not."
    if e.layers > 1:
        wider = "Wider layers may learn what these do not."
    yield Recommendation(wider, (f"units={2 * e.units}",), names)


def _below_the_published(e: Evidence) -> Iterator[Recommendation]:
    yield from _published(e, 0, _MOST * e.train_steps)


def _far_below_the_published(e: Evidence) -> Iterator[Recommendation]:
    yield from _published(e, _MOST * e.train_steps, math.inf)


def _published(e: Evidence, above: float, most: float) -> Iterator[Recommendation]:
    seen = e.train_steps * e.batch_size
    if e.published_sequences is None or seen >= e.published_sequences or e.diverged_at is not None:
        return
    train_steps = rounded_up(e.published_sequences / e.batch_size)
    if above < train_steps <= most:
        after = f"success at this length or a longer one is published after {e.published_sequences:,}"
        text = f"The network has seen {seen:,} sequences; {after}"
        yield Recommendation(f"{text}.", (f"steps={train_steps}",), ("val/loss",))


_CAUSES: tuple[Callable[[Evidence], Iterator[Recommendation]], ...] = (
    _overflow,
    configuration.narrow,
    configuration.too_fast,
    spikes.spike,
    configuration.chaotic,
    spikes.large_start,
    configuration.gated,
    configuration.too_slow,
    _falling,
    vanishing.from_the_start,
    _exploding,
    spikes.other_clips,
    _inside,
    _below_the_published,
    vanishing.at_the_end_alone,
    _falling_slowly,
    _another_cell,
    _far_below_the_published,
    _shorter,
)
