"""Our copy of OpenBLAS: which kernels it gets, that NumPy's keeps its own, and that many threads may use it at once."""

import ctypes
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pullback.backends.native import hardware, openblas
from pullback.base.errors import ArgumentError, BackendUnavailable

_INT, _ADDRESS, _FLOAT = ctypes.c_int, ctypes.c_void_p, ctypes.c_float
SGEMM = ctypes.CFUNCTYPE(
    *(None, _INT, _INT, _INT, _INT, _INT, _INT), *(_FLOAT, _ADDRESS, _INT, _ADDRESS, _INT, _FLOAT, _ADDRESS, _INT)
)
SHAPES = [(1, 1, 1), (5, 5, 5), (10, 30, 784), (64, 128, 784), (256, 300, 200)]


def product(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> np.ndarray:
    """`out` = x @ w.T, by our sgemm."""
    (b, n), m = x.shape, len(w)
    sgemm = SGEMM(openblas.load().sgemm)
    sgemm(101, 111, 112, b, m, n, 1.0, x.ctypes.data, n, w.ctypes.data, n, 0.0, out.ctypes.data, m)
    return out


def operands(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    b, m, n = shape
    rng = np.random.default_rng(b * m * n)
    return rng.standard_normal((b, n), np.float32), rng.standard_normal((m, n), np.float32)


def in_new_process(code: str, **settings: str) -> str:
    environment = {**os.environ, **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


# What it computes
@pytest.mark.parametrize("shape", SHAPES)
def test_product_is_right(shape: tuple[int, int, int]) -> None:
    x, w = operands(shape)
    out = product(x, w, np.full((len(x), len(w)), np.nan, np.float32))
    np.testing.assert_allclose(out, x.astype(np.float64) @ w.T, rtol=1e-4, atol=1e-3)


def test_double_precision_is_there() -> None:
    types = [ctypes.c_double if kind is _FLOAT else kind for kind in SGEMM._argtypes_]
    dgemm = ctypes.CFUNCTYPE(None, *types)(openblas.load().dgemm)
    x, w = (a.astype(np.float64) for a in operands((7, 5, 20)))
    out = np.full((7, 5), np.nan)
    dgemm(101, 111, 112, 7, 5, 20, 1.0, x.ctypes.data, 20, w.ctypes.data, 20, 0.0, out.ctypes.data, 5)
    np.testing.assert_allclose(out, x @ w.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [2, 16, 130])
@pytest.mark.parametrize("shape", SHAPES[2:])
def test_threads_at_once_get_equal_bits(shape: tuple[int, int, int], count: int) -> None:
    x, w = operands(shape)
    alone = product(x, w, np.empty((len(x), len(w)), np.float32))
    together = threading.Barrier(count)
    wrong = []

    def work() -> None:
        out = np.empty_like(alone)
        together.wait()
        for _ in range(10 if count < 100 else 2):
            out.fill(np.nan)
            if product(x, w, out).tobytes() != alone.tobytes():
                wrong.append(threading.get_ident())

    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def moved(array: np.ndarray, offset: int) -> np.ndarray:
    """A copy that begins so many bytes after a cache line's beginning."""
    raw = np.zeros(array.nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64 + offset
    place = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    place[:] = array
    return place


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_bits_do_not_depend_on_where_the_numbers_lie(shape: tuple[int, int, int]) -> None:
    x, w = operands(shape)
    out = np.empty((len(x), len(w)), np.float32)
    want = product(moved(x, 0), moved(w, 0), moved(out, 0)).tobytes()
    for offsets in [(4, 0, 0), (0, 4, 0), (0, 0, 4), (16, 32, 48), (60, 20, 36)]:
        found = product(*(moved(a, offset) for a, offset in zip((x, w, out), offsets, strict=True)))
        assert found.tobytes() == want, offsets


FORK = """
import os, threading
import numpy as np
from tests.backends.native.test_openblas import operands, product
x, w = operands((256, 300, 200))
want = product(x, w, np.empty((256, 300), np.float32)).tobytes()
running = threading.Thread(target=lambda: [product(x, w, np.empty((256, 300), np.float32)) for _ in range(200)])
running.start()
for _ in range(5):
    child = os.fork()
    if not child:
        os._exit(0 if product(x, w, np.empty((256, 300), np.float32)).tobytes() == want else 1)
    assert os.waitpid(child, 0)[1] == 0
running.join()
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_processes_compute_on() -> None:
    assert in_new_process(FORK, PYTHONWARNINGS="ignore") == "same\n"


# NumPy's own copy, and the process's settings
APART = """
import json, os
import numpy as np
from threadpoolctl import threadpool_info
np.ones((2, 2)) @ np.ones((2, 2))
keys = ("filepath", "num_threads", "architecture", "version")
def theirs():
    others = [each for each in threadpool_info() if "scipy_openblas32" not in each["filepath"]]
    return [{key: each.get(key) for key in keys} for each in others]
before, settings, threads = theirs(), dict(os.environ), len(os.listdir("/proc/self/task"))
from pullback.backends.native import openblas
openblas.load()
found = threadpool_info()
[ours] = [each for each in found if "scipy_openblas32" in each["filepath"]] or [None]
print(json.dumps({
    "theirs": theirs() == before, "settings": dict(os.environ) == settings, "core": openblas.load().core,
    "threads made": len(os.listdir("/proc/self/task")) - threads, "ours": ours and ours["num_threads"],
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads by /proc")
@pytest.mark.parametrize("setting", [None, "Haswell"])
def test_numpy_keeps_its_kernels_and_threads(setting: str | None) -> None:
    settings = {"OPENBLAS_NUM_THREADS": "2"} | ({"OPENBLAS_CORETYPE": setting} if setting else {})
    told = json.loads(in_new_process(APART, **settings))
    assert told == {"theirs": True, "settings": True, "core": told["core"], "threads made": 0, "ours": 1}


def test_environment_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "old")
    monkeypatch.delenv("MADE", raising=False)

    def fail_inside() -> None:
        with openblas._environment({"KEPT": "new", "MADE": "here", "OPENBLAS_CORETYPE": ""}):
            assert (os.environ["KEPT"], os.environ["MADE"]) == ("new", "here")
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        fail_inside()
    assert os.environ["KEPT"] == "old"
    assert "MADE" not in os.environ


def test_loaded_once() -> None:
    assert openblas.load() is openblas.load()


# Which kernels
@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULLBACK_CACHE", str(tmp_path))
    monkeypatch.delenv("PULLBACK_BLAS_CORE", raising=False)
    return tmp_path


def processor_with(monkeypatch: pytest.MonkeyPatch, *features: str) -> None:
    monkeypatch.setattr(hardware, "llvm_features", lambda: frozenset(features))


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trials are not made but noted here; the narrower kernels win them by far."""
    made: list[str] = []

    def note(file: Path, core: str) -> list[float]:
        made.append(core)
        return [2.0] if core == "SkylakeX" else [1.0]

    monkeypatch.setattr(openblas, "try_core", note)
    return made


def choose() -> tuple[str, str]:
    return openblas.choose_core(openblas.library_file())


def test_trial_decides_once(fresh_cache: Path, trials: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    processor_with(monkeypatch, *openblas.CORES["SkylakeX"])
    assert choose() == ("Haswell", "in a trial, 2.00 times SkylakeX's speed")
    assert choose()[0] == "Haswell"
    assert trials == ["SkylakeX", "Haswell"]
    processor_with(monkeypatch, *openblas.CORES["SkylakeX"], "more")  # another processor
    choose()
    assert len(trials) == 4


def test_processor_that_can_run_one_needs_no_trial(
    fresh_cache: Path, trials: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    processor_with(monkeypatch, "avx2", "fma")
    assert choose()[0] == "Haswell"
    processor_with(monkeypatch, "neon")
    assert choose() == ("", "the library's own choice")
    assert not trials


@pytest.mark.parametrize("content", ['{"core": "Prescott", "why": ""}', '{"core": "Haswell"}', "[]", "broken"])
def test_damaged_decision_is_made_again(
    content: str, fresh_cache: Path, trials: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    processor_with(monkeypatch, *openblas.CORES["SkylakeX"])
    choose()
    [file] = (fresh_cache / "notes").iterdir()
    about = json.loads(file.read_text())["about"]
    file.write_text(content.replace("{", json.dumps({"about": about})[:-1] + ",", 1))
    assert choose()[0] == "Haswell"
    assert len(trials) == 4
    assert choose()[0] == "Haswell"
    assert len(trials) == 4


def test_cache_that_cannot_be_written(fresh_cache: Path, trials: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    processor_with(monkeypatch, *openblas.CORES["SkylakeX"])
    (fresh_cache / "file").write_text("")
    monkeypatch.setenv("PULLBACK_CACHE", str(fresh_cache / "file"))
    assert choose()[0] == "Haswell"


OUTCOMES = {
    "wide is faster": ({"SkylakeX": [1.0, 1.0], "Haswell": [2.0, 2.0]}, "SkylakeX", "2.00 times Haswell's speed"),
    "wide is little slower": ({"SkylakeX": [1.05], "Haswell": [1.0]}, "SkylakeX", "0.95 times Haswell's speed"),
    "wide is slower": ({"SkylakeX": [1.2], "Haswell": [1.0]}, "Haswell", "1.20 times SkylakeX's speed"),
    "wide does not run": ({"SkylakeX": [], "Haswell": [1.0]}, "Haswell", "SkylakeX does not run here"),
    "none could be tried": ({"SkylakeX": [], "Haswell": []}, "SkylakeX", "no trial could be made"),
}


@pytest.mark.parametrize(("times", "core", "why"), OUTCOMES.values(), ids=OUTCOMES)
def test_outcome_of_trials(times: dict[str, list[float]], core: str, why: str) -> None:
    found, reason = openblas._fastest(times)
    assert found == core
    assert why in reason


def test_real_trial_runs() -> None:
    for core in openblas.runnable(("SkylakeX", "Haswell")):
        seconds = openblas.try_core(openblas.library_file(), core)
        assert len(seconds) == 4
        assert all(0 < each < 1 for each in seconds)


def test_trial_that_fails_is_survived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert openblas.try_core(tmp_path / "missing.so", "Haswell") == []
    assert openblas.try_core(openblas.library_file(), "NoSuchCore") == []
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert openblas.try_core(openblas.library_file(), "Haswell") == []
    monkeypatch.setattr(sys, "executable", "")
    assert openblas.try_core(openblas.library_file(), "Haswell") == []


@pytest.mark.parametrize("wanted", ["Haswell", "haswell", " SKYLAKEX "])
def test_setting_overrules(wanted: str, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processor_with(monkeypatch, *openblas.CORES["SkylakeX"])
    monkeypatch.setenv("PULLBACK_BLAS_CORE", wanted)
    core, why = choose()
    assert core.lower() == wanted.strip().lower()
    assert why == "PULLBACK_BLAS_CORE says so"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("Hasswell", "names no kernels of OpenBLAS: 'Hasswell'. Did you mean 'haswell'"), ("SkylakeX", "lacks avx512bw")],
)
def test_setting_that_cannot_be_met_is_refused(wanted: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    processor_with(monkeypatch, *openblas.CORES["Haswell"])
    monkeypatch.setenv("PULLBACK_BLAS_CORE", wanted)
    with pytest.raises(ArgumentError, match=message):
        choose()


SAID = "from pullback.backends.native.openblas import load; print(load().core, load().why, sep='|')"


@pytest.mark.parametrize(("wanted", "used"), [("Haswell", "Haswell"), ("Zen", "Haswell"), ("Nehalem", "Nehalem")])
def test_library_uses_what_was_set(wanted: str, used: str) -> None:
    if not openblas.CORES[wanted] <= hardware.llvm_features():
        pytest.skip("this processor cannot run them")
    core, why = in_new_process(SAID, PULLBACK_BLAS_CORE=wanted).strip().split("|")
    assert core == used
    assert why.endswith("says so" if wanted == used else f"the library has nothing nearer to {wanted}")


# What may be missing
def test_missing_package_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openblas, "PACKAGE", "no_such_package")
    with pytest.raises(BackendUnavailable, match=r"^matrix products need the package scipy-openblas32; [^\n]+$"):
        openblas.library_file()
    assert openblas.library_version.__wrapped__() == "of unknown version"


def test_damaged_library_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "libscipy_openblas.so"
    damaged.write_bytes(b"no library")
    monkeypatch.setattr(openblas, "library_file", lambda: damaged)
    with pytest.raises(BackendUnavailable, match=r"^OpenBLAS cannot be loaded from [^\n]+$"):
        openblas._loaded.__wrapped__()


def test_library_without_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openblas, "_open", lambda file, core: object())
    with pytest.raises(BackendUnavailable, match="scipy_openblas_set_num_threads"):
        openblas._loaded.__wrapped__()


# How long it takes
SPEED = """
import time
from pullback.backends.native import hardware, openblas
hardware.machine()
start = time.perf_counter()
openblas.load()
print(time.perf_counter() - start)
"""


def test_warm_load_is_quick(fresh_cache: Path) -> None:
    in_new_process(SPEED)
    assert min(float(in_new_process(SPEED)) for _ in range(3)) < 0.015
