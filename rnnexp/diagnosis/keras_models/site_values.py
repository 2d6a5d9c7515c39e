"""The results of the calls of a pass, as tensors inside it and as numbers after it."""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from rnnexp.diagnosis.keras_models.calls import Call
from rnnexp.diagnosis.keras_models.instrumentation import Site
from rnnexp.diagnosis.keras_models.result import StateFlow
from rnnexp.nn.log_norm import log_norm


class Values(NamedTuple):
    """The results of one site, as tensors or as numbers.

    Attributes:
        log_norms: ln ||dl_b/dh_t|| of each state, (T, B), in the order of the inputs' time.
        masked: The steps that the site leaves out, (T, B).
        same: Which states equal the output at every step, (N,).
        continues: Whether the call starts from the values with which the call before ended.
    """

    log_norms: Any
    masked: Any
    same: Any
    continues: Any


def linked(sites: list[Site], number: int, gradients: list[tf.Tensor | None]) -> Site:
    """Return a site with the call that it may continue from: by its tensors, else by values (`continues`)."""
    site = sites[number]
    starts = {id(state) for state in site.initial}
    earlier = [n for n in range(number) if sites[n].name == site.name and sites[n].hands_on]
    known = next((n for n in reversed(earlier) if starts <= {id(state) for state in sites[n].final}), None)
    compared = earlier[-1] if known is None and earlier and earlier[-1] == number - 1 else None
    fits = compared is not None and _fits(sites[compared], site)
    read = tuple(gradient is not None for gradient in gradients)
    return site._replace(previous=known, compared=compared if fits else None, read=read)


def values_of(sites: list[Site], site: Site, gradients: list[tf.Tensor | None], level: tf.Tensor) -> Values:
    """Return the results of a linked site, from dL/dh of its taps and ln of the loss of a sample over L."""
    pairs = zip(site.taps, gradients, strict=True)
    log_norms = [level + _log_norms(site, tap, gradient) for tap, gradient in pairs]
    same = tf.zeros(len(site.taps), tf.bool) if site.step is None else site.step.same
    return Values(log_norms, _masked(site, log_norms[0]), same, _continues(sites, site))


def calls_of(sites: list[Site], values: list[Values]) -> tuple[list[Call], list[str]]:
    """Return the calls as numbers, and the paths of the cells whose output is none of their states."""
    calls, unlinked = [], []
    for site, found in zip(sites, values, strict=True):
        names = ["h"] if site.step is None else site.step.names(found.same)[0]
        if site.step is not None and not site.step.linked and not any(found.same):
            unlinked.append(site.name)
        ways = (found.masked, site.go_backwards, site.read_at_every_step)
        states = [
            StateFlow(site.name, name, log_norms, *ways, read)
            for name, log_norms, read in zip(names, found.log_norms, site.read, strict=True)
        ]
        before = site.compared if site.previous is None and found.continues else site.previous
        calls.append(Call(states, before, site.slices))
    return calls, list(dict.fromkeys(unlinked))


def _log_norms(site: Site, tap: tf.Tensor, gradient: tf.Tensor | None) -> tf.Tensor:
    """Return ln ||dL/dh_t|| of every sample, (T, B); -inf if nothing depends on h_t."""
    if site.step is None:
        log_norms = (
            tf.fill(tf.shape(tap), tf.constant(-math.inf, tf.float64)) if gradient is None else gradient
        )
        return tf.reverse(log_norms, [0]) if site.go_backwards else log_norms
    gradient = tf.zeros_like(tap) if gradient is None else gradient
    return tf.transpose(log_norm(gradient, range(2, len(gradient.shape))))


def _masked(site: Site, log_norms: tf.Tensor) -> tf.Tensor:
    if site.mask is None:
        return tf.zeros_like(log_norms, tf.bool)
    steps = tf.reshape(tf.cast(site.mask, tf.bool), tf.shape(site.mask)[:2])
    return tf.logical_not(tf.transpose(steps))


def _fits(before: Site, after: Site) -> bool:
    last = before.final[-len(after.initial) :]
    return [(s.shape, s.dtype) for s in last] == [(s.shape, s.dtype) for s in after.initial]


def _continues(sites: list[Site], site: Site) -> tf.Tensor:
    if site.compared is None:
        return tf.constant(site.previous is not None)
    last = sites[site.compared].final[-len(site.initial) :]
    return tf.reduce_all(
        [tf.reduce_all(tf.equal(a, b)) for a, b in zip(last, site.initial, strict=True)]
        + [tf.reduce_any([tf.reduce_any(tf.not_equal(a, tf.zeros_like(a))) for a in site.initial])]
    )
