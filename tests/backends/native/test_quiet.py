"""What a native step leaves alone: how NumPy treats the smallest numbers, and the processor while nothing runs."""

import platform
import threading
import time

import numpy as np
import pytest

import pullback as pb
from pullback.backends.native import executable

TINY = np.finfo(np.float32).smallest_normal
FLUSHES = platform.machine().lower() in ("x86_64", "amd64", "arm64", "aarch64")


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("PULLBACK_THREADS", str(request.param))
    monkeypatch.setattr(executable, "SMALL_WORK", 0)
    return int(request.param)


@pytest.mark.skipif(not FLUSHES, reason="this processor has no such mode")
def test_a_step_flushes_denormals_and_numpy_does_not(threads: int) -> None:
    x = np.full(100_003, TINY, np.float32)
    w = pb.tensor(x)
    step = pb.compile(lambda v: (w.mul_(0.5), v * 0.25, (v * 0.25).sum())[1:], backend="native")
    for _ in range(3):
        product, total = step(x)
        assert not product.array().any()
        assert total.item() == 0
        assert not w.array().any()
        with np.errstate(all="ignore"):
            assert (x * np.float32(0.25)).all()  # in this thread, which took part
            assert np.float64(5e-324) * 1.0 > 0
    seen: list[bool] = []
    other = threading.Thread(target=lambda: seen.append(bool((x * np.float32(0.25)).all())))
    other.start()
    other.join()
    assert seen == [True]


@pytest.mark.skipif(not FLUSHES, reason="this processor has no such mode")
def test_an_error_leaves_denormals_as_they_were(threads: int) -> None:
    step = pb.compile(lambda v, i: v[i] * 0.25, backend="native")
    with pytest.raises(pb.IndexOutOfRange if hasattr(pb, "IndexOutOfRange") else IndexError):
        step(pb.ones(4), pb.tensor([9]))
    assert np.full(3, TINY, np.float32).prod(initial=0.5, where=[True, False, False]) > 0


def test_nothing_runs_after_a_step(threads: int) -> None:
    w = pb.tensor(np.ones((500, 400), np.float32))
    step = pb.compile(lambda: (w.mul_(0.999).add_(w.softmax(1)), w.sum())[1], backend="native")
    for _ in range(20):
        step()
    time.sleep(0.05)
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.02
    assert step().item() > 0
