import functools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.tasks import Adding, Copying, Digits
from rnnexp.tasks.task import VALIDATION_SEQUENCES
from rnnexp.training.evaluation import BATCH, Evaluator

H, SEED = 6, 3
ADDING, COPYING, DIGITS = Adding(12), Copying(4, symbols=3, recall=2), Digits(8)
TASKS = {"adding": ADDING, "copying": COPYING, "digits": DIGITS}
RTOL = {"float32": 1e-5, "float64": 1e-9}


@functools.cache
def evaluator(name, dtype="float64", jit=False):
    """A network and its evaluator; each is traced once."""
    task = TASKS[name]
    network = build_network(task, ElmanCell(H, dtype=dtype), SEED)
    return network, Evaluator(network, task, SEED, jit)


def draw(name, seed=0):
    task = TASKS[name]
    normal = np.random.default_rng(seed).standard_normal
    shapes = [(task.input_size, H), (H, H), (H,), (H, task.output_size), (task.output_size,)]
    *others, readout_bias = [0.5 * normal(shape) for shape in shapes]
    # So that the outputs of adding lie among its targets, and some of them are right.
    return [*others, readout_bias + 2 if name == "adding" else readout_bias]


def forward(task, weights, x):
    kernel, recurrent_kernel, bias, readout, readout_bias = weights
    h, outputs = np.zeros((len(x), H)), []
    for t in range(task.time_steps):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        outputs.append(h @ readout + readout_bias)
    return np.stack(outputs, axis=1) if task.scores_every_step else outputs[-1]


def scores(name, weights, batches):
    """Losses and errors of every sequence, in float64."""
    task, losses, errors = TASKS[name], [], []
    for x, y in batches:
        prediction = forward(task, weights, x)
        errors.append(task.errors(prediction, y))
        if task.loss == "squared_error":
            losses.append(np.mean((prediction - y) ** 2, axis=1))
        else:
            taken = np.take_along_axis(log_softmax(prediction, axis=-1), y[..., None], axis=-1)
            losses.append(-taken.reshape(len(x), -1).mean(axis=1))
    return np.concatenate(losses), np.concatenate(errors)


VARIANTS = [
    ("adding", "float64", False),
    ("adding", "float32", True),
    ("copying", "float64", True),
    ("copying", "float32", False),
    ("digits", "float32", True),
    ("digits", "float64", False),
]


@pytest.mark.parametrize(("name", "dtype", "jit"), VARIANTS)
def test_the_score_is_that_of_a_loop_in_numpy(name, dtype, jit):
    network, evaluate = evaluator(name, dtype, jit)
    network.set_weights(weights := draw(name))
    score = evaluate.evaluate()
    losses, errors = scores(name, weights, TASKS[name].validation(SEED, BATCH))
    assert score.loss == pytest.approx(losses.mean(), rel=RTOL[dtype])
    factor = stats.t.ppf(0.975, len(losses) - 1) / math.sqrt(len(losses))
    half_width = factor * losses.std(ddof=1)
    assert score.half_width == pytest.approx(half_width, rel=RTOL[dtype] * 10)
    batches = TASKS[name].validation(SEED, BATCH)
    below = np.concatenate([TASKS[name].baseline_losses(batch) for batch in batches]) - losses
    assert score.below == pytest.approx(below.mean(), rel=RTOL[dtype] * 10)
    assert score.below_half_width == pytest.approx(factor * below.std(ddof=1), rel=RTOL[dtype] * 10)
    # In float32 a sequence at the edge of the criterion may fall to the other side.
    assert score.error == pytest.approx(errors.mean(), abs=0 if dtype == "float64" else 2 / len(errors))
    assert score.enough
    assert 0 < score.error < 1 or name == "copying"


def test_a_partial_evaluation_takes_whole_first_batches():
    network, evaluate = evaluator("adding")
    network.set_weights(weights := draw("adding"))
    for asked, scored in [(2, BATCH), (BATCH, BATCH), (BATCH + 1, 2 * BATCH), (10**6, VALIDATION_SEQUENCES)]:
        batches = [ADDING.batch(SEED, "validation", index, BATCH) for index in range(scored // BATCH)]
        losses, errors = scores("adding", weights, batches)
        score = evaluate.evaluate(asked)
        assert score.loss == pytest.approx(losses.mean(), rel=1e-9)
        assert score.error == errors.mean()
        assert not score.enough


@pytest.mark.parametrize("jit", [False, True])
def test_held_out_digits_are_scored_once_with_a_short_batch(jit):
    network, _ = evaluator("digits", "float32", jit)
    evaluate = Evaluator(network, DIGITS, SEED, jit=jit, batch_size=100)
    network.set_weights(weights := draw("digits"))
    losses, errors = scores("digits", weights, DIGITS.validation(SEED, 10_000))
    assert len(losses) % 100 != 0
    score = evaluate.evaluate()
    assert score.loss == pytest.approx(losses.mean(), rel=1e-5)
    assert score.error == pytest.approx(errors.mean(), abs=2 / len(errors))
    assert evaluate.evaluate(200).loss == pytest.approx(losses[:200].mean(), rel=1e-5)


def test_fresh_sequences_are_those_of_the_seed():
    network, evaluate = evaluator("adding")
    network.set_weights(draw("adding"))
    other = Evaluator(network, ADDING, SEED + 1, jit=False)
    assert evaluate.evaluate() == evaluate.evaluate()
    assert evaluate.evaluate(2) != other.evaluate(2)


def test_the_weights_are_those_of_now():
    network, evaluate = evaluator("adding")
    network.set_weights(draw("adding"))
    first = evaluate.evaluate(2)
    network.set_weights(draw("adding", seed=1))
    assert evaluate.evaluate(2) != first
    network.set_weights(draw("adding"))
    assert evaluate.evaluate(2) == first


@pytest.mark.parametrize("name", TASKS)
def test_a_network_that_is_lost_is_wrong_everywhere(name):
    network, evaluate = evaluator(name)
    network.set_weights([np.full_like(weight, np.nan) for weight in draw(name)])
    score = evaluate.evaluate(2)
    assert math.isnan(score.loss) and math.isnan(score.half_width)
    assert score.error == 1


def test_an_output_beyond_its_dtype_is_an_infinite_loss():
    network, evaluate = evaluator("adding", "float32", True)
    weights = draw("adding")
    network.set_weights([*weights[:4], np.full(1, 1e30)])
    score = evaluate.evaluate(2)
    assert score.loss == math.inf
    assert score.error == 1
