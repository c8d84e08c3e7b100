"""Our own copy of OpenBLAS, with the kernels that suit this processor, apart from the one that NumPy has.

OpenBLAS chooses its kernels by the processor's name when it is loaded, and takes new processors for old ones: some
with AVX-512 get kernels for AVX2. So we choose: among the kernels that the processor can run, those that were fastest
in a short trial, which is made once for each processor and version of the library and then remembered on disk. The
trial runs in processes of its own, for a library that is loaded keeps its kernels.
"""

import ctypes
import functools
import importlib.metadata
import importlib.util
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pullback.backends.native import hardware
from pullback.base.errors import ArgumentError, BackendUnavailable, suggest

CORE_SETTING = "PULLBACK_BLAS_CORE"
PACKAGE = "scipy_openblas32"

# Kernels by OpenBLAS's names, the widest first, and the instructions that they need.
_AVX2 = frozenset({"avx2", "fma"})
_AVX512 = _AVX2 | {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}
CORES: Mapping[str, frozenset[str]] = {
    "SkylakeX": _AVX512,
    "Cooperlake": _AVX512 | {"avx512bf16"},
    "SapphireRapids": _AVX512 | {"avx512bf16", "amx-tile", "amx-bf16"},
    "Haswell": _AVX2,
    "Zen": _AVX2,
    "Sandybridge": frozenset({"avx"}),
    "Nehalem": frozenset({"sse4.2"}),
    "Prescott": frozenset({"sse3"}),
}
# Worth a trial. The others are kept out of the wheels (the library takes the nearest that it has) or are for less.
_TRIED = ("SkylakeX", "Haswell")
# Narrower kernels must be faster by so much: trials are noisy, and the choice decides the last bits of results.
_MARGIN = 1.1
_PATIENCE = 10.0  # seconds for one trial, which takes a twentieth of one

_TRIAL = """
import ctypes, json, sys, time
path, core = sys.argv[1:]
blas = ctypes.CDLL(path)
name = blas.scipy_openblas_get_corename
name.restype = ctypes.c_char_p
floats, byref = ctypes.c_float, ctypes.byref
def best(m, n, k, transposed):
    a, b, c = ((floats * size)() for size in (m * k, n * k, m * n))
    for operand in (a, b):
        ctypes.memset(operand, 0x3D, ctypes.sizeof(operand))  # each number 0.046
    order = (112, 111, m, n, k, floats(1), a, m, b, n) if transposed else (111, 112, m, n, k, floats(1), a, k, b, k)
    call = (101, *order, floats(0), c, n)
    repeats = max(1, int(2e7 / (m * n * k)))
    found = []
    end = time.perf_counter() + 0.008
    while len(found) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(repeats):
            blas.scipy_cblas_sgemm(*call)
        found.append((time.perf_counter() - start) / repeats)
    return min(found)
shapes = [(128, 512, 784, False), (64, 128, 784, False), (10, 30, 784, False), (128, 256, 64, True)]
print(json.dumps([name().decode(), *(best(*shape) for shape in shapes)]))
"""

_loading = threading.Lock()


@dataclass(frozen=True)
class Blas:
    """A loaded library: the kernels it uses and why, its version, and the addresses of its matrix products.

    `sgemm` and `dgemm` have the C interface of CBLAS, with 32-bit integers. They run on the thread that calls them.
    `set_threads` is the address of what sets the number of threads, which is 1.
    """

    core: str
    why: str
    version: str
    sgemm: int
    dgemm: int
    set_threads: int
    library: ctypes.CDLL = field(repr=False, compare=False)


def load() -> Blas:
    """The library, loaded once in a process; NumPy's own stays as it is.

    Raises BackendUnavailable when the package scipy-openblas32 or its library cannot be loaded, and ArgumentError
    when PULLBACK_BLAS_CORE names kernels that there are not or that this processor cannot run.
    """
    with _loading:
        return _loaded()


@functools.cache
def _loaded() -> Blas:
    file = library_file()
    core, why = choose_core(file)
    try:
        library = _open(file, core)
        library.scipy_openblas_set_num_threads(1)
        library.scipy_openblas_get_corename.restype = ctypes.c_char_p
        used = library.scipy_openblas_get_corename().decode()
        sgemm, dgemm = _address(library, "scipy_cblas_sgemm"), _address(library, "scipy_cblas_dgemm")
        set_threads = _address(library, "scipy_openblas_set_num_threads")
    except (OSError, AttributeError) as error:
        raise BackendUnavailable(f"OpenBLAS cannot be loaded from {file} ({error})") from None
    if core and used.lower() != core.lower():
        why = f"{why}; the library has nothing nearer to {core}"
    return Blas(used, why, library_version(), sgemm, dgemm, set_threads, library)


def library_file() -> Path:
    """The library in the package scipy-openblas32. The package is not imported: it would show its names to all.

    Raises BackendUnavailable when there is none.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in sorted((Path(folder) / "lib").glob("libscipy_openblas*")):
            if file.suffix in (".so", ".dylib", ".dll"):
                return file
    raise BackendUnavailable("matrix products need the package scipy-openblas32; pip install scipy-openblas32")


@functools.cache
def library_version() -> str:
    """The version of the package."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:  # copied here by hand
        return "of unknown version"


def _open(file: Path, core: str) -> ctypes.CDLL:
    """Load the library with these kernels and without threads; an empty name leaves it the choice."""
    mode = ctypes.RTLD_LOCAL | getattr(os, "RTLD_DEEPBIND", 0)  # its names are those of other copies, too
    with _environment({"OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": "1"}):
        return ctypes.CDLL(str(file), mode=mode)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Inside, the process has these environment variables; those with an empty value stay as they are."""
    before = {name: os.environ.get(name) for name, value in wanted.items() if value}
    os.environ.update({name: wanted[name] for name in before})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _address(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    if address is None:
        raise AttributeError(name)
    return address


# Choosing the kernels
def choose_core(file: Path) -> tuple[str, str]:
    """Which kernels the library is asked to use, and why; an empty name leaves it the choice."""
    wanted = os.environ.get(CORE_SETTING, "").strip()
    if wanted:
        return _wanted_core(wanted), f"{CORE_SETTING} says so"
    candidates = runnable(_TRIED)
    if not candidates:
        return "", "the library's own choice"
    if len(candidates) == 1:
        return candidates[0], "the widest that this processor can run"
    about = f"OpenBLAS {library_version()} on {hardware.machine()}"
    note = hardware.read_note("blas", about)
    if note is None or note.get("core") not in candidates or not isinstance(note.get("why"), str):
        core, why = _fastest({core: try_core(file, core) for core in candidates})
        note = {"core": core, "why": why}
        hardware.keep_note("blas", about, note)
    return note["core"], note["why"]


def runnable(cores: tuple[str, ...] | Mapping[str, frozenset[str]]) -> list[str]:
    """Those of the kernels whose instructions this processor has."""
    features = hardware.llvm_features()
    return [core for core in cores if CORES[core] <= features]


def _wanted_core(wanted: str) -> str:
    known = {core.lower(): core for core in CORES}
    core = known.get(wanted.lower())
    if core is None:
        near = suggest(wanted.lower(), known)
        raise ArgumentError(
            f"{CORE_SETTING} names no kernels of OpenBLAS: {wanted!r}.{near} Known are {', '.join(CORES)}"
        )
    missing = CORES[core] - hardware.llvm_features()
    if missing:
        raise ArgumentError(f"{CORE_SETTING} is {core}, but this processor lacks {', '.join(sorted(missing))}")
    return core


def try_core(file: Path, core: str) -> list[float]:
    """Seconds of some matrix products with these kernels; empty when they do not run."""
    if getattr(sys, "frozen", False) or not sys.executable:  # no Python to start
        return []
    environment = {**os.environ, "OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-I", "-S", "-c", _TRIAL, str(file), core]
    try:
        told = subprocess.run(command, env=environment, capture_output=True, timeout=_PATIENCE, check=True).stdout
        used, *seconds = json.loads(told)
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    return seconds if used.lower() == core.lower() else []


def _fastest(trials: Mapping[str, list[float]]) -> tuple[str, str]:
    """The kernels to take after their trials, and why."""
    ran = {core: seconds for core, seconds in trials.items() if seconds}
    if not ran:
        return next(iter(trials)), "the widest that this processor can run; no trial could be made"
    means = {core: math.exp(sum(map(math.log, seconds)) / len(seconds)) for core, seconds in ran.items()}
    best, *narrower = means
    for core in narrower:
        if means[core] * _MARGIN < means[best]:
            best = core
    others = [f"{means[core] / means[best]:.2f} times {core}'s speed" for core in means if core != best]
    failed = [f"{core} does not run here" for core in trials if core not in ran]
    return best, ", ".join(["in a trial", *others, *failed])
