"""What to try where single gradients are far larger than the usual ones: clips, smaller steps."""

import math
from collections.abc import Iterator

from rnnexp.diagnosis.course import Spike, threshold_of
from rnnexp.diagnosis.evidence import Evidence, Recommendation

_SELF_SET = (
    ("AutoClip is a clip that takes its threshold from all norms so far.", "clip=autoclip"),
    ("AGC is a clip that takes its thresholds from the weights, unit by unit.", "clip=agc"),
)
"""Clips without a threshold of the user's."""

_NORMS = ("grad/global_norm_max", "grad/global_norm_median")


def spike(e: Evidence) -> Iterator[Recommendation]:
    """A gradient far beyond the usual ones: a clip at what is usual, smaller steps where it was clipped."""
    found = e.course.spike()
    if found is None:
        return
    names = ("grad/spike_step", *_NORMS)
    size = f"to {found.norm:.2g}" if math.isfinite(found.norm) else "beyond all numbers"
    text = f"At training step {found.step} the norm of the gradient rose {size}, from a median of"
    text = f"{text} {found.usual:.2g} before"
    threshold = f"clip.threshold={threshold_of(found):g}"
    if e.clip != "global_norm":
        yield Recommendation(f"{text}: clip it at what is usual.", ("clip=global_norm", threshold), names)
        if _is_the_cause(found, e):
            yield from _self_set_clips(e)
    elif found.wrecked or found.usual < e["grad/clip_threshold"] / 2:
        if found.usual < e["grad/clip_threshold"] / 2:
            yield Recommendation(f"{text}: clip it at what is usual.", (threshold,), names)
        smaller = f"optimizer.learning_rate={e.learning_rate * 0.3:.2g}"
        yield Recommendation(f"{text}, although it was clipped: take smaller steps.", (smaller,), names)


def other_clips(e: Evidence) -> Iterator[Recommendation]:
    """A spike that may not be the cause: clips that find their threshold, after the other causes."""
    found = e.course.spike()
    if found is not None and e.clip != "global_norm" and not _is_the_cause(found, e):
        yield from _self_set_clips(e)


def large_start(e: Evidence) -> Iterator[Recommendation]:
    """First gradients that are far larger than all later ones: a clip."""
    largest = e.course.large_start()
    if largest is None or e.clip == "global_norm" or e.diverged_at == 0:
        return
    of_all = f"against a median of {e.course.usual_norm:.2g} over the training"
    text = f"The first gradients had norms of up to {largest:.2g}, {of_all}"
    averages = f"stay in the averages of {e.optimizer} for many steps"
    text = f"{text}, and {'throw plain descent far off' if e.optimizer == 'sgd' else averages}"
    yield Recommendation(f"{text}: clip them.", ("clip=global_norm",), _NORMS)


def _is_the_cause(found: Spike, e: Evidence) -> bool:
    """Whether clips that shorten nearly every step are tried before what other causes ask for.

    A spike that did the loss no harm may not be what the run suffers from. Adam and RMSprop do not see a
    common factor of the gradient; the steps of plain descent shrink with it.
    """
    return found.wrecked and e.optimizer != "sgd"


def _self_set_clips(e: Evidence) -> Iterator[Recommendation]:
    for reason, choice in _SELF_SET:
        if choice != f"clip={e.clip}":
            yield Recommendation(reason, (choice,), ("grad/spike_step", *_NORMS))
