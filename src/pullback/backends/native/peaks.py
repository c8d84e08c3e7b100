"""How fast this machine can go at most, as measured: matrix products and memory. A step's speed is held against it.

Measured once for each processor, library and number of threads, in less than a second, and remembered on disk, unless
other programs took the processor away meanwhile.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from pullback.backends.native import hardware, openblas

_SHAPE = (256, 512, 784)  # rows, columns and terms of the products: large, and at home in the caches of a core
_SECONDS = 0.03  # for one round of one measurement
_ROUNDS, _MORE_ROUNDS = 3, 8  # the best counts, and more are made while other programs disturb
_UNDISTURBED = 0.9  # of the time, at least, the threads ran
_LEAST_COPIED = 1 << 26  # bytes
_MOST_COPIED = 1 << 28
_MEASURED = ("sgemm_one", "sgemm_all", "memory_one", "memory_all")


@dataclass(frozen=True)
class Peaks:
    """Measured peaks: GFLOP/s (10⁹ operations a second) of float32 products, GB/s (10⁹ bytes) read and written."""

    threads: int
    sgemm_one: float  # on one thread
    sgemm_all: float  # on all threads, each with products of its own
    memory_one: float  # copying on one thread
    memory_all: float  # copying on all threads, each its own piece
    disturbed: bool = False  # other programs ran meanwhile, so that the true peaks may be higher


def peaks() -> Peaks:
    """This machine's peaks, on one thread and on as many as native code uses.

    Raises BackendUnavailable when OpenBLAS or LLVM cannot be loaded.
    """
    library, count = openblas.load(), hardware.threads().count
    about = f"{count} threads, OpenBLAS {library.version} {library.core} on {hardware.machine()}"
    found = _from_note(hardware.read_note("peaks", about), count)
    if found is None:
        found = _measure(library, count)
        if not found.disturbed:
            hardware.keep_note("peaks", about, asdict(found))
    return found


def _from_note(note: dict[str, object] | None, threads: int) -> Peaks | None:
    """The peaks that a note tells; None when it tells none."""
    told = {name: value for name in _MEASURED if isinstance(value := (note or {}).get(name), float) and value > 0}
    if note is None or len(told) != len(_MEASURED) or note.get("threads") != threads:
        return None
    return Peaks(threads, told["sgemm_one"], told["sgemm_all"], told["memory_one"], told["memory_all"])


def _measure(library: openblas.Blas, threads: int) -> Peaks:
    flops = 2e-9 * _SHAPE[0] * _SHAPE[1] * _SHAPE[2]
    products = [_product(library) for _ in range(threads)]
    whole, pieces = _copies(1), _copies(threads)
    one, all_of_them = _best_round(products[:1]), _best_round(products)
    copy_one, copy_all = _best_round(whole.calls), _best_round(pieces.calls)
    return Peaks(
        threads,
        sgemm_one=flops * one.rate,
        sgemm_all=flops * all_of_them.rate,
        memory_one=whole.gigabytes * copy_one.rate,
        memory_all=pieces.gigabytes * copy_all.rate,
        disturbed=min(one.share, all_of_them.share, copy_one.share, copy_all.share) < _UNDISTURBED,
    )


def _product(library: openblas.Blas) -> Callable[[], object]:
    """A call of sgemm on operands of its own: x @ w.T."""
    rows, columns, terms = _SHAPE
    x, w = np.full((rows, terms), 0.5, np.float32), np.full((columns, terms), 0.25, np.float32)
    out = np.zeros((rows, columns), np.float32)
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    left, right, result = (ctypes.c_void_p(array.ctypes.data) for array in (x, w, out))
    sgemm = library.library.scipy_cblas_sgemm
    sizes = (101, 111, 112, rows, columns, terms)  # row-major, x as it stands, w transposed

    def call(kept: object = (x, w, out)) -> None:
        sgemm(*sizes, one, left, terms, right, terms, zero, result, columns)

    return call


@dataclass(frozen=True)
class _Copies:
    """Copies of pieces of memory that no cache holds, one for each thread; the gigabytes that one of them moves."""

    calls: list[Callable[[], object]]
    gigabytes: float


def _copies(threads: int) -> _Copies:
    largest_cache = max(hardware.cache_sizes().values(), default=0)
    piece = min(max(_LEAST_COPIED, 2 * largest_cache), _MOST_COPIED) // threads
    return _Copies([_copy(piece) for _ in range(threads)], 2e-9 * piece)


def _copy(nbytes: int) -> Callable[[], object]:
    source, target = np.ones(nbytes, np.uint8), np.ones(nbytes, np.uint8)
    return lambda: ctypes.memmove(target.ctypes.data, source.ctypes.data, nbytes)


@dataclass(frozen=True)
class _Round:
    """Calls a second, all threads together, and the share of the time in which the threads ran."""

    rate: float
    share: float


def _best_round(calls: list[Callable[[], object]]) -> _Round:
    rounds: list[_Round] = []
    while len(rounds) < _ROUNDS or (len(rounds) < _MORE_ROUNDS and rounds[-1].share < _UNDISTURBED):
        rounds.append(_one_round(calls))
    return max(rounds, key=lambda each: each.rate)


def _one_round(calls: list[Callable[[], object]]) -> _Round:
    """Every thread repeats its own call for a while."""
    together = threading.Barrier(len(calls))
    done: list[_Round] = []

    def work(call: Callable[[], object]) -> None:
        call()
        together.wait()
        count, start, ran = 0, time.perf_counter(), time.thread_time()
        while (seconds := time.perf_counter() - start) < _SECONDS or not count:
            call()
            count += 1
        done.append(_Round(count / seconds, (time.thread_time() - ran) / seconds))

    workers = [threading.Thread(target=work, args=(call,)) for call in calls]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return _Round(sum(each.rate for each in done), sum(each.share for each in done) / len(done))
