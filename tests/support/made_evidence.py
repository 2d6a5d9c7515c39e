"""Evidence of runs that were never run."""

import dataclasses
import math

import numpy as np

from rnnexp.diagnosis.course import Course
from rnnexp.diagnosis.evidence import Evidence
from rnnexp.nn.cells.elman import Elman

STEPS = 400


def course(falling=False, spike_at=None, wrecked=False, diverged_at=None):
    """A training at the floor: flat or falling, with a spike of its norm or without."""
    losses = 1 / 6 + 0.005 * np.random.default_rng(0).normal(size=STEPS)
    if falling:
        losses *= np.linspace(1, 0.2, STEPS)
    norms = np.full(STEPS, 0.5)
    if spike_at is not None:
        norms[spike_at] = 1e6
        losses[spike_at:] = 50.0 if wrecked else losses[spike_at:]
    return Course(np.arange(STEPS), losses, norms, 1 / 6, diverged_at)


VANISHING = Evidence(
    activation="tanh",
    cell="elman",
    init="glorot_uniform",
    gain=1.0,
    clip="none",
    clip_threshold=math.nan,
    optimizer="adam",
    learning_rate=0.001,
    dtype="float32",
    seq_len=200,
    time_steps=200,
    train_steps=STEPS,
    batch_size=64,
    units=64,
    probe_samples=64,
    gradient="vanishing",
    gradient_start="vanishing",
    learning="at_chance",
    rate=-0.165,
    rate_low=-0.17,
    rate_high=-0.16,
    rate_rms=-0.16,
    effective_samples=20.0,
    rms_over_typical=0.2,
    predicted_rate=-0.168,
    log10_ratio=-14.3,
    ratio_start_high=-10.0,
    decades=3.0,
    reach=42,
    saturated=0.38,
    dead=0.0,
    clip_fraction=0.0,
    loss=0.167,
    floor_loss=1 / 6,
    below=-0.0003,
    below_half_width=0.0004,
    baseline="best constant",
    error=0.36,
    proven_horizon=0.0,
    published_sequences=None,
    orthogonal_rate=-0.01,
    critical_gain=1.5,
    course=course(),
    diverged_at=None,
    laws=Elman.laws,
)


def evidence(**changes) -> Evidence:
    """That of a vanishing run with some changes."""
    return dataclasses.replace(VANISHING, **changes)
