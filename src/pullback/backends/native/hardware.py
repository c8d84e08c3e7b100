"""What this machine has, and what of it this process may use: processor, cores, caches, and a folder to keep things in.

Linux tells the most, through /proc and /sys; macOS through sysctl. Where a system does not tell, the answer is empty
or the number of logical processors, never an error.
"""

import contextlib
import ctypes
import functools
import hashlib
import json
import math
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pullback.base.atomic import atomic_write
from pullback.base.errors import ArgumentError, BackendUnavailable

THREADS_SETTING = "PULLBACK_THREADS"
CACHE_SETTING = "PULLBACK_CACHE"
_MOST_THREADS = 1024
_CPUS = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_CPUINFO = Path("/proc/cpuinfo")


# Threads
@dataclass(frozen=True)
class Threads:
    """How many threads native code runs on, and why so many."""

    count: int
    why: str


def threads() -> Threads:
    """PULLBACK_THREADS where it is set; else one thread for each core that this process may use.

    A core that runs two hardware threads counts once, and a container's limit of processor time is kept to.

    Raises ArgumentError when PULLBACK_THREADS is no positive integer.
    """
    wanted = os.environ.get(THREADS_SETTING, "").strip()
    return _threads_wanted(wanted) if wanted else _threads_available(allowed_cpus())


def _threads_wanted(wanted: str) -> Threads:
    count = int(wanted) if re.fullmatch(r"\d{1,9}", wanted, re.ASCII) else 0
    if not 1 <= count <= _MOST_THREADS:
        raise ArgumentError(
            f"{THREADS_SETTING} must be a whole number from 1 to {_MOST_THREADS}; got {wanted!r}. "
            "Unset it to use every core that this process may use"
        )
    return Threads(count, f"{THREADS_SETTING} says so")


@functools.lru_cache(maxsize=8)
def _threads_available(allowed: frozenset[int]) -> Threads:
    cores = _cores_of(allowed)
    if _is_apple_silicon():
        why = "one for each performance core"
    elif cores < len(allowed):
        why = f"one for each core, of {len(allowed)} hardware threads"
    else:
        why = "one for each core"
    present = os.cpu_count() or 1
    if len(allowed) < present:
        why += f"; this process may use {len(allowed)} of {present} processors"
    quota = container_quota()
    if quota is not None and max(1, math.ceil(quota)) < cores:
        return Threads(max(1, math.ceil(quota)), f"a container's limit of {quota:g} cores, of {cores}")
    return Threads(cores, why)


def allowed_cpus() -> frozenset[int]:
    """The logical processors that this process may run on."""
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _cores_of(allowed: frozenset[int]) -> int:
    """How many cores these logical processors are."""
    if sys.platform == "darwin":
        told = _sysctl_number("hw.perflevel0.physicalcpu") or _sysctl_number("hw.physicalcpu")
        return min(told, len(allowed)) if told else len(allowed)
    return len({_siblings(cpu) or str(cpu) for cpu in allowed}) or 1


def _siblings(cpu: int) -> str:
    """The logical processors of this one's core, such as "0,64"; empty where the system does not tell."""
    return _text(_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list")


def _is_apple_silicon() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def container_quota() -> float | None:
    """How many cores' time a container may use, by its control groups; None where there is no limit."""
    quotas = [quota for folder in _own_cgroup_folders() if (quota := _quota_in(folder)) is not None]
    return min(quotas, default=None)


def _own_cgroup_folders() -> Iterator[Path]:
    """The folders of this process's groups for processor time and of all groups around them, versions 1 and 2."""
    for line in _text(_OWN_CGROUPS).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        roots = [_CGROUPS / controllers, _CGROUPS / "cpu"] if controllers else [_CGROUPS, _CGROUPS / "unified"]
        inner = Path(path.lstrip("/"))
        for root in roots:
            yield from (root / part for part in (inner, *inner.parents) if ".." not in part.parts)


def _quota_in(folder: Path) -> float | None:
    version2 = _text(folder / "cpu.max").split()
    version1 = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    for words in (version2, version1):
        if len(words) == 2 and all(word.isdigit() and int(word) > 0 for word in words):
            return int(words[0]) / int(words[1])
    return None


# The processor
def machine() -> str:
    """Processor and instructions in one line: what a measurement kept on disk is true for.

    Raises BackendUnavailable when LLVM cannot be loaded.
    """
    return " ".join([cpu_name(), platform.machine(), llvm_cpu(), *sorted(llvm_features())])


@functools.cache
def cpu_name() -> str:
    """The processor as the system calls it."""
    if sys.platform == "darwin":
        return _sysctl_text("machdep.cpu.brand_string") or platform.machine()
    lines = _beginning(_CPUINFO).splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


@functools.cache
def llvm_cpu() -> str:
    """The processor as LLVM calls it, such as "znver5": what machine code is made for.

    Raises BackendUnavailable when LLVM cannot be loaded.
    """
    return str(_llvm().get_host_cpu_name())


@functools.cache
def llvm_features() -> frozenset[str]:
    """The instructions that the processor has and the system lets programs use, by LLVM's names for them.

    Raises BackendUnavailable when LLVM cannot be loaded.
    """
    return frozenset(name for name, present in _llvm().get_host_cpu_features().items() if present)


@functools.cache
def llvm_version() -> str:
    """The version of LLVM. Raises BackendUnavailable when it cannot be loaded."""
    return ".".join(str(part) for part in _llvm().llvm_version_info)


def _llvm() -> Any:
    try:
        import llvmlite.binding  # takes 50 ms, so it is loaded where it is first needed
    except (ImportError, OSError) as error:
        raise BackendUnavailable(
            f"the package llvmlite, which makes machine code, cannot be loaded ({error})"
        ) from None
    return llvmlite.binding


@functools.cache
def cache_sizes() -> dict[str, int]:
    """Bytes of the data caches that the first allowed processor sees: "L1", "L2", "L3"; empty where nobody tells."""
    if sys.platform == "darwin":
        keys = {"L1": "l1dcachesize", "L2": "l2cachesize", "L3": "l3cachesize"}
        told = {
            level: _sysctl_number(f"hw.perflevel0.{key}") or _sysctl_number(f"hw.{key}") for level, key in keys.items()
        }
        return {level: nbytes for level, nbytes in told.items() if nbytes}
    sizes = {}
    for folder in sorted((_CPUS / f"cpu{min(allowed_cpus())}" / "cache").glob("index*")):
        nbytes = _bytes(_text(folder / "size"))
        if nbytes and _text(folder / "type") in ("Data", "Unified"):
            sizes[f"L{_text(folder / 'level')}"] = nbytes
    return sizes


def _bytes(text: str) -> int:
    """The number of "32K" or "1M"; 0 for what is no size."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]] if found else 0


# A place on disk
def cache_folder() -> Path:
    """Where what can be made again is kept: $PULLBACK_CACHE, or Pullback's folder among the user's caches."""
    wanted = os.environ.get(CACHE_SETTING, "")
    return Path(wanted).expanduser() if wanted else _user_caches() / "pullback"


def _user_caches() -> Path:
    if sys.platform == "win32":
        told = os.environ.get("LOCALAPPDATA", "")
        return Path(told) if told else _home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches"
    told = os.environ.get("XDG_CACHE_HOME", "")
    return Path(told) if Path(told).is_absolute() else _home() / ".cache"  # the standard says to ignore relative ones


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user without a home, as some containers have
        return Path(os.path.sep)


def read_note(name: str, about: str) -> dict[str, Any] | None:
    """What an earlier process found out by this name about exactly this; None where nothing can be read."""
    try:
        note = json.loads(_note(name, about).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or a damaged one, which is then written again
        return None
    return note if isinstance(note, dict) and note.get("about") == about else None


def keep_note(name: str, about: str, found: Mapping[str, Any]) -> None:
    """Keep for later processes what was found out; done without where the cache cannot be written."""
    file = _note(name, about)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file, "w") as out:
            json.dump({"about": about, **found}, out, indent=1)


def _note(name: str, about: str) -> Path:
    return cache_folder() / "notes" / f"{name}-{hashlib.sha256(about.encode()).hexdigest()[:16]}.json"


# How systems tell
def _text(file: Path) -> str:
    """What the file says; empty where there is none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _beginning(file: Path) -> str:
    """The file's first 8 kB: one processor's share of a list that is long where there are hundreds."""
    try:
        with file.open("rb", buffering=0) as source:
            return source.read(8192).decode(errors="replace")
    except OSError:
        return ""


def _sysctl(name: str) -> bytes:
    """What macOS knows by this name; empty where it knows nothing."""
    room, size = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
    failed = ctypes.CDLL(None).sysctlbyname(name.encode(), room, ctypes.byref(size), None, ctypes.c_size_t(0))
    return b"" if failed else room.raw[: size.value]


def _sysctl_number(name: str) -> int:
    return int.from_bytes(_sysctl(name), sys.byteorder)


def _sysctl_text(name: str) -> str:
    return _sysctl(name).rstrip(b"\0").decode(errors="replace")
