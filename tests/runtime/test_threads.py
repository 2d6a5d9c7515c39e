import threadpoolctl

from rnnexp.runtime.threads import one_blas_thread


def threads():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_one_blas_thread_inside_and_as_before_outside():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        with one_blas_thread():
            assert set(threads()) == {1}
        assert set(threads()) == {2}
