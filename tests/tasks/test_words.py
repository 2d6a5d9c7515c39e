import math
from collections import Counter

import numpy as np
import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks.words import UNKNOWN, Words

SENTENCE = "The cat's hat isn't red. A dog sees the cat! "
WORDS = ["the", "cat's", "hat", "isn't", "red", ".", "a", "dog", "sees", "the", "cat", "!"]


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(SENTENCE * 50 + "One bird sees a dog. " * 10, encoding="utf-8")
    return file


def spelled(task, classes):
    return [(*task.words, UNKNOWN)[k] for k in classes]


def test_words_are_lower_case_and_signs_are_words(path):
    task = Words(12, path)
    x = next(task.validation(0, 1)).x[0].argmax(axis=1)
    start = len(WORDS) * 50 + 60 - 66  # a tenth of 660 words is held out
    expected = (WORDS * 50 + ["one", "bird", "sees", "a", "dog", "."] * 10)[start : start + 12]
    assert spelled(task, x) == [word if word in WORDS else UNKNOWN for word in expected]


def test_vocabulary_is_the_most_frequent_training_words(path):
    task = Words(5, path, vocabulary=2)
    assert task.words[0] == "the"
    assert task.input_size == task.output_size == 3
    assert set(Words(5, path).words) == set(WORDS)
    assert Words(5, path).output_size == len(set(WORDS)) + 1


def test_targets_are_the_inputs_one_step_on(path):
    task = Words(9, path)
    for stream in ("train", "validation", "probe"):
        x, y = task.batch(0, stream, 0, 50)
        np.testing.assert_array_equal(x.sum(axis=2), 1)
        np.testing.assert_array_equal(x.argmax(axis=2)[:, 1:], y[:, :-1])


@pytest.mark.parametrize("seq_len", [1, 7, 60])
def test_floors_are_what_the_best_constant_scores_in_validation(path, seq_len):
    task = Words(seq_len, path)
    y = np.concatenate([batch.y for batch in task.validation(0, 7)])
    counts = Counter(y.ravel().tolist())
    entropy = -sum(count / y.size * math.log(count / y.size) for count in counts.values())
    assert task.floor_loss == pytest.approx(entropy, abs=1e-12)
    assert task.floor_error == pytest.approx(1 - max(counts.values()) / y.size, abs=1e-12)


def test_the_report_of_the_unigram_is_the_unigram(path):
    """A predictor that hands out the training text's shares has that perplexity, and no difference."""
    task = Words(6, path)
    whole = WORDS * 50 + ["one", "bird", "sees", "a", "dog", "."] * 10
    train = [task.words.index(word) for word in whole[:594]]  # 66 of 660 words are held out
    shares = np.log((np.bincount(train, minlength=task.output_size) + 1) / (594 + task.output_size))
    report = task.report(lambda x: np.broadcast_to(shares, (*x.shape[:2], task.output_size)))
    metrics = report.metrics
    assert metrics["val/perplexity"] == pytest.approx(metrics["task/unigram_perplexity"], rel=1e-12)
    assert metrics["val/loss_below_unigram"] == pytest.approx(0, abs=1e-12)
    assert report.sentences[0].startswith(f"Perplexity {metrics['val/perplexity']:.1f}; of the training text")


def test_the_report_shows_five_sentences_with_the_next_words(path):
    task = Words(6, path)
    # Whoever always says "dog", of all classes with one chance in three of "the" and "cat".
    logits = np.full(task.output_size, -50.0)
    for word, chance in (("dog", 0.5), ("the", 0.3), ("cat", 0.2)):
        logits[task.words.index(word)] = math.log(chance)
    report = task.report(lambda x: np.broadcast_to(logits, (*x.shape[:2], task.output_size)))
    assert len(report.sentences) == 6
    for sentence in report.sentences[1:]:
        shown, _, rest = sentence.partition(" ... ")
        assert len(shown.split()) == 6
        assert rest.startswith("dog (50%), the (30%), cat (20%); the text: ")


def test_a_text_without_sentences_is_shown_too(tmp_path):
    (tmp_path / "flat.txt").write_text("one two three four " * 40, encoding="utf-8")
    task = Words(15, tmp_path / "flat.txt")  # one window, and one place for a next word
    report = task.report(lambda x: np.zeros((*x.shape[:2], task.output_size)))
    assert len(report.sentences) == 2


def test_without_a_path_the_text_is_pythons_own_reference():
    task = Words(64)
    assert len(task.words) == 1000
    assert {"the", ".", "object"} <= set(task.words[:60])
    # What is outside the vocabulary is one word in twenty.
    unknown = np.mean([batch.y == 1000 for batch in task.validation(0, 1)])
    assert 0.02 < unknown < 0.2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"seq_len": 66},
            "seq_len: expected at most 65, since the shorter part of the text has 66 words, received 66",
        ),
        ({"seq_len": 5, "vocabulary": 0}, "vocabulary: expected an integer of at least 1, received 0"),
        ({"seq_len": 0}, "seq_len: expected an integer of at least 1, received 0"),
    ],
)
def test_bad_arguments_are_named(path, arguments, said):
    with pytest.raises(ArgumentError) as caught:
        Words(path=path, **arguments)
    assert str(caught.value) == said


def test_a_file_of_signs_that_are_no_words_is_too_short(tmp_path):
    (tmp_path / "blank.txt").write_text(" \n ", encoding="utf-8")
    with pytest.raises(ArgumentError, match="^path: expected a text with two words or more in both parts, "):
        Words(1, tmp_path / "blank.txt")
