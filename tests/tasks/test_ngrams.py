import math

import numpy as np
import pytest

from rnnexp.tasks.ngrams import Bigram, Unigram, fit_bigram

TEXT = np.array([0, 1, 0, 2, 0, 1, 1, 3, 0, 1])


def test_a_unigram_is_a_share_with_one_of_each_word_added():
    losses = Unigram(TEXT, 5).losses(np.arange(5))
    expected = [-math.log(count / 15) for count in (5, 5, 2, 2, 1)]
    np.testing.assert_allclose(losses, expected, rtol=1e-14)


@pytest.mark.parametrize("strength", [0.5, 4.0])
def test_a_bigram_counts_pairs_around_the_unigram(strength):
    bigram = Bigram(TEXT, 5, strength)
    pairs = list(zip(TEXT[:-1].tolist(), TEXT[1:].tolist(), strict=True))
    for before in range(5):
        for word in range(5):
            prior = strength * math.exp(-Unigram(TEXT, 5).losses(np.array(word)))
            followers = sum(first == before for first, _ in pairs)
            expected = (pairs.count((before, word)) + prior) / (followers + strength)
            loss = bigram.losses(np.array([before]), np.array([word]))
            assert loss[0] == pytest.approx(-math.log(expected), rel=1e-13)


def test_the_probabilities_of_a_bigram_sum_to_one():
    bigram = Bigram(TEXT, 5, 3.0)
    for before in range(5):
        chances = np.exp(-bigram.losses(np.full(5, before), np.arange(5)))
        assert chances.sum() == pytest.approx(1, abs=1e-14)


def test_bigram_fits_a_chain_and_smooths_noise():
    rng = np.random.default_rng(0)
    chain = np.tile(np.arange(10), 300)
    before, words = chain[:-1], chain[1:]
    assert fit_bigram(chain, 10).losses(before, words).mean() < 0.02
    noise = rng.integers(10, size=3000)
    # Independent words: the entropy ln 10 is the best there is, and much smoothing comes near it.
    assert fit_bigram(noise, 10).losses(noise[:-1], rng.permutation(noise)[1:]).mean() == pytest.approx(
        math.log(10), abs=0.02
    )
