"""Turn the calls of a pass into readings: calls for slices and steps of one sequence are joined."""

import dataclasses
from typing import NamedTuple

import numpy as np


class Reading(NamedTuple):
    """The measurement of one state of one sequence.

    Attributes:
        layer: Name of the call.
        state: Name of the state.
        log_norms: ln ||dl_b/dh_t||, (T, B), in the order of the inputs' time; -inf where masked.
        masked: Where a step was masked, (T, B) booleans.
        go_backwards: Whether the layer processes the last input first.
        read_at_every_step: Whether the layer returns its output of every step, not only of the last.
        read: Whether the loss depends on the state at all; only then a zero is a measurement.
    """

    layer: str
    state: str
    log_norms: np.ndarray
    masked: np.ndarray
    go_backwards: bool
    read_at_every_step: bool
    read: bool


@dataclasses.dataclass
class Call:
    """One call of a layer: the numbers of a `Site`.

    Attributes:
        path: Path of the layer.
        states: Names of the states.
        log_norms: ln ||dl_b/dh_t|| of each, (T, B), in the order of the inputs' time.
        masked: Where a step was masked, (T, B).
        go_backwards: As in `Reading`.
        read_at_every_step: As in `Reading`.
        previous: Number of the call whose last states this one continues from; None if there is none.
        slices: Equal for the calls of one `TimeDistributed`; None elsewhere.
        read: Whether the loss depends on each of the states.
    """

    path: str
    states: list[str]
    log_norms: list[np.ndarray]
    masked: np.ndarray
    go_backwards: bool
    read_at_every_step: bool
    previous: int | None
    slices: tuple | None
    read: list[bool]


def readings(calls: list[Call]) -> list[Reading]:
    """Return a reading for every state of every sequence.

    Calls of one layer that continue from each other's states form one sequence. The calls for the N slices of
    a `TimeDistributed` form one batch, with slice n of sample b at b N + n. Sequences of one path are named
    path, path/1, ... in their order.
    """
    count: dict[str, int] = {}
    found = []
    for call in _batches(_chains(calls)):
        number = count.get(call.path, 0)
        count[call.path] = number + 1
        name = f"{call.path}/{number}" if number else call.path
        ways = (call.masked, call.go_backwards, call.read_at_every_step)
        found += [
            Reading(name, state, norms, *ways, read)
            for state, norms, read in zip(call.states, call.log_norms, call.read, strict=True)
        ]
    return found


def _chains(calls: list[Call]) -> list[Call]:
    """Join every call with the first call that continues from it, and so on."""
    joined: dict[int, list[Call]] = {}
    chain_of: dict[int, int] = {}
    ends: dict[int, int] = {}
    for number, call in enumerate(calls):
        chain = chain_of.get(call.previous) if call.previous is not None else None
        if chain is None or ends[chain] != call.previous or not _fits(joined[chain][-1], call):
            chain, joined[number] = number, []
        joined[chain].append(call)
        chain_of[number], ends[chain] = chain, number
    return [_in_time(chain) for chain in joined.values()]


def _fits(before: Call, after: Call) -> bool:
    same_samples = before.masked.shape[1] == after.masked.shape[1]
    return (
        same_samples and len(before.states) == len(after.states) and before.go_backwards == after.go_backwards
    )


def _in_time(chain: list[Call]) -> Call:
    first = chain[0]
    if len(chain) == 1:
        return first
    order = chain[::-1] if first.go_backwards else chain
    states = zip(*(call.log_norms for call in order), strict=True)
    return dataclasses.replace(
        first,
        log_norms=[np.concatenate(parts) for parts in states],
        masked=np.concatenate([call.masked for call in order]),
        read_at_every_step=True,
        read=_any_read(chain),
    )


def _batches(calls: list[Call]) -> list[Call]:
    """Join the calls for the slices of one `TimeDistributed` along the batch."""
    groups: dict[tuple, list[Call]] = {}
    for number, call in enumerate(calls):
        groups.setdefault(("alone", number) if call.slices is None else call.slices, []).append(call)
    return [_side_by_side(group) if len(group) > 1 else group[0] for group in groups.values()]


def _side_by_side(group: list[Call]) -> Call:
    states = zip(*(call.log_norms for call in group), strict=True)
    return dataclasses.replace(
        group[0],
        log_norms=[_stacked(parts) for parts in states],
        masked=_stacked([call.masked for call in group]),
        read=_any_read(group),
    )


def _any_read(calls: list[Call]) -> list[bool]:
    return [any(each) for each in zip(*(call.read for call in calls), strict=True)]


def _stacked(parts) -> np.ndarray:
    stacked = np.stack(list(parts), axis=2)
    return stacked.reshape(len(stacked), -1)
