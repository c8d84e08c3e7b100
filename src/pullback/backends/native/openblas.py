"""Our own copy of OpenBLAS, with the kernels that suit this processor, apart from the one that NumPy has."""

import ctypes
import functools
import importlib.util
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from pullback.base.errors import BackendUnavailable

CORE_SETTING = "PULLBACK_BLAS_CORE"
_environment = threading.Lock()


@dataclass(frozen=True)
class Blas:
    """A loaded library: the kernels it uses and why, its version, and the addresses of its matrix products."""

    core: str
    why: str
    version: str
    sgemm: int
    dgemm: int
    library: ctypes.CDLL = field(repr=False)


@functools.cache
def load() -> Blas:
    """The library, loaded once in a process.

    Raises BackendUnavailable when the package scipy-openblas32 is missing or its library cannot be loaded.
    """
    library = _open(library_file(), os.environ.get(CORE_SETTING, "SkylakeX"))
    library.scipy_openblas_set_num_threads(1)
    gemms = [ctypes.cast(getattr(library, f"scipy_cblas_{name}"), ctypes.c_void_p).value for name in ("sgemm", "dgemm")]
    return Blas("SkylakeX", "", "", gemms[0], gemms[1], library)


def library_file() -> Path:
    spec = importlib.util.find_spec("scipy_openblas32")
    if spec is None or spec.origin is None:
        raise BackendUnavailable("the package scipy-openblas32 is missing")
    return Path(spec.origin).parent / "lib" / "libscipy_openblas.so"


def _open(path: Path, core: str) -> ctypes.CDLL:
    wanted = {"OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": "1"}
    with _environment:
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            return ctypes.CDLL(str(path), mode=ctypes.RTLD_LOCAL)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
