"""`pullback info`: what Pullback found on this machine, and what it does with it."""

import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np

from pullback.backends.compile import BACKENDS
from pullback.base.dtypes import DTYPES
from pullback.base.settings import get_default_dtype
from pullback.cli.console import print_line
from pullback.ir.node import OPS
from pullback.train.threads import chosen_by_user

_OPTIONAL = {"matplotlib": "pictures of a run", "pillow": "reading and writing images"}


def info_verb() -> None:
    """Say what was found here: versions, CPU and cores, backends, dtypes, optional packages."""
    rows = {
        "Pullback": f"{metadata.version('pullback')}, {len(OPS)} ops",
        "Python": f"{platform.python_version()}, {platform.system()} {platform.machine()}",
        "NumPy": f"{np.__version__}, matrix products by {_blas()}",
        "CPU": cpu_name(),
        "Cores": cores(),
        "Backends": f"{', '.join(BACKENDS)} (runs each op of a program through NumPy, in order)",
        "dtypes": f"{', '.join(DTYPES)}; floats are {get_default_dtype().name} unless you say otherwise",
        **{name: _optional(name, purpose) for name, purpose in _OPTIONAL.items()},
    }
    for name, text in rows.items():
        print_line(f"{name:<12}{text}")


def _blas() -> str:
    found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{found.get('name', 'an unknown library')} {found.get('version', '')}".strip()


def cpu_name() -> str:
    """The processor as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def cores() -> str:
    """How many cores are used, and why so many."""
    machine = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    setting = chosen_by_user()
    used = min(int(os.environ[setting]), allowed) if setting else 1
    why = f"{setting} says so" if setting else "a run gives the same bits on any number of them"
    here = f"{machine} in this machine" if allowed == machine else f"{allowed} for this process, of {machine}"
    return f"{used} used ({why}), {here}{_quota()}"


def _quota() -> str:
    """What a container may use of them, where that is less."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no such limit on this system
        return ""
    return "" if quota == "max" else f", within a container's limit of {int(quota) / int(period):g} cores"


def _optional(package: str, purpose: str) -> str:
    try:
        return f"{metadata.version(package)}, for {purpose}"
    except metadata.PackageNotFoundError:
        return f"missing: no {purpose}; pip install 'pullback[plots]'"
