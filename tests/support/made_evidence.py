"""Evidence of runs that were never run."""

import dataclasses

import numpy as np

from rnnexp.diagnosis.course import Course
from rnnexp.diagnosis.evidence import Evidence
from rnnexp.nn.cells.elman import Elman

STEPS = 400


def course(falling=False, spike_at=None, wrecked=False):
    """A training at the floor: flat or falling, with a spike of its norm or without."""
    losses = 1 / 6 + 0.005 * np.random.default_rng(0).normal(size=STEPS)
    if falling:
        losses *= np.linspace(1, 0.2, STEPS)
    norms = np.full(STEPS, 0.5)
    if spike_at is not None:
        norms[spike_at] = 1e6
        losses[spike_at:] = 50.0 if wrecked else losses[spike_at:]
    return Course(np.arange(STEPS), losses, norms, 1 / 6)


METRICS = {
    "rate": "grad/rate",
    "rate_low": "grad/rate_low",
    "rate_rms": "grad/rate_rms",
    "effective_samples": "grad/effective_samples",
    "log10_ratio": "grad/log10_ratio",
    "clip_fraction": "grad/clip_fraction",
    "clip_threshold": "grad/clip_threshold",
    "saturated": "state/saturated",
    "dead": "state/dead",
    "predicted_rate": "theory/rate",
    "rate_measured_q": "theory/rate_measured_q",
    "rate_measured_slopes": "theory/rate_measured_slopes",
    "rate_closure": "theory/rate_closure",
    "rate_bound": "theory/rate_bound",
    "loss": "val/loss",
    "error": "val/error",
    "below": "val/loss_below_floor",
    "below_half_width": "val/loss_below_floor_half_width",
    "floor_loss": "task/floor_loss",
    "proven_horizon": "task/proven_horizon",
    "truncation_norm_ratio": "truncation/norm_ratio",
    "truncation_cosine": "truncation/cosine",
    "ratio_layer_2": "layer_2/grad/log10_ratio",
    "ratio_layer_3": "layer_3/grad/log10_ratio",
}
"""Short names, for tests, of the metrics at the end that words and recommendations are made from."""

START = {
    "ratio_start_high": "grad/log10_ratio_high",
    "rate_start": "theory/rate",
    "rate_kernels": "theory/rate_kernels",
    "rate_kernels_sd": "theory/rate_kernels_sd",
}
"""The same of those before the first step."""

VANISHING = Evidence(
    numbers={
        "grad/rate": -0.165,
        "grad/rate_low": -0.17,
        "grad/rate_rms": -0.16,
        "grad/effective_samples": 20.0,
        "grad/log10_ratio": -14.3,
        "grad/clip_fraction": 0.0,
        "state/saturated": 0.38,
        "state/dead": 0.0,
        "theory/rate": -0.168,
        "val/loss": 0.167,
        "val/error": 0.36,
        "val/loss_below_floor": -0.0003,
        "val/loss_below_floor_half_width": 0.0004,
        "task/floor_loss": 1 / 6,
        "task/proven_horizon": 0.0,
    },
    start={"grad/log10_ratio_high": -10.0},
    activation="tanh",
    cell="elman",
    init="glorot_uniform",
    gain=1.0,
    clip="none",
    optimizer="adam",
    learning_rate=0.001,
    dtype="float32",
    seq_len=200,
    time_steps=200,
    train_steps=STEPS,
    batch_size=64,
    units=64,
    layers=1,
    truncate=None,
    probe_samples=64,
    decades=3.0,
    baseline="best constant",
    published_sequences=None,
    gates=False,
    laws=Elman.laws,
    chosen_biases=False,
    gradient="vanishing",
    gradient_start="vanishing",
    learning="at_chance",
    course=course(),
    diverged_at=None,
    rms_over_typical=0.2,
    reach=42,
    further_ratios={},
    orthogonal_rate=-0.01,
    critical_gain=1.5,
)


def evidence(**changes) -> Evidence:
    """That of a vanishing run with some changes; metrics have the names above."""
    numbers, start = (
        {names[name]: value for name, value in changes.items() if name in names} for names in (METRICS, START)
    )
    others = {name: value for name, value in changes.items() if name not in METRICS and name not in START}
    return dataclasses.replace(
        VANISHING, numbers={**VANISHING.numbers, **numbers}, start={**VANISHING.start, **start}, **others
    )
