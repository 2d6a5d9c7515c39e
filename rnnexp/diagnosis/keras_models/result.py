"""What a look at a model found: the gradient over time of every state, its rate and a verdict."""

import base64
import dataclasses
import functools
import html
import math
import os
from typing import TYPE_CHECKING

import numpy as np

from rnnexp.diagnosis.keras_models.recommendations import Setup, recommendations
from rnnexp.diagnosis.keras_models.training_history import TrainingHistory
from rnnexp.diagnosis.keras_models.verification import Checked
from rnnexp.diagnosis.verdict import GradientVerdict, gradient_verdict
from rnnexp.probes import GradientProfile, measure_gradient
from rnnexp.runtime.extras import explained

if TYPE_CHECKING:
    import pandas as pd

    from rnnexp.plotting.style import ShownFigure

METRICS = ("rate", "rate_low", "rate_high", "log10_ratio")
"""The numbers of a state, by their names in its profile."""
_NOTE = "* read at every step: direct and carried gradients together"


@dataclasses.dataclass(frozen=True, eq=False)
class StateFlow:
    """The gradient over time of one state of one recurrent layer.

    Arrays over time are in the order of the layer's *inputs*, t = 1..T, whichever way the layer goes;
    `processed` is in the order of processing, which is the reverse where `go_backwards`.

    A masked step computes no state: it has no gradient, nan here, and counts nowhere below. Nor do steps
    after the last one of a sample on which the loss depends at all, such as the last c of an LSTM, which
    nobody reads. `profile`, `rate` and the verdict are of the *window*: the last L steps that count of the k
    samples that have so many, with L k as large as can be; all T steps of all B samples where each counts.

    Attributes:
        layer: Name of the layer in the model, such as bidirectional/forward_lstm.
        state: h, or c; in a stack of cells cell_0/h and so on.
        log_norms: ln ||dl_b/dh_t||, (T, B). -inf is an exact zero, nan a masked step.
        masked: Where a step is masked, (T, B).
        go_backwards: Whether the layer processes the last input first.
        read_at_every_step: Whether the layer hands its output on at every step (`return_sequences`). If so,
            dl/dh_t is the sum of a direct term of step t and of what comes back from later steps: rate and
            verdict are of that sum, not of the recurrence alone.
        read: Whether the loss depends on the state at all.
        decades: D of the verdict.
    """

    layer: str
    state: str
    log_norms: np.ndarray
    masked: np.ndarray
    go_backwards: bool
    read_at_every_step: bool = False
    read: bool = True
    decades: float = 3.0

    def __post_init__(self):
        """Take masked steps out of the norms."""
        object.__setattr__(self, "log_norms", np.where(self.masked, np.nan, self.log_norms))

    @functools.cached_property
    def log_norm(self) -> np.ndarray:
        """ln rms_b ||dl_b/dh_t||, (T,), over the samples that have the step; nan where none has."""
        counted = ~self.masked
        samples = counted.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            # numpy's reduction starts from ln 0, so that steps without samples are ln 0 - ln 0.
            total = np.logaddexp.reduce(2 * self.log_norms, axis=1, where=counted, initial=-np.inf)
            return np.where(samples > 0, 0.5 * (total - np.log(samples)), np.nan)

    @property
    def lag(self) -> np.ndarray:
        """Steps that the layer processes after every entry of `log_norm`, (T,): T - t, or t - 1 backwards."""
        forwards = np.arange(len(self.masked))
        return forwards if self.go_backwards else forwards[::-1]

    @property
    def processed(self) -> np.ndarray:
        """`log_norms` in the order of processing, (T, B): the last row is the last state that is computed."""
        return self._in_order(self.log_norms)

    @functools.cached_property
    def window(self) -> np.ndarray:
        """ln ||dl_b/dh_t||, (L, k), in the order of processing: what rate and verdict are measured on."""
        return window(self.processed, self._in_order(self.masked))

    @functools.cached_property
    def profile(self) -> GradientProfile:
        """The exponential law fitted to the window, see `rnnexp.probes.measure_gradient`."""
        return measure_gradient(self.window)

    @property
    def fitted(self) -> np.ndarray:
        """The line of a typical sample, (T,), nats; nan after the window, or if samples differ."""
        steps, samples = self.window.shape
        unread = len(self.masked) - steps
        lag = self.lag - unread
        same_steps = samples == self.masked.shape[1] and np.isneginf(self.processed[steps:]).all()
        if self.masked.any() or not same_steps:
            return np.full(len(lag), np.nan)
        return np.where(lag >= 0, self.profile.intercept + self.profile.rate * lag, np.nan)

    @property
    def rate(self) -> float:
        """Mean slope of ln ||dl_b/dh_t|| over samples, nats per step of lag; negative: vanishing."""
        return self.profile.rate

    @property
    def log10_ratio(self) -> float:
        """Mean log10 of the norm at the first step of the window over that at its last, decades."""
        return self.profile.log10_ratio

    @functools.cached_property
    def verdict(self) -> GradientVerdict:
        """The word of `rnnexp.diagnosis.verdict.gradient_verdict`.

        A window of one step, as of a state that nobody reads, has none: not_measured.
        """
        if len(self.window) == 1 or not self.read:
            return "not_measured"
        profile = self.profile
        low, high = profile.ratio_low, profile.ratio_high
        return gradient_verdict(low, high, profile.nonfinite_share, self.decades)

    def metrics(self) -> dict[str, float]:
        """Return rate, its interval and the ratio, by name."""
        return {name: getattr(self.profile, name) for name in METRICS}

    def __repr__(self) -> str:
        return f"<StateFlow {' '.join(_row(self))}>"

    def _in_order(self, values: np.ndarray) -> np.ndarray:
        return values[::-1] if self.go_backwards else values


@dataclasses.dataclass(frozen=True, eq=False)
class GradientFlow:
    """The gradient at every time step of every recurrent layer of a model, on one batch.

    Attributes:
        model: Name of the model.
        loss: L, as training would see it.
        layers: Layer name -> state name -> `StateFlow`, in the order in which the layers were called. A layer
            called again has entries for every call: lstm, lstm/1, ...; calls that go on from each other's
            states are one.
        warnings: What is not measured, or not to be trusted, a sentence each.
        checked: The comparisons with central differences that `verify=True` asks for.
        setup: How the model's layers and optimizer are set up, which recommendations are made from.
        training: Loss and gradient norm of every update before, in a look of the monitor.
    """

    model: str
    loss: float
    layers: dict[str, dict[str, StateFlow]]
    warnings: tuple[str, ...] = ()
    checked: tuple[Checked, ...] = ()
    setup: Setup | None = None
    training: TrainingHistory | None = None

    @property
    def states(self) -> list[StateFlow]:
        """All states of all layers."""
        return [state for states in self.layers.values() for state in states.values()]

    def metrics(self) -> dict[str, float]:
        """Return the numbers of all states, under names such as lstm/h/rate."""
        return {
            f"{flow.layer}/{flow.state}/{name}": value
            for flow in self.states
            for name, value in flow.metrics().items()
        }

    def verdicts(self) -> dict[str, GradientVerdict]:
        """Return the verdicts of all states, under names such as lstm/h."""
        return {f"{flow.layer}/{flow.state}": flow.verdict for flow in self.states}

    def recommendations(self) -> list[str]:
        """Return what to change in the model, a sentence each, as far as the look and the history bear it."""
        if self.setup is None:
            return []
        steps = {flow.layer: len(flow.window) for flow in self.states}
        return recommendations(
            [(s.layer, s.state, s.verdict) for s in self.states], steps, self.setup, self.training
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the table, and the figure beside it."""
        picture = base64.b64encode(self.plot()._repr_png_()).decode()
        image = f'<img src="data:image/png;base64,{picture}" alt="gradient flow">'
        return f"<pre>{html.escape(repr(self))}</pre>{image}"

    def to_frame(self) -> "pd.DataFrame":
        """Return a tidy table, one row a layer, state and step t = 1..T of the inputs' time.

        Columns: layer, state, step, lag (steps processed after it), log_norm = ln rms_b ||dl_b/dh_t|| in
        nats, and log10_norm, the same in decades.
        """
        with explained():
            import pandas as pd

        return pd.concat([pd.DataFrame(_columns(flow)) for flow in self.states], ignore_index=True)

    def plot(self, path: str | os.PathLike | None = None) -> "ShownFigure":
        """Draw one panel a state, and write it to `path` (.png, .pdf, .svg) if there is one."""
        from rnnexp.plotting import style
        from rnnexp.plotting.gradient_flow import Panel, gradient_flow

        panels = [
            Panel(
                label=f"{flow.layer}  {flow.state}",
                log_norms=flow.log_norms,
                log_norm=flow.log_norm,
                fitted=flow.fitted,
                summary=f"{flow.verdict}, {style.rate(flow.rate)} nats per step",
                go_backwards=flow.go_backwards,
            )
            for flow in self.states
        ]
        return gradient_flow(panels, path)

    def __repr__(self) -> str:
        rows: list[tuple[str, ...]] = [
            ("layer", "state", "steps x samples", "rate (nats per step)", "log10 ratio", "verdict")
        ]
        rows += [_row(flow) for flow in self.states]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        notes = [_NOTE] if any(flow.read_at_every_step for flow in self.states) else []
        notes += [f"! {warning}" for warning in self.warnings]
        notes += [f"{number}. {text}" for number, text in enumerate(self.recommendations(), start=1)]
        return "\n".join([f"Gradient flow of {self.model}, loss {self.loss:.4g}", *lines, *notes])


def window(log_norms: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """Return the largest rectangle of steps that count, (L, k), last steps aligned.

    Steps that are not masked count, up to the last one of a sample that is not an exact zero. A sample whose
    steps all are zeros counts up to the last step that is not one in any other (wholly, if there is none).
    Of the rectangles that hold the last L steps of the k samples which have so many, the one with the largest
    L k is taken, and of equals the longest.

    Args:
        log_norms: ln ||dl_b/dh_t||, (T, B), in the order of processing.
        masked: Where a step is masked, (T, B), in the same order.

    Returns:
        (L, k); one exact zero where no sample has a step.
    """
    sequences = [norms[~hidden] for norms, hidden in zip(log_norms.T, masked.T, strict=True)]
    tails = [_tail(steps) for steps in sequences]
    common = min((tail for tail in tails if tail is not None), default=0)
    ends = [
        len(steps) - (common if tail is None else tail) for steps, tail in zip(sequences, tails, strict=True)
    ]
    sequences = [steps[:end] for steps, end in zip(sequences, ends, strict=True) if end > 0]
    sequences.sort(key=len, reverse=True)
    if not sequences:
        return np.full((1, 1), -np.inf)
    areas = [len(steps) * samples for samples, steps in enumerate(sequences, start=1)]
    samples = int(np.argmax(areas)) + 1
    length = len(sequences[samples - 1])
    return np.stack([steps[-length:] for steps in sequences[:samples]], axis=1)


def _tail(norms: np.ndarray) -> int | None:
    """Return how many exact zeros end a sequence; None where it holds nothing else."""
    alive = np.flatnonzero(~np.isneginf(norms))
    return len(norms) - 1 - int(alive[-1]) if alive.size else None


def _columns(flow: StateFlow) -> dict[str, object]:
    return {
        "layer": flow.layer,
        "state": flow.state,
        "step": np.arange(1, len(flow.log_norm) + 1),
        "lag": flow.lag,
        "log_norm": flow.log_norm,
        "log10_norm": flow.log_norm / math.log(10),
    }


def _row(flow: StateFlow) -> tuple[str, ...]:
    steps, samples = flow.window.shape
    profile = flow.profile
    rate = f"{profile.rate:.4f} [{profile.rate_low:.4f}, {profile.rate_high:.4f}]"
    verdict = f"{flow.verdict} *" if flow.read_at_every_step else flow.verdict
    return flow.layer, flow.state, f"{steps} x {samples}", rate, f"{profile.log10_ratio:.2f}", verdict
