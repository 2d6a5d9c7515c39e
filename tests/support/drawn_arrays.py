"""Figures drawn from arrays of which a test says only what matters to it; nothing is clipped or diverges."""

import numpy as np

from rnnexp.plotting import gradient_heatmap, loss, spectrum, spectrum_history
from rnnexp.plotting.arrays import Arrays


def draw_heatmap(path, steps, log10_norm, lengths=(9, 9), title=""):
    log_norms = np.asarray(log10_norm) * np.log(10)
    arrays = Arrays(steps=np.asarray(steps), log_norms=log_norms, trained_lengths=lengths)
    gradient_heatmap.draw(arrays, path, title)


def draw_loss(path, steps, values, floor=np.nan, title="", **changes):
    arrays = {
        "steps": np.asarray(steps),
        "loss": np.asarray(values),
        "floor_loss": floor,
        "validation_steps": np.zeros(0),
        "validation_loss": np.zeros(0),
        "global_norm": np.ones(len(values)),
        "clipped_norm": np.ones(len(values)),
        "clip_threshold": np.nan,
        "diverged_at": -1,
        "loss_unit": "nats",
    }
    loss.draw(Arrays(arrays | changes), path, title)


def draw_spectrum(path, start, end=None, sigma_max=np.nan, title=""):
    """Draw the eigenvalues before training, and after it unless they are None."""
    arrays = Arrays({"start_eigenvalues": start, "start_sigma_max": sigma_max})
    arrays |= {"end_step": np.array(0), "gated": np.array(False)}
    if end is not None:
        arrays |= {"end_eigenvalues": end, "end_sigma_max": sigma_max, "end_step": np.array(5)}
    spectrum(arrays, path, title)


def draw_spectrum_history(path, steps, radius, sigma, nonnormality, title=""):
    named = {"spectrum_steps": steps, "spectral_radius": radius}
    named |= {"singular_values": sigma, "nonnormality": nonnormality, "gated": False}
    arrays = Arrays({name: np.asarray(values) for name, values in named.items()})
    spectrum_history(arrays, path, title)
