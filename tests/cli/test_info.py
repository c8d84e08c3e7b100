"""`pullback info`: what was found, what is used, and why."""

import os
from pathlib import Path

import pytest

from pullback.backends import choose
from pullback.backends.native import openblas, peaks
from pullback.backends.native.code_cache import CodeCache
from pullback.backends.native.compiler import compiler
from pullback.backends.native.peaks import Peaks
from pullback.base.errors import BackendUnavailable
from pullback.cli import info
from pullback.train.threads import SETTINGS
from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting is made, and the peaks are known."""
    for name in (*SETTINGS, "PULLBACK_THREADS", "PULLBACK_BACKEND", "PULLBACK_BLAS_CORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(peaks, "peaks", lambda: Peaks(2, 101.2, 198.7, 14.9, 20.1))


def rows(pullback: Command) -> dict[str, str]:
    """What each line says, by its first words."""
    return {line[:12].strip(): line[12:] for line in pullback("info").out.splitlines()}


def test_every_line_is_there(pullback: Command) -> None:
    told = rows(pullback)
    first = ["Pullback", "Python", "CPU", "Cores", "Backends", "LLVM", "OpenBLAS", "Peaks", "Code cache", "NumPy"]
    assert list(told) == [*first, "dtypes", "matplotlib", "pillow"]
    assert all(told.values())
    assert "float32" in told["dtypes"]
    assert "makes code for" in told["LLVM"]


def test_cores_and_why(pullback: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows(pullback)["Cores"].endswith(f"{os.cpu_count()} in this machine")
    monkeypatch.setenv("PULLBACK_THREADS", "3")
    assert rows(pullback)["Cores"].startswith("3 used (PULLBACK_THREADS says so), ")


def test_setting_that_is_no_count(pullback: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLBACK_THREADS", "many")
    result = pullback("info")
    assert result.code != 0
    assert "PULLBACK_THREADS must be a whole number" in result.out + result.err


def test_numpy_and_its_threads(pullback: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "1 of its threads used in training (a run gives the same bits" in rows(pullback)["NumPy"]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "at most 1 of its threads used (OMP_NUM_THREADS says so)" in rows(pullback)["NumPy"]


def test_backend_that_is_used(pullback: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "native (used): " in rows(pullback)["Backends"]
    monkeypatch.setenv("PULLBACK_BACKEND", "reference")
    assert "reference (used): " in rows(pullback)["Backends"]


def test_every_backend_is_explained() -> None:
    assert set(info._BACKENDS) == set(choose.BACKENDS)


def test_kernels_and_why(pullback: Command) -> None:
    blas = openblas.load()
    assert rows(pullback)["OpenBLAS"] == f"{blas.version}, {blas.core} kernels ({blas.why})"


def test_peaks_on_one_thread_and_on_all(pullback: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    one = "101 GFLOP/s in float32 products and 15 GB/s of memory on one thread"
    assert rows(pullback)["Peaks"] == f"{one}, 199 and 20 on 2"
    monkeypatch.setattr(peaks, "peaks", lambda: Peaks(1, 101.2, 101.3, 14.9, 15.0, True))
    assert rows(pullback)["Peaks"] == f"{one}, while other programs ran"


def test_code_cache_and_its_size(pullback: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache = CodeCache(tmp_path / "code")
    monkeypatch.setattr(compiler(), "cache", cache)
    assert rows(pullback)["Code cache"] == f"{tmp_path / 'code'}, 0 bytes"
    cache.write({"abc": b"c" * 1504})  # and a checksum of 32 bytes
    assert rows(pullback)["Code cache"] == f"{tmp_path / 'code'}, 1.5 KiB"


def test_machine_without_the_native_backend(pullback: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise BackendUnavailable("matrix products need the package scipy-openblas32")

    monkeypatch.setattr(openblas, "load", fail)
    choose.why_not_native.cache_clear()
    try:
        told = rows(pullback)
    finally:
        choose.why_not_native.cache_clear()
    assert told["native"] == "cannot be used: matrix products need the package scipy-openblas32"
    assert "reference (used): " in told["Backends"]
    assert not {"LLVM", "OpenBLAS", "Peaks"} & set(told)
