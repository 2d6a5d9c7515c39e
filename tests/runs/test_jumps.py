import numpy as np

from rnnexp.runs.jumps import Jumps


def said(jumps, start, norms):
    return list(jumps.of(np.arange(start, start + len(norms)), np.asarray(norms, float)))


def test_the_first_jump_is_told_with_step_and_median():
    jumps = Jumps("relu")
    assert said(jumps, 0, [1.0, 3.0, 2.0] * 10) == []
    (sentence,) = said(jumps, 30, [2.0, 201.0, 9e9])
    assert sentence == (
        "relu: at training step 31 the norm of the gradient jumped to 2e+02, from a median of 2 before"
    )
    assert said(jumps, 33, [1e12]) == []


def test_a_norm_that_is_not_finite_is_a_jump():
    jumps = Jumps("a")
    said(jumps, 0, [1.0] * 20)
    assert len(said(jumps, 20, [np.nan])) == 1


def test_few_norms_make_no_median():
    jumps = Jumps("a")
    assert said(jumps, 0, [1.0] * 19) == said(jumps, 19, [1e6]) == []
