import threadpoolctl

from rnnexp.runtime.threads import one_blas_thread


def threads():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_linear_algebra_has_one_thread_inside_and_what_it_had_outside():
    before = threads()
    with one_blas_thread():
        assert set(threads()) == {1}
    assert threads() == before
