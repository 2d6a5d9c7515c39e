"""Causes that lie in the configuration itself: width, activation of a gated cell, step size, optimizer."""

from collections.abc import Iterator

from rnnexp.diagnosis.evidence import Evidence, Recommendation

_USUAL = {"adam": 0.001, "rmsprop": 0.001, "sgd": 0.01}  # learning rates: the defaults of Keras
_FAR = 10.0  # times the usual rate: seldom of use
_SMALL = 3.0  # parts of the usual rate
_NARROW, _WIDE = 16, 32  # units
_ONE_SIGN = ("sigmoid", "hard_sigmoid")
_MADE_FOR_TANH = ("lstm", "gru")  # a minGRU is published with a linear candidate
_IN_BAND = ("stable", "borderline")


def narrow(e: Evidence) -> Iterator[Recommendation]:
    """A layer of so few units that the task may not fit into their states."""
    if e.units < _NARROW:
        reason = f"The layer has {e.units} units, and a wider one may learn what they do not."
        if e.layers > 1:
            reason = f"The layers have {e.units} units each, and wider ones may learn what they do not."
        yield Recommendation(reason, (f"units={max(_WIDE, 2 * e.units)}",), ("verdict.learning",))


def chaotic(e: Evidence) -> Iterator[Recommendation]:
    """A drawn kernel of a gain at which mean-field theory has a growing gradient at the start."""
    drawn = "mean_field" in e.laws and e.init != "identity"
    if drawn and 0 < e.critical_gain < e.gain and e.diverged_at != 0:
        gain = f"{e.critical_gain:.4g}"
        growth = f"mean-field theory predicts decay at gains under {gain} and growth above {gain}"
        reason = f"The layer starts with a gain of {e.gain:g}: for the gradient, {growth}."
        yield Recommendation(reason, (f"init.gain={gain}",), ("theory/rate",))


def gated(e: Evidence) -> Iterator[Recommendation]:
    """An LSTM or GRU whose states are no longer in [-1, 1], or of one sign alone.

    A learning rate far under the usual one is raised with it: neither helps without the other.
    """
    if e.cell not in _MADE_FOR_TANH or e.activation == "tanh":
        return
    what = "gives them one sign alone" if e.activation in _ONE_SIGN else "does not keep them in [-1, 1]"
    reason = f"The states of a gated cell are made for tanh, and {e.activation} {what}"
    overrides = ["activation=tanh"]
    usual = _USUAL.get(e.optimizer)
    if usual is not None and e.learning_rate * _SMALL < usual:
        reason = f"{reason}; the learning rate is {e.learning_rate / usual:.2g} of the usual one"
        overrides.append(f"optimizer.learning_rate={usual:g}")
    yield Recommendation(f"{reason}.", tuple(overrides), ("verdict.learning",))


def too_fast(e: Evidence) -> Iterator[Recommendation]:
    """A learning rate ten times the usual one or more, and a training that made the network worse."""
    usual = _USUAL.get(e.optimizer)
    if usual is None or e.learning_rate < _FAR * usual:
        return
    spike = e.course.spike()
    left = e.gradient_start in _IN_BAND and e.gradient not in _IN_BAND
    if left or e.learning in ("worse_than_chance", "diverged") or (spike is not None and spike.wrecked):
        text = f"The learning rate is {e.learning_rate / usual:.3g} times the usual one of {e.optimizer}, and"
        worse = "training took the gradient out of its band" if left else "training made the network worse"
        names = ("verdict.gradient_start", "verdict.gradient", "verdict.learning")
        rate = f"optimizer.learning_rate={min(usual, e.learning_rate / _FAR):g}"
        if e.optimizer == "sgd":
            yield Recommendation(
                f"{text} {worse}: those of Adam do not depend on the gradient.", ("optimizer=adam",), names
            )
        else:
            yield Recommendation(f"{text} {worse}: take smaller steps.", (rate,), names)


def too_slow(e: Evidence) -> Iterator[Recommendation]:
    """A learning rate under a third of the usual one, or steps as small as the gradient is, and no harm done.

    Plain gradient descent takes steps in proportion to the gradient, which differs by decades between the
    layers, the times and the tasks; Adam's do not depend on its size.
    """
    usual = _USUAL.get(e.optimizer)
    if usual is None or e.diverged_at is not None or e.gradient_start not in _IN_BAND:
        return
    if e.optimizer == "sgd":
        reason = "The steps of plain gradient descent are as small as the gradient: those of Adam are not."
        yield Recommendation(reason, ("optimizer=adam",), ("verdict.learning",))
    elif e.learning_rate * _SMALL < usual:
        text = f"The learning rate is {e.learning_rate / usual:.2g} of the usual one of {e.optimizer}"
        yield Recommendation(
            f"{text}: take larger steps.", (f"optimizer.learning_rate={usual:g}",), ("verdict.learning",)
        )
