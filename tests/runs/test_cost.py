import pytest

from rnnexp.runs import cost

# (T, H, B), seconds a training step: medians of `make bench` on two cores, written down in the README.
MEASURED = [((200, 32, 32), 1.4e-3), ((400, 100, 16), 4.2e-3), ((200, 128, 128), 22.9e-3)]


@pytest.mark.parametrize(("shape", "seconds"), MEASURED)
def test_the_rule_is_within_a_factor_of_one_and_a_half_of_what_was_measured(shape, seconds):
    seq_len, units, batch_size = shape
    start = cost.seconds(seq_len, units, batch_size, steps=0)
    step = (cost.seconds(seq_len, units, batch_size, steps=1000) - start) / 1000
    assert 1 / 1.5 < step / seconds < 1.5


def test_longer_wider_and_more_cost_more():
    base = cost.seconds(100, 64, 64, 1000)
    assert cost.seconds(200, 64, 64, 1000) > base
    assert cost.seconds(100, 128, 64, 1000) > base
    assert cost.seconds(100, 64, 128, 1000) > base
    assert cost.seconds(100, 64, 64, 2000) - 4 == pytest.approx(2 * (base - 4))
