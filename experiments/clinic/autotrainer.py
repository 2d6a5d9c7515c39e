"""The strategies of AUTOTRAINER, in its order, as far as they apply to a recurrent layer.

Zhang, Zhai, Ma and Shen 2021, AUTOTRAINER: an automatic DNN training problem detection and repair system
(ICSE 2021, https://doi.org/10.1109/ICSE43902.2021.00043; https://github.com/shiningrain/AUTOTRAINER, order
`balance` of `repair.py`). What its code does to a recurrent layer:

    selu, relu     the activation becomes tanh; the initialisers are those of the input kernel: nothing here
    tanh           the same
    gradient       clip by value at a random threshold between 9 and 10: 9.5; not where there is a clip
    adam           Adam with its defaults
    optimizer      another optimizer with its defaults, drawn at random: those that there are, in turn
    lr             the rate times 0.1, 0.01, 0.001 (unstable) or 10, 100, 1000 (not converging)
    batch          the batch size times 2, 4, 8
    momentum       SGD with its default rate and a random momentum between 0.01 and 0.9: 0.23, 0.46, 0.68

Not here: batch normalisation after the layer, initialisers of the input kernel, leaky activations (which it
does not put into recurrent layers), Gaussian noise on the input, a rate reduced on plateaus.

The problem is found with its thresholds where they speak of what is measured here, and else with the verdict
on the gradient, which looks at the gradient over time: better than its own ratio of layers.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from trials import Trial

from rnnexp.diagnosis.recommendations import merged

MOST = 10  # tries
_DEAD = 0.7  # share of zeros
_SWING = 0.03  # of the accuracy, between a maximum and the minimum after it
_OFTEN = 0.2  # such swings over validations

_DEFAULTS = {"adam": "0.001", "rmsprop": "0.001", "sgd": "0.01"}
_TANH, _CLIP = (("activation=tanh",),), (("clip=value", "clip.threshold=9.5"),)


def problem(trial: Trial) -> str | None:
    """Return the name of the problem of a run; None of one that is solved."""
    found = trial.evidence
    if trial.solved:
        return None
    if trial.verdict == "diverged":
        return "explode"
    if found["state/dead"] >= _DEAD:
        return "relu"
    if found.gradient in ("exploding", "non_finite"):
        return "explode"
    if found.gradient == "vanishing":
        return "vanish"
    return "unstable" if unstable(trial.errors) else "not_converge"


def unstable(errors: Sequence[float]) -> bool:
    """Return whether the accuracy swings by 0.03 or more in at least a fifth of the validations."""
    accuracy = 1 - np.asarray(errors)
    middle, before, after = accuracy[1:-1], accuracy[:-2], accuracy[2:]
    highest = middle[(middle >= before) & (middle >= after)]
    lowest = middle[(middle <= before) & (middle <= after)]
    swings = sum(high - low >= _SWING for high, low in zip(highest, lowest, strict=False))
    return swings >= max(_OFTEN * len(errors), 1)


def strategies(trial: Trial) -> Iterator[tuple[str, ...]]:
    """Yield the overrides of the strategies against the problem of a run."""
    found = trial.evidence
    others = tuple(_chosen(name) for name in ("sgd", "adam", "rmsprop") if name != found.optimizer)
    adam = () if found.optimizer == "adam" else (_chosen("adam"),)
    smaller, larger = (_rates(found.learning_rate, sign) for sign in (-1, 1))
    clip = _CLIP if found.clip == "none" else ()
    batches = tuple((f"batch_size={found.batch_size * 2**power}",) for power in (1, 2, 3))
    momenta = tuple((*_chosen("sgd"), f"optimizer.momentum={momentum}") for momentum in (0.23, 0.46, 0.68))
    yield from {
        "vanish": _TANH,
        "explode": _TANH + clip,
        "relu": _TANH,
        "unstable": adam + smaller + batches + momenta,
        "not_converge": others + larger,
        None: (),
    }[problem(trial)]


def treat(trial: Trial, run: Callable[[Sequence[str]], Trial]) -> Iterator[Trial]:
    """Yield its tries on a run, at most ten, up to one that solves the task.

    When nothing solves it and some tries have changed the problem, the best of these is treated for its own
    problem, unless that was treated before.
    """
    yield from itertools.islice(_tries(trial, run), MOST)


def _tries(trial: Trial, run: Callable[[Sequence[str]], Trial]) -> Iterator[Trial]:
    treated: set[str | None] = set()
    now: Trial | None = trial
    while now is not None and problem(now) not in treated:
        treated.add(problem(now))
        changed = []
        for overrides in strategies(now):
            typed = merged(now.overrides, overrides)
            if set(typed) == set(now.overrides):
                continue
            tried = run(typed)
            yield tried
            if tried.solved:
                return
            if problem(tried) != problem(now):
                changed.append(tried)
        now = min(changed, key=lambda each: math.inf if math.isnan(each.error) else each.error, default=None)


def _chosen(optimizer: str) -> tuple[str, ...]:
    return (f"optimizer={optimizer}", f"optimizer.learning_rate={_DEFAULTS[optimizer]}")


def _rates(rate: float, sign: int) -> tuple[tuple[str, ...], ...]:
    return tuple((f"optimizer.learning_rate={rate * 10.0 ** (sign * power):g}",) for power in (1, 2, 3))
