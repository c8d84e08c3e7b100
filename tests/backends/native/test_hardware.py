"""What the machine tells, and how the number of threads and the cache folder follow from it and from the settings."""

import os
import sys
from pathlib import Path

import pytest

from pullback.backends.native import hardware
from pullback.base.errors import ArgumentError, BackendUnavailable

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine under a temporary folder, on which no limit is set."""
    monkeypatch.delenv(hardware.THREADS_SETTING, raising=False)
    for name, place in {"_CPUS": "cpu", "_CGROUPS": "cgroup", "_OWN_CGROUPS": "own", "_CPUINFO": "cpuinfo"}.items():
        monkeypatch.setattr(hardware, name, tmp_path / place)
    hardware._threads_available.cache_clear()
    yield tmp_path
    hardware._threads_available.cache_clear()


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


# Threads
@pytest.mark.parametrize(("wanted", "count"), [("1", 1), ("3", 3), (" 16 ", 16)])
def test_setting_decides(wanted: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLBACK_THREADS", wanted)
    assert hardware.threads() == hardware.Threads(count, "PULLBACK_THREADS says so")


@pytest.mark.parametrize("wanted", ["0", "-1", "two", "1.5", "1e2", "²", "1_0", "9" * 5000, "100000"])
def test_setting_that_is_no_count_is_refused(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLBACK_THREADS", wanted)
    with pytest.raises(ArgumentError, match="PULLBACK_THREADS must be a whole number from 1 to 1024; got"):
        hardware.threads()


def test_changed_setting_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLBACK_THREADS", "5")
    assert hardware.threads().count == 5
    monkeypatch.setenv("PULLBACK_THREADS", "")
    assert 1 <= hardware.threads().count <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind a process to a core")
def test_no_more_than_the_processors_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULLBACK_THREADS", raising=False)
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert hardware.threads().count == 1
    finally:
        os.sched_setaffinity(0, before)


SIBLINGS = {
    "two threads a core": (["0,2", "1,3", "0,2", "1,3"], 2),
    "one thread a core": (["0", "1", "2", "3"], 4),
    "nothing told": (["", "", "", ""], 4),
    "cores of two kinds": (["0-1", "0-1", "2", "3"], 3),
}


@linux
@pytest.mark.parametrize(("told", "cores"), SIBLINGS.values(), ids=SIBLINGS)
def test_cores_are_counted_not_their_threads(told: list[str], cores: int, machine: Path) -> None:
    for cpu, siblings in enumerate(told):
        write(machine / "cpu" / f"cpu{cpu}" / "topology" / "thread_siblings_list", f"{siblings}\n")
    found = hardware._threads_available(frozenset(range(4)))
    assert found.count == cores
    assert ("of 4 hardware threads" in found.why) == (cores < 4)


@linux
def test_hidden_processors_are_told(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert "this process may use 2 of 8 processors" in hardware._threads_available(frozenset({3, 5})).why


# Each: what /proc/self/cgroup says, the files of the groups, the quota.
QUOTAS = {
    "version 2": ("0::/", {"cpu.max": "150000 100000"}, 1.5),
    "version 2, no limit": ("0::/", {"cpu.max": "max 100000"}, None),
    "version 2, limit on a group around": (
        "0::/a/b",
        {"a/b/cpu.max": "max 100000", "a/cpu.max": "400000 100000", "cpu.max": "max 100000"},
        4.0,
    ),
    "version 2, the smallest counts": ("0::/a/b", {"a/b/cpu.max": "300000 100000", "a/cpu.max": "200000 100000"}, 2.0),
    "version 1": (
        "3:cpuset:/\n2:cpu,cpuacct:/docker/x",
        {"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        0.5,
    ),
    "version 1, by the short name": (
        "1:cpu:/x\n0::/",
        {"cpu/x/cpu.cfs_quota_us": "700000", "cpu/x/cpu.cfs_period_us": "100000"},
        7.0,
    ),
    "version 1, no limit": ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "damaged": ("0::/\nnonsense\n", {"cpu.max": "many"}, None),
    "outside what can be seen": ("0::/../../other", {"cpu.max": "100000 100000"}, 1.0),
    "none": ("", {}, None),
}


@linux
@pytest.mark.parametrize(("own", "files", "quota"), QUOTAS.values(), ids=QUOTAS)
def test_quota_of_a_container(own: str, files: dict[str, str], quota: float | None, machine: Path) -> None:
    write(machine / "own", own)
    for name, text in files.items():
        write(machine / "cgroup" / name, f"{text}\n")
    assert hardware.container_quota() == quota


@linux
@pytest.mark.parametrize(("quota", "count"), [(50_000, 1), (100_000, 1), (150_000, 2), (900_000, 4)])
def test_quota_is_rounded_up(quota: int, count: int, machine: Path) -> None:
    write(machine / "own", "0::/")
    write(machine / "cgroup" / "cpu.max", f"{quota} 100000")
    found = hardware._threads_available(frozenset(range(4)))
    assert found.count == count
    assert ("a container's limit" in found.why) == (count < 4)


# The processor
def test_processor_is_named() -> None:
    assert hardware.cpu_name()
    assert hardware.llvm_cpu()
    assert hardware.llvm_features()
    assert int(hardware.llvm_version().split(".")[0]) >= 15
    assert hardware.cpu_name() in hardware.machine()


@linux
def test_processor_without_a_name(machine: Path) -> None:
    hardware.cpu_name.cache_clear()
    assert hardware.cpu_name()  # what Python says
    hardware.cpu_name.cache_clear()


@linux
def test_cache_sizes(machine: Path) -> None:
    caches = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K"), ("3", "Unified", "32M")]
    for number, facts in enumerate(caches):
        for name, text in zip(("level", "type", "size"), facts, strict=True):
            cpu = min(hardware.allowed_cpus())
            write(machine / "cpu" / f"cpu{cpu}" / "cache" / f"index{number}" / name, f"{text}\n")
    hardware.cache_sizes.cache_clear()
    assert hardware.cache_sizes() == {"L1": 48 << 10, "L2": 1 << 20, "L3": 32 << 20}
    hardware.cache_sizes.cache_clear()


def test_missing_llvm_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(BackendUnavailable, match="the package llvmlite, which makes machine code, cannot be loaded"):
        hardware._llvm()


# A place on disk
def test_cache_folder_of_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULLBACK_CACHE", str(tmp_path / "here"))
    assert hardware.cache_folder() == tmp_path / "here"
    monkeypatch.setenv("PULLBACK_CACHE", "~/here")
    assert hardware.cache_folder() == Path.home() / "here"


FOLDERS = {
    "Linux": ("linux", {"HOME": "/u"}, "/u/.cache/pullback"),
    "Linux, told": ("linux", {"HOME": "/u", "XDG_CACHE_HOME": "/c"}, "/c/pullback"),
    "Linux, told a relative one": ("linux", {"HOME": "/u", "XDG_CACHE_HOME": "c"}, "/u/.cache/pullback"),
    "macOS": ("darwin", {"HOME": "/u"}, "/u/Library/Caches/pullback"),
    "Windows": ("win32", {"HOME": "/u", "LOCALAPPDATA": "/u/local"}, "/u/local/pullback"),
    "Windows, not told": ("win32", {"HOME": "/u"}, "/u/AppData/Local/pullback"),
}


@linux
@pytest.mark.parametrize(("system", "settings", "folder"), FOLDERS.values(), ids=FOLDERS)
def test_cache_folder(system: str, settings: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULLBACK_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", system)
    assert hardware.cache_folder() == Path(folder)


def test_notes_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULLBACK_CACHE", str(tmp_path / "new" / "folder"))
    assert hardware.read_note("speed", "this machine") is None
    hardware.keep_note("speed", "this machine", {"fast": True})
    assert hardware.read_note("speed", "this machine") == {"about": "this machine", "fast": True}
    assert hardware.read_note("speed", "another machine") is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe", b'{"about": "something else"}'])
def test_damaged_note_is_none(damage: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULLBACK_CACHE", str(tmp_path))
    hardware.keep_note("speed", "this machine", {"fast": True})
    [file] = (tmp_path / "notes").iterdir()
    file.write_bytes(damage)
    assert hardware.read_note("speed", "this machine") is None
    hardware.keep_note("speed", "this machine", {"fast": False})
    assert hardware.read_note("speed", "this machine") == {"about": "this machine", "fast": False}


def test_cache_that_cannot_be_written_is_done_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("no folder")
    monkeypatch.setenv("PULLBACK_CACHE", str(blocked))
    hardware.keep_note("speed", "this machine", {"fast": True})
    assert hardware.read_note("speed", "this machine") is None
