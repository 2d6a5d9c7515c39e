"""The results of the calls of a pass, as tensors inside it and as numbers after it."""

import math
from typing import NamedTuple

import tensorflow as tf

from rnnexp.diagnosis.keras_models.instrumentation import Site
from rnnexp.diagnosis.keras_models.readings import Call
from rnnexp.nn.log_norm import log_norm


class Header(NamedTuple):
    """The facts about a site that are known when the pass is traced."""

    site: Site
    previous: int | None
    compared: int | None
    read: list[bool]


def log_norms(site: Site, tap: tf.Tensor, gradient: tf.Tensor | None) -> tf.Tensor:
    """Return ln ||dl_b/dh_t|| (T, B), in the order of the inputs' time; -inf if nothing depends on h_t."""
    if site.step is None:
        log_norms = (
            tf.fill(tf.shape(tap), tf.constant(-math.inf, tf.float64)) if gradient is None else gradient
        )
        return tf.reverse(log_norms, [0]) if site.go_backwards else log_norms
    gradient = tf.zeros_like(tap) if gradient is None else gradient
    return tf.transpose(log_norm(gradient, range(2, len(gradient.shape))))


def masked(site: Site, log_norms: tf.Tensor) -> tf.Tensor:
    """Return the mask of the steps that `site` leaves out, (T, B) like `log_norms`."""
    if site.mask is None:
        return tf.zeros_like(log_norms, tf.bool)
    steps = tf.reshape(tf.cast(site.mask, tf.bool), tf.shape(site.mask)[:2])
    return tf.logical_not(tf.transpose(steps))


def same(site: Site) -> tf.Tensor:
    """Return which states equal the output at every step, (N,)."""
    return tf.zeros(len(site.taps), tf.bool) if site.step is None else site.step.same


def header(sites: list[Site], number: int, read: list[bool]) -> Header:
    """Find the call that this one may continue from: by its tensors, else by values (see `continues`)."""
    site = sites[number]
    starts = {id(state) for state in site.initial}
    earlier = [n for n in range(number) if sites[n].name == site.name and sites[n].hands_on]
    known = next((n for n in reversed(earlier) if starts <= {id(state) for state in sites[n].final}), None)
    compared = earlier[-1] if known is None and earlier and earlier[-1] == number - 1 else None
    fits = compared is not None and _fits(sites[compared], site)
    return Header(site, known, compared if fits else None, read)


def _fits(before: Site, after: Site) -> bool:
    last = before.final[-len(after.initial) :]
    return [(s.shape, s.dtype) for s in last] == [(s.shape, s.dtype) for s in after.initial]


def continues(sites: list[Site], header: Header) -> tf.Tensor:
    """Return whether a call starts from the values with which the call before ended."""
    if header.compared is None:
        return tf.constant(header.previous is not None)
    initial = header.site.initial
    last = sites[header.compared].final[-len(initial) :]
    return tf.reduce_all(
        [tf.reduce_all(tf.equal(a, b)) for a, b in zip(last, initial, strict=True)]
        + [tf.reduce_any([tf.reduce_any(tf.not_equal(a, tf.zeros_like(a))) for a in initial])]
    )


def calls_of(headers: list[Header], norms, masks, same, continues) -> tuple[list[Call], list[str]]:
    """Return the calls as numbers, and the paths of the cells whose output is none of their states."""
    calls, unlinked = [], []
    for number, (site, previous, compared, read) in enumerate(headers):
        names = ["h"] if site.step is None else site.step.names(same[number])[0]
        if site.step is not None and not site.step.linked and not any(same[number]):
            unlinked.append(site.name)
        before = compared if previous is None and continues[number] else previous
        ways = (site.go_backwards, site.read_at_every_step)
        calls.append(Call(site.name, names, norms[number], masks[number], *ways, before, site.slices, read))
    return calls, list(dict.fromkeys(unlinked))
