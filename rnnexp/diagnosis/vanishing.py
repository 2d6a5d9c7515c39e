"""What to try where the gradient vanishes: another activation, start or cell, another bias of its gates."""

import math
from collections.abc import Iterator

from rnnexp.diagnosis.evidence import Evidence, Recommendation

_DECADE = math.log(10)
_SHORT = 10  # steps: no memory that a bias of the gates is chosen for
_LOSS_AT_ONE = math.log1p(math.exp(-1))  # -ln sigma(1), of the usual forget bias

_NAMES = ("grad/log10_ratio", "verdict.gradient", "verdict.gradient_start")

_Way = tuple[str, tuple[str, ...], tuple[str, ...]]
"""The end of a sentence, overrides, and the metrics of that end alone."""


def from_the_start(e: Evidence) -> Iterator[Recommendation]:
    """A gradient that vanishes before training, too: another start or cell."""
    if vanishes(e) and e.before("grad/log10_ratio_high") < -e.decades:
        yield from _recommended(e, "at the start and at the end of training")


def at_the_end_alone(e: Evidence) -> Iterator[Recommendation]:
    """A gradient that vanishes at the end alone: the same, after other causes."""
    if vanishes(e) and not e.before("grad/log10_ratio_high") < -e.decades:
        yield from _recommended(e, "at the end of training")


def vanishes(e: Evidence) -> bool:
    """Return whether the gradient of every state vanishes, in a network that did not diverge."""
    return e.gradient == "vanishing" and not e.carried and e.diverged_at is None


def _recommended(e: Evidence, when: str) -> Iterator[Recommendation]:
    text = f"The gradient vanishes {when}: "
    for reason, overrides, names in _ways(e):
        said = text + reason if text else reason[0].upper() + reason[1:]
        yield Recommendation(f"{said}.", overrides, (*_NAMES, *names))
        text = ""  # the cause is told once


def _ways(e: Evidence) -> Iterator[_Way]:
    elman = "mean_field" in e.laws
    if elman and e.activation == "sigmoid":
        # What no weights can mend at this length: every step takes a part of it away.
        bound = e["theory/rate_bound"]
        hopeless = bound * (e.time_steps - 1) < -e.decades * _DECADE
        reason = "a sigmoid has a slope of at most 1/4, and tanh of up to 1"
        if hopeless:
            reason = f"no step of these weights hands on more than {math.exp(bound):.3g} of it, and tanh may"
        yield reason, ("activation=tanh", "init=orthogonal"), ("theory/rate_bound",) if hopeless else ()
    if elman and e.activation == "relu" and e.init != "identity":
        yield "from the identity a live unit hands it on as it is", ("init=identity", "clip=global_norm"), ()
    if elman and e.init not in ("orthogonal", "identity") and e.orthogonal_rate > e["grad/rate"] / 2:
        start = f"from an orthogonal kernel mean field predicts {e.orthogonal_rate:+.4f} nats per step"
        yield start, ("init=orthogonal",), ("theory/rate",)
    yield from _longer_gates(e)
    if e.cell != "lstm":
        yield "the c of an LSTM carries it past its units", ("cell=lstm",), ()
    if elman and e.activation != "relu":
        from_identity = ("activation=relu", "init=identity", "clip=global_norm")
        yield "from the identity a live relu unit hands it on as it is", from_identity, ()


def _longer_gates(e: Evidence) -> Iterator[_Way]:
    """Biases of the gates that keep a state, where none were chosen: one for every memory, or one number."""
    if e.cell not in ("lstm", "gru") or e.chosen_biases or e.time_steps < _SHORT:
        return
    chrono = f"units that keep their state for 2 to {e.time_steps} steps at the start reach all of them"
    yield chrono, (f"cell.chrono={e.time_steps}",), ()
    if e.cell == "lstm":
        loss = e.decades * _DECADE / (e.time_steps - 1)  # nats per step, -ln sigma(b)
        if loss < _LOSS_AT_ONE:
            bias = -math.log(math.expm1(loss))
            kept = f"with a forget bias of {bias:.2g} a c that nothing writes to loses {e.decades:g} decades"
            kept = f"{kept} over the sequence"
            yield kept, (f"cell.forget_bias={bias:.2g}",), ()
