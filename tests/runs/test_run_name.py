import pytest

from rnnexp.runs.run_name import run_name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "tanh-T100-s0"),
        (["seed=0", "activation=tanh", "seq_len=100"], "tanh-T100-s0"),
        (["clip=global_norm", "clip.threshold=0.5"], "tanh-T100-global_norm-threshold0.5-s0"),
        (["init.gain=0.9", "probe.every=100", "units=8", "++steps=3"], "tanh-T100-gain0.9-units8-steps3-s0"),
        (["init.gain=0.30000000000000004", "clip=norm"], "tanh-T100-gain0.3-norm-s0"),
        (["units=8", "clip=norm", "units=9"], "tanh-T100-units9-norm-s0"),
        (["experiment=smoke", "tracking=none", "tracking.every=1", "resume=true"], "tanh-T100-s0"),
        (["treat=false", "report=false"], "tanh-T100-s0"),
        (["figures.format=pdf", "device=cpu", "launcher=basic", "~task", "~clip.x"], "tanh-T100-s0"),
        (["task=characters", "task.path=/a b/c=d.txt"], "tanh-T100-characters-path_a_b_c_d.txt-s0"),
    ],
)  # fmt: skip
def test_a_run_is_named_after_what_was_typed(overrides, name):
    assert run_name("tanh", 100, 0, overrides) == name


def test_a_long_name_is_cut_in_the_middle():
    name = run_name("tanh", 100, 12, [f"task.path={'x' * 300}"])
    assert len(name) == 120
    assert name.startswith("tanh-T100-pathxxx")
    assert name.endswith("x-s12")
