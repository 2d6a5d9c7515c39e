import gc
import sys
import weakref

import pytest

from rnnexp.runtime import collector


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()
    gc.enable()


class Loop:
    def __init__(self):
        self.me = self


def test_garbage_collection_is_off_inside_and_objects_frozen():
    before = gc.get_freeze_count()
    with collector.kept_from("no_such_module"):
        assert not gc.isenabled()

        later = weakref.ref(Loop())

    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    gc.collect()
    assert later() is not None


def test_garbage_that_comes_after_is_collected():
    with collector.kept_from("no_such_module"):
        pass
    gone = weakref.ref(Loop())
    gc.collect()
    assert gone() is None


def test_a_module_that_is_there_changes_nothing():
    assert "sys" in sys.modules
    before = gc.get_freeze_count()
    with collector.kept_from("sys"):
        assert gc.isenabled()
    assert gc.get_freeze_count() == before


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with collector.kept_from("no_such_module"):
        pass
    assert not gc.isenabled()


def test_it_is_on_again_after_an_import_that_fails():
    with pytest.raises(ImportError), collector.kept_from("no_such_module"):
        raise ImportError
    assert gc.isenabled()
