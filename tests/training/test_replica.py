import numpy as np
import pytest
from plans import small_plan

from rnnexp.training.replica import Observer, Replica


class Told:
    """Who is told, and of what in which order."""

    def __init__(self):
        self.events = []

    def observer(self):
        return Observer(
            on_block=lambda block: None,
            on_measurement=lambda measurement: self.events.append(("look", measurement.step)),
            on_validation=lambda validated: self.events.append(("validation", validated.step)),
            on_checkpoint=lambda: self.events.append("checkpoint"),
        )


def replica(tmp_path, told, **changes):
    return Replica(small_plan(**changes), tmp_path / "state.npz", told.observer())


def test_nothing_is_found_before_the_first_look(tmp_path):
    one = replica(tmp_path, Told())
    assert not one.measured
    with pytest.raises(IndexError):
        one.result()


def test_a_replica_starts_with_a_look_and_ends_with_validation(tmp_path):
    told = Told()
    one = replica(tmp_path, told)
    one.begin(resume=False)
    assert told.events == [("look", 0)]
    one.model.steps_taken = 12
    one.finish()
    ending = ["checkpoint", ("look", 12), ("validation", 12)]
    assert told.events == [("look", 0), *ending]
    assert (one.result().start.step, one.result().end.step) == (0, 12)
    one.finish()
    assert [validated.step for validated in one.result().validations] == [12]


def test_what_one_saves_another_goes_on_from(tmp_path):
    one = replica(tmp_path, Told())
    one.begin(resume=False)
    one.model.steps_taken = 5
    one.network.trainable_variables[0].assign_add(np.ones(one.network.trainable_variables[0].shape))
    one.save()
    two = replica(tmp_path, Told())
    two.begin(resume=True)
    assert two.steps_taken == 5
    for kept, found in zip(one.network.get_weights(), two.network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, kept)


def test_without_checkpoints_none_is_written_and_none_is_found(tmp_path):
    one = replica(tmp_path, Told(), checkpoint_every=0)
    one.begin(resume=False)
    one.save()
    assert not (tmp_path / "state.npz").exists()
    with pytest.raises(FileNotFoundError):
        replica(tmp_path, Told()).begin(resume=True)


def test_equal_seeds_make_equal_networks_and_others_do_not(tmp_path):
    first, same, other = (replica(tmp_path, Told(), seed=seed).network.get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(*pair) for pair in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])
