import math

from rnnexp.theory.logarithm import ln


def test_ln_takes_zero_and_nan():
    assert ln(math.e) == 1
    assert ln(0.0) == -math.inf
    assert ln(math.inf) == math.inf
    assert math.isnan(ln(math.nan))
