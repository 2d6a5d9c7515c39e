"""What every clip with a state does: keeps its shape, is saved and taken up, keeps a lost gradient away."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import CATALOGUE, Clip, GlobalNorm, Norm, Pascanu, SkippingClip
from rnnexp.optim.optimizers import Adam
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.model import RecordingModel
from rnnexp.training.record import SKIPPED, History

TASK, H, B = Adding(6), 4, 3
AUTO: dict[str, Clip] = {"norm": Norm("auto"), "global_norm": GlobalNorm("auto")}
STATEFUL: dict[str, Clip] = AUTO | {
    name: kind() for name, kind in CATALOGUE.items() if issubclass(kind, SkippingClip | Pascanu)
}
SKIPPING = [name for name, clip in STATEFUL.items() if isinstance(clip, SkippingClip)]
each = pytest.mark.parametrize("clip", STATEFUL.values(), ids=STATEFUL)


def model_with(clip, seed=0):
    keras.utils.set_random_seed(seed)
    network = build_network(TASK, ElmanCell(H), seed)
    model = RecordingModel(network, TASK.loss, clip, time_steps=TASK.time_steps)
    model.compile(optimizer=Adam(learning_rate=0.1).build())
    return model


def take_steps(model, start, stop, inputs=None):
    for index in range(start, stop):
        x, y = TASK.batch(0, "train", index, B)
        model.step(tf.constant(x if inputs is None else np.full_like(x, inputs)), tf.constant(y))


def variables(model):
    return [
        value.numpy() for value in (*model.network.variables, *model.optimizer.variables, *model.clip_state)
    ]


def assert_same(arrays, others):
    for array, other in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(array, other)


def weights_and_gradients():
    generator = np.random.default_rng(0)
    weights = build_network(TASK, ElmanCell(H), 0).trainable_variables
    draws = [[generator.standard_normal(weight.shape) for weight in weights] for _ in range(4)]
    scales = (1.0, 3.0, 0.2, 100.0)
    return weights, [
        [tf.constant(scale * draw, tf.float32) for draw in each]
        for scale, each in zip(scales, draws, strict=True)
    ]


@each
def test_xla_changes_rounding_only_and_the_state_keeps_its_form(clip):
    weights, series = weights_and_gradients()
    state = compiled_state = clip.init(weights)
    form = [(tensor.shape, tensor.dtype) for tensor in state]
    assert form
    compiled = tf.function(lambda given, before: clip.update(given, weights, before), jit_compile=True)
    for given in series:
        clipped, state = clip.update(given, weights, state)
        other, compiled_state = compiled(given, compiled_state)
        assert [(tensor.shape, tensor.dtype) for tensor in state] == form
        for one, two in zip([*clipped.gradients, *state], [*other.gradients, *compiled_state], strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-5)
        assert float(clipped.norm_after) <= float(clipped.norm_before)
        assert bool(clipped.clipped) == bool(other.clipped)
        assert not (clipped.skipped or clipped.replaced)


@each
def test_a_model_goes_on_with_the_state_of_its_clip(clip, tmp_path):
    path, whole, first, second = tmp_path / "state.npz", *(model_with(clip, seed) for seed in (0, 0, 1))
    take_steps(whole, 0, 4)
    take_steps(first, 0, 2)
    checkpoint.save(path, first, History.empty(TASK.time_steps), np.zeros((0, 5)), np.zeros((0, 6)))
    checkpoint.load(path, second)
    take_steps(second, 2, 4)
    assert_same(variables(second), variables(whole))


@pytest.mark.parametrize("name", SKIPPING)
def test_a_gradient_that_is_not_finite_changes_a_count_only(name):
    clip = STATEFUL[name]
    model = model_with(clip)
    take_steps(model, 0, 2)
    *before, skipped = variables(model)
    take_steps(model, 2, 4, inputs=np.inf)
    *after, later = variables(model)
    assert_same(after, before)
    assert (skipped, later) == (0, 2)
    assert clip.metrics([value.numpy() for value in model.clip_state])["grad/skipped"] == 2
    recorded = model.read(0)
    assert list(recorded.series("clipped")[2:]) == [SKIPPED] * 2
    assert not np.isfinite(recorded.series("global_norm")[2:]).any()
    take_steps(model, 4, 5)
    assert not np.array_equal(model.network.get_weights()[0], after[0])


def test_clips_without_a_state_have_none():
    plain = [name for name in CATALOGUE if name not in STATEFUL] + list(AUTO)
    assert set(plain) == {"none", "value", "norm", "global_norm"}
    assert set(SKIPPING) == {"agc", "autoclip", "zclip"}
