"""Measured peaks: plausible, measured once, and kept on disk."""

import json
import time
from pathlib import Path

import pytest

from pullback.backends.native import peaks as peaks_of_machine
from pullback.backends.native.peaks import Peaks, peaks


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULLBACK_CACHE", str(tmp_path))
    monkeypatch.setenv("PULLBACK_THREADS", "2")
    return tmp_path


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Peaks]:
    """Every measurement gives other numbers, and is noted here."""
    made: list[Peaks] = []

    def note(library: object, threads: int) -> Peaks:
        made.append(Peaks(threads, 1.0 + len(made), 2.0, 3.0, 4.0))
        return made[-1]

    monkeypatch.setattr(peaks_of_machine, "_measure", note)
    return made


def test_real_peaks_are_plausible(fresh_cache: Path) -> None:
    start = time.perf_counter()
    found = peaks()
    assert time.perf_counter() - start < 5
    assert found.threads == 2
    assert 1 < found.sgemm_one < 1_000
    assert 0.5 * found.sgemm_one < found.sgemm_all < 4 * found.sgemm_one
    assert 0.5 < found.memory_one < 1_000
    assert 0.3 * found.memory_one < found.memory_all < 1_000
    assert found.disturbed or peaks() == found


def test_measured_once_for_each_number_of_threads(
    fresh_cache: Path, measured: list[Peaks], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert peaks() == peaks() == measured[0]
    monkeypatch.setenv("PULLBACK_THREADS", "3")
    assert peaks().threads == 3
    assert len(measured) == 2


def test_disturbed_measurement_is_not_kept(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks_of_machine, "_measure", lambda library, threads: Peaks(2, 1.0, 2.0, 3.0, 4.0, True))
    assert peaks().disturbed
    monkeypatch.setattr(peaks_of_machine, "_measure", lambda library, threads: Peaks(2, 5.0, 6.0, 7.0, 8.0))
    assert peaks().sgemm_one == 5.0


def test_threads_that_wait_are_noticed() -> None:
    waiting = peaks_of_machine._one_round([lambda: time.sleep(0.01)])
    assert waiting.share < 0.5
    assert 20 < waiting.rate < 110


@pytest.mark.parametrize("change", [{"sgemm_one": "fast"}, {"memory_all": -1}, {"threads": 7}, {"sgemm_all": None}])
def test_damaged_note_is_measured_again(change: dict, fresh_cache: Path, measured: list[Peaks]) -> None:
    peaks()
    [file] = (fresh_cache / "notes").glob("peaks-*")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert peaks() == measured[1]
    assert peaks() == measured[1]


def test_cache_that_cannot_be_written(
    fresh_cache: Path, measured: list[Peaks], monkeypatch: pytest.MonkeyPatch
) -> None:
    (fresh_cache / "file").write_text("")
    monkeypatch.setenv("PULLBACK_CACHE", str(fresh_cache / "file"))
    assert peaks() == measured[0]
