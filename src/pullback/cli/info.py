"""`pullback info`: what Pullback found on this machine, and what it does with it."""

import os
import platform
from importlib import metadata

import numpy as np

from pullback.backends.choose import BACKENDS, default_backend, why_not_native
from pullback.backends.native import hardware, openblas, peaks
from pullback.backends.native.compiler import compiler
from pullback.base.dtypes import DTYPES
from pullback.base.settings import get_default_dtype
from pullback.cli.console import print_line
from pullback.ir.node import OPS
from pullback.train.threads import chosen_by_user

_OPTIONAL = {"matplotlib": "pictures of a run", "pillow": "reading and writing images"}
_BACKENDS = {"native": "machine code made for this processor", "reference": "each op through NumPy, in order"}


def info_verb() -> None:
    """Say what was found here: processor and cores, kernels and peaks, versions, backends, optional packages."""
    rows = {
        "Pullback": f"{metadata.version('pullback')}, {len(OPS)} ops",
        "Python": f"{platform.python_version()}, {platform.system()} {platform.machine()}",
        "CPU": f"{hardware.cpu_name()}{_caches()}",
        "Cores": cores(),
        "Backends": _backends(),
        **_native(),
        "NumPy": f"{np.__version__}, matrix products by {_blas()}; {_numpy_threads()}",
        "dtypes": f"{', '.join(DTYPES)}; floats are {get_default_dtype().name} unless you say otherwise",
        **{name: _optional(name, purpose) for name, purpose in _OPTIONAL.items()},
    }
    for name, text in rows.items():
        print_line(f"{name:<12}{text}")


# The machine
def _caches() -> str:
    sizes = [f"{level} {size_text(nbytes)}" for level, nbytes in hardware.cache_sizes().items()]
    return f"; caches {', '.join(sizes)}" if sizes else ""


def size_text(nbytes: int) -> str:
    """A size of memory as it is spoken of, in powers of 1024.

    >>> size_text(32768), size_text(3 << 19), size_text(12)
    ('32 KiB', '1.5 MiB', '12 bytes')
    """
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if nbytes >> bits:
            return f"{nbytes / (1 << bits):.4g} {unit}"
    return f"{nbytes} bytes"


def cores() -> str:
    """How many cores native code uses, and why so many."""
    used = hardware.threads()
    return f"{used.count} used ({used.why}), {os.cpu_count() or 1} in this machine"


# The backends
def _backends() -> str:
    chosen = default_backend() if not why_not_native() else "reference"
    told = [f"{name}{' (used)' if name == chosen else ''}: {_BACKENDS.get(name, '')}" for name in BACKENDS]
    return "; ".join(told)


def _native() -> dict[str, str]:
    """What the native backend is made of; why it cannot be used, where something is missing."""
    why_not = why_not_native()
    if why_not:
        return {"native": f"cannot be used: {why_not}"}
    blas = openblas.load()
    kept = size_text(compiler().cache.size())
    return {
        "LLVM": f"{hardware.llvm_version()}, makes code for {hardware.llvm_cpu()}",
        "OpenBLAS": f"{blas.version}, {blas.core} kernels ({blas.why})",
        "Peaks": _peaks(),
        "Code cache": f"{compiler().cache.folder}, {kept}",
    }


def _peaks() -> str:
    found = peaks.peaks()
    told = f"{found.sgemm_one:.0f} GFLOP/s in float32 products and {found.memory_one:.0f} GB/s of memory on one thread"
    if found.threads > 1:
        told += f", {found.sgemm_all:.0f} and {found.memory_all:.0f} on {found.threads}"
    return f"{told}, while other programs ran" if found.disturbed else told


# NumPy, and packages that may be missing
def _blas() -> str:
    found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{found.get('name', 'an unknown library')} {found.get('version', '')}".strip()


def _numpy_threads() -> str:
    """How many threads NumPy's products run on, and why."""
    setting = chosen_by_user()
    if setting:
        return f"at most {os.environ[setting]} of its threads used ({setting} says so)"
    return "1 of its threads used in training (a run gives the same bits on any number of cores)"


def _optional(package: str, purpose: str) -> str:
    try:
        return f"{metadata.version(package)}, for {purpose}"
    except metadata.PackageNotFoundError:
        return f"missing: no {purpose}; pip install 'pullback[plots]'"
