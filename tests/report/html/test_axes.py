import pandas as pd
import pytest

from rnnexp.report.html.axes import Axes, choose_axes, pick, values_of

FULL = pd.DataFrame(
    [
        {"activation": activation, "seq_len": seq_len, "clip": clip, "units": units}
        for activation in ("tanh", "relu")
        for seq_len in (100, 20, 50)
        for clip in ("none", "norm", "value")
        for units in (8, 16)
    ]
)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["activation", "seq_len", "clip"], Axes("seq_len", "activation", ("clip",))),
        (["seq_len", "units"], Axes("seq_len", "units", ())),
        (["activation", "seq_len", "units", "clip"], Axes("seq_len", "activation", ("units", "clip"))),
        (["activation", "clip"], Axes("clip", "activation", ())),
        (["clip", "units"], Axes("units", "clip", ())),
        (["activation"], Axes("activation", None, ())),
        (["seq_len"], Axes("seq_len", None, ())),
        ([], Axes(None, None, ())),
    ],
)
def test_numbers_go_along_x_and_activations_down(keys, expected):
    assert choose_axes(FULL, keys) == expected


def test_values_come_in_order_and_pick_their_groups():
    assert values_of(FULL, "seq_len") == [20, 50, 100]
    assert values_of(FULL, "activation") == ["tanh", "relu"]
    assert values_of(FULL, None) == [""]
    assert set(pick(FULL, "seq_len", 50)["seq_len"]) == {50}
