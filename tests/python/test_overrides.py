"""A call means what the same command line means: Hydra reads back the values that were given."""

from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from rnnexp.python.overrides import typed
from rnnexp.runs.composition import compose, plain
from rnnexp.runtime.checks import ArgumentError


def read(line):
    (override,) = OverridesParser.create().parse_overrides([line])
    return override.value()


NUMBERS = [1, -2, 0.5, 1e-7, 1e30, True, None, [1, 2.5]]
TEXTS = ["tanh", "a b", "it's", "back\\slash", "end\\", "1", "true", "null", "", "é: x", "a=b,c", "${seed}x"]


@pytest.mark.parametrize("value", [*NUMBERS, *TEXTS, "sqlite:///a/b.db", ["mine", "yours"]], ids=repr)
def test_hydra_reads_the_value_that_was_given(value):
    (line,) = typed([], {"name": value})
    found = read(line)
    found = [getattr(each, "text", each) for each in found] if isinstance(found, list) else found
    assert getattr(found, "text", found) == value


def test_numbers_of_numpy_and_paths_are_values_too():
    assert typed([], {"seed": np.int64(3), "output_dir": Path("a/b")}) == ["seed=3", "output_dir=a/b"]
    assert read(typed([], {"clip.threshold": np.float64(0.1)})[0]) == 0.1


def test_nested_and_dotted_keys_compose_as_typed_ones():
    keys = {"clip": "global_norm", "clip.threshold": 2, "init": {"gain": 0.5}, "jit": False}
    one = plain(compose(typed(["seq_len=7"], keys)))
    other = plain(
        compose(["seq_len=7", "clip=global_norm", "clip.threshold=2", "init.gain=0.5", "jit=false"])
    )
    assert one == other
    assert (one["clip"]["threshold"], one["init"]["gain"], one["jit"]) == (2, 0.5, False)


def test_a_list_is_swept_in_a_sweep_and_a_value_in_a_run():
    keys = {"seed": range(2), "plugins": ["mine"], "activation": ("tanh", "relu")}
    assert typed([], keys, sweeping=True) == ["seed=0,1", "plugins=[mine]", "activation=tanh,relu"]
    assert typed([], {"seed": [0, 1]}) == ["seed=[0,1]"]


def test_what_no_configuration_holds_is_refused():
    with pytest.raises(ArgumentError, match=r"seed: expected a number, a text, .*, received <object"):
        typed([], {"seed": object()})
    with pytest.raises(ArgumentError, match=r"seed: expected at least one value, received \[\]"):
        typed([], {"seed": []}, sweeping=True)
