"""The calls of a pass as sequences: calls for the slices and the steps of one sequence are joined."""

import collections
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from rnnexp.diagnosis.keras_models.result import StateFlow


class Call(NamedTuple):
    """One call of a layer.

    Attributes:
        states: What was found of each of its states.
        previous: Number of the call whose last states this one continues from; None if there is none.
        slices: Equal for the calls of one `TimeDistributed`; None elsewhere.
    """

    states: list[StateFlow]
    previous: int | None
    slices: tuple | None


def sequences(calls: list[Call]) -> list[StateFlow]:
    """Return every state of every sequence.

    Calls of one layer that continue from each other's states form one sequence. The calls for the N slices of
    a `TimeDistributed` form one batch, with slice n of sample b at b N + n. Sequences of one path are named
    path, path/1, ... in their order.
    """
    found = _batches(_chains(calls))
    names = numbered(call.states[0].layer for call in found)
    return [
        dataclasses.replace(state, layer=name)
        for name, call in zip(names, found, strict=True)
        for state in call.states
    ]


def numbered(paths: Iterator[str]) -> list[str]:
    """Return path, path/1, path/2, ... for the first, second, third, ... occurrence of a path."""
    count: collections.Counter[str] = collections.Counter()
    found = []
    for path in paths:
        found.append(f"{path}/{count[path]}" if count[path] else path)
        count[path] += 1
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
    one, other = before.states[0], after.states[0]
    same_samples = one.masked.shape[1] == other.masked.shape[1]
    same_way = one.go_backwards == other.go_backwards
    return same_samples and same_way and len(before.states) == len(after.states)


def _in_time(chain: list[Call]) -> Call:
    if len(chain) == 1:
        return chain[0]
    order = chain[::-1] if chain[0].states[0].go_backwards else chain
    return _joined(chain[0], order, np.concatenate, read_at_every_step=True)


def _batches(calls: list[Call]) -> list[Call]:
    """Join the calls for the slices of one `TimeDistributed` along the batch."""
    groups: dict[tuple, list[Call]] = {}
    for number, call in enumerate(calls):
        groups.setdefault(("alone", number) if call.slices is None else call.slices, []).append(call)
    return [_joined(group[0], group, _side_by_side) for group in groups.values()]


def _side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    stacked = np.stack(parts, axis=2)
    return stacked.reshape(len(stacked), -1)


def _joined(first: Call, calls: list[Call], join: Callable[..., np.ndarray], **changes: Any) -> Call:
    """Return `first` with the norms of all calls, joined state by state."""
    states = [
        dataclasses.replace(
            state,
            log_norms=join([part.log_norms for part in parts]),
            masked=join([part.masked for part in parts]),
            read=any(part.read for part in parts),
            **changes,
        )
        for state, *parts in zip(first.states, *(call.states for call in calls), strict=True)
    ]
    return first._replace(states=states)
