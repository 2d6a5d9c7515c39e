import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml

from rnnexp.nn.cells import catalogue
from rnnexp.nn.cells.antisymmetric import AntisymmetricRnn
from rnnexp.nn.cells.cornn import CoRnn
from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.cells.gru import Gru
from rnnexp.nn.cells.indrnn import IndRnn
from rnnexp.nn.cells.lru import Lru
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.cells.mingru import MinGru
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.initializers import CATALOGUE, GlorotUniform, Orthogonal
from rnnexp.nn.step_cell import StepCell
from rnnexp.runtime.checks import ArgumentError

ROOT = Path(__file__).parents[3]
F, H = 2, 4
KINDS: dict[str, Any] = {
    "elman": ElmanCell,
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
}
"""The Keras cells of those that have one of their own."""
each = pytest.mark.parametrize("name", catalogue.CATALOGUE)


def menu(name):
    return yaml.safe_load((ROOT / "conf" / "cell" / f"{name}.yaml").read_text())


def build(made, activation="tanh", dtype="float64", recurrent=None):
    cell: Any = made.build(H, activation, GlorotUniform(seed=5), recurrent or Orthogonal(seed=6), dtype)
    cell.build((2, F))
    return cell


def test_keras_keeps_cells_and_initialisers_apart():
    """Saved models name a class alone: two of one name would be taken for each other."""
    kinds = (*CATALOGUE.values(), *catalogue.CATALOGUE.values())
    assert len({kind.__name__ for kind in kinds}) == len(kinds)


def test_the_menu_has_them_all_with_their_defaults():
    assert {path.stem for path in (ROOT / "conf" / "cell").iterdir()} == catalogue.CATALOGUE.keys()
    for name, kind in catalogue.CATALOGUE.items():
        fields = menu(name)
        assert fields.pop("_target_") == kind.target
        assert kind(**fields) == kind()


@each
@pytest.mark.parametrize(("activation", "dtype"), [("tanh", "float64"), ("relu", "float32")])
def test_the_cell_is_of_that_size_activation_and_dtype(name, activation, dtype):
    cell = build(catalogue.CATALOGUE[name](), activation, dtype)
    assert type(cell) is KINDS.get(name, StepCell)
    assert (cell.units, cell.activation, cell.compute_dtype) == (H, keras.activations.get(activation), dtype)
    assert {weight.dtype for weight in cell.weights} == {dtype}


OTHERWISE = {"conv_elman", "indrnn", "mingru", "cornn", "lru"}
"""Those whose recurrent kernel is not blocks for each of which there is a gate or a candidate."""


@pytest.mark.parametrize("name", sorted(catalogue.CATALOGUE.keys() - OTHERWISE))
def test_recurrent_kernel_is_drawn_block_by_block(name):
    made, initializer = catalogue.CATALOGUE[name](), Orthogonal(gain=0.9, seed=6)
    cell = build(made, recurrent=initializer)
    np.testing.assert_array_equal(cell.kernel, GlorotUniform(seed=5)(cell.kernel.shape, "float64"))
    blocks = np.split(cell.recurrent_kernel.numpy(), len(made.blocks), axis=1)
    for place, block in enumerate(blocks):
        np.testing.assert_allclose(block @ block.T, 0.81 * np.eye(H), atol=1e-12)
        assert not any(np.allclose(block, other) for other in blocks[:place])
    candidate = blocks[made.blocks.index(made.candidate)]
    np.testing.assert_array_equal(candidate, initializer((H, H), "float64"))


def test_gain_one_over_root_n_matches_keras_orthogonal():
    """Mean square of a block's singular values: 1 / n of Keras' (H, nH), whose rows are orthonormal."""
    theirs = np.asarray(keras.initializers.Orthogonal(seed=0)((H, 4 * H)))
    np.testing.assert_allclose(theirs @ theirs.T, np.eye(H), atol=1e-6)
    ours = build(Lstm(), recurrent=Orthogonal(gain=0.5, seed=6)).recurrent_kernel.numpy()
    np.testing.assert_allclose(ours @ ours.T, np.eye(H), atol=1e-12)


@pytest.mark.parametrize("initializer", CATALOGUE.values())
def test_a_gated_cell_keeps_its_initialisers_when_it_is_saved(initializer):
    arguments = {"nonzero": 2} if initializer is CATALOGUE["sparse"] else {}
    cell = build(Lstm(), recurrent=initializer(gain=0.9, seed=6, **arguments))
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    for name in ("kernel", "recurrent_kernel"):
        weight = getattr(cell, name)
        drawn = getattr(revived, f"{name.removesuffix('_kernel')}_initializer")(weight.shape, "float64")
        np.testing.assert_array_equal(drawn, weight)


@pytest.mark.parametrize(
    ("made", "shape", "expected"),
    [
        (Elman(use_bias=False), None, None),
        (Lstm(use_bias=False), None, None),
        (Gru(use_bias=False), None, None),
        (Elman(), (H,), 0),
        (Lstm(), (4 * H,), [0] * H + [1] * H + [0] * 2 * H),
        (Lstm(unit_forget_bias=False), (4 * H,), 0),
        (Lstm(forget_bias=2.5, output_bias=-1), (4 * H,), [0] * H + [2.5] * H + [0] * H + [-1] * H),
        (Lstm(forget_bias=0, input_bias=-2), (4 * H,), [-2] * H + [0] * 3 * H),
        (Gru(update_bias=2, reset_bias=-1), (2, 3 * H), [[2] * H + [-1] * H + [0] * H, [0] * 3 * H]),
        (Gru(reset_after=False, update_bias=2), (3 * H,), [2] * H + [0] * 2 * H),
        (MinGru(update_bias=-3), (2 * H,), [-3] * H + [0] * H),
        (Gru(), (2, 3 * H), 0),
        (Gru(reset_after=False), (3 * H,), 0),
    ],
)
def test_biases(made, shape, expected):
    bias = build(made).bias
    if expected is None:
        assert bias is None
    else:
        np.testing.assert_array_equal(bias, np.broadcast_to(expected, shape))


@pytest.mark.parametrize("kind", [Lstm, Gru])
def test_the_gates_have_an_activation_of_their_own(kind):
    cell = build(kind(recurrent_activation="hard_sigmoid"), "relu")
    assert cell.recurrent_activation is keras.activations.hard_sigmoid
    assert cell.activation is keras.activations.relu


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"use_bias": 3}, "use_bias: expected true or false, received 3"),
        ({"unit_forget_bias": None}, "unit_forget_bias: expected true or false, received None"),
        ({"recurrent_activation": "sigmoidal"}, "recurrent_activation: expected one of tanh, relu, "),
    ],
)
def test_what_is_wrong_is_named(fields, sentence):
    with pytest.raises(ArgumentError) as refused:
        Lstm(**fields)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        (Lstm, {"chrono": 2.5}, "chrono: expected an integer of at least 3, received 2.5"),
        (Lstm, {"chrono": 9, "forget_bias": 1.0}, "forget_bias: expected nothing beside chrono, which sets"),
        (Lstm, {"chrono": 9, "input_bias": 1.0}, "input_bias: expected nothing beside chrono, which sets"),
        (Lstm, {"forget_bias": "1"}, "forget_bias: expected a finite number, received '1'"),
        (Gru, {"chrono": 9, "update_bias": 1.0}, "update_bias: expected nothing beside chrono, which sets"),
        (Gru, {"chrono": 9, "use_bias": False}, "use_bias: expected true, as chrono sets biases, received F"),
        (Gru, {"reset_bias": None}, "reset_bias: expected a finite number, received None"),
        (
            MinGru,
            {"update_bias": 1, "use_bias": False},
            "use_bias: expected true, as there is an update_bias",
        ),
        (IndRnn, {"low": 1.0}, "high: expected a finite number above 1.0, the lower end, received 1.0"),
        (AntisymmetricRnn, {"eps": 0}, "eps: expected a finite number above 0, received 0"),
        (AntisymmetricRnn, {"gamma": -1}, "gamma: expected a finite number of at least 0, received -1"),
        (CoRnn, {"dt": None}, "dt: expected a finite number above 0, received None"),
        (Lru, {"r_max": 1.5}, "r_max: expected a number above 0.0, r_min, and at most 1, received 1.5"),
        (Lru, {"r_min": 0.5, "r_max": 0.5}, "r_max: expected a number above 0.5, r_min, and at most 1"),
        (Lru, {"max_phase": 7}, "max_phase: expected a number above 0 and at most 2 pi, received 7"),
        (Lru, {"normalize": 1}, "normalize: expected true or false, received 1"),
    ],
)
def test_what_a_cell_does_not_take_is_named(kind, fields, sentence):
    with pytest.raises(ArgumentError) as refused:
        kind(**fields)
    assert str(refused.value).startswith(sentence)


def test_importing_it_imports_nothing_heavy():
    program = (
        "import sys; import rnnexp.nn.cells.catalogue;"
        "sys.exit(bool({'tensorflow', 'keras', 'hydra'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_which_have_gates_and_which_states():
    assert [kind().gates for kind in (Elman, Lstm, Gru)] == [(), ("i", "f", "o"), ("z", "r")]
    assert [kind.states for kind in (Elman, Lstm, Gru)] == [("h",), ("h", "c"), ("h",)]
