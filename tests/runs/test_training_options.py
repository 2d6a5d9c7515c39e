"""How long to train, on which lengths, how far back: what is refused before TensorFlow is there."""

import pickle

import pytest
from jobs import job_of

from rnnexp.runtime.checks import ArgumentError

REFUSED = [
    (["stop=soon"], "stop: expected one of steps, solved, received 'soon'"),
    (["truncate=0"], "truncate: expected an integer of at least 1, received 0"),
    (["truncate=100"], "truncate: expected null or less than 100, the steps of a sequence, received 100"),
    (["truncate=20", "segment=10"], "segment: expected null together with truncate, received 10"),
    (["layers=0"], "layers: expected an integer of at least 1, received 0"),
    (["layers=two"], "layers: expected an integer of at least 1, received 'two'"),
    (["layers=2", "phase=flossing"], "layers: expected 1 together with phase=flossing, received 2"),
    (["layers=2", "regularizer=omega"], "layers: expected 1 for a regularizer that wants adjoints, such as"),
    (
        ["layers=2", "cell=conv_elman", "task=connected", "seq_len=4"],
        "layers: expected 1 with ConvElman, which cannot take the states of a layer below",
    ),
    (["task.length=[50]"], "task.length: expected null or two lengths, the shorter one first, as [50,200]"),
    (["task.length=[200,50]"], "task.length: expected null or two lengths"),
    (["task.length=50"], "task.length: expected null or two lengths"),
    (["task.length=[50,2.5]"], "task.length: expected null or two lengths"),
    (["task.length=[1,200]"], "task.length: expected lengths that are each an integer of at least 2"),
    (["task.length=[150,200]"], "seq_len: expected from 150 to 200, one of task.length"),
    (["task.length=[50,200]", "segment=10"], "segment: expected null together with task.length"),
    (["task.evaluate_at=500"], "task.evaluate_at: expected a list of lengths, as [500,5000]"),
    (["task.evaluate_at=[1]"], "task.evaluate_at: expected lengths that are each an integer of at least 2"),
    (["task=digits", "seq_len=64", "task.length=[50,200]"], "task.length: expected"),
    (["task=characters", "task.evaluate_at=[50]"], "task.evaluate_at: expected"),
    (["stop=solved", "task=characters"], "stop: expected steps for this task, which has no criterion"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_wrong_values_get_one_sentence(overrides, message):
    with pytest.raises(ArgumentError) as error:
        job_of(["tracking=none", *overrides])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("task", ["adding", "copying", "latch", "parity", "temporal_order", "delayed_xor"])
def test_a_plan_holds_the_task_at_every_length(task):
    own = ["task.symbols=3"] if task == "copying" else []
    more = ["task.length=[50,200]", "task.evaluate_at=[500,300]", "segment=null"]
    plan = job_of(["tracking=none", f"task={task}", *own, *more]).plan
    usual = job_of(["tracking=none", f"task={task}", *own]).plan
    assert plan.lengths is not None
    assert plan.lengths.at(100).time_steps == plan.task.time_steps == usual.task.time_steps
    assert plan.lengths.at(100).floor_loss == usual.task.floor_loss
    assert [each.seq_len for each in plan.evaluate_at] == [300, 500]
    assert plan.recorded_steps == usual.recorded_steps + 100
    assert pickle.loads(pickle.dumps(plan)).lengths.at(77).seq_len == 77
    assert (usual.lengths, usual.evaluate_at) == (None, ())


def test_a_plan_knows_when_to_stop():
    assert job_of(["tracking=none"]).plan.stop == "steps"
    assert job_of(["tracking=none", "stop=solved"]).plan.stop == "solved"
