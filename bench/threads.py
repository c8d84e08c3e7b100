"""How many threads a library takes by its own defaults."""

import os

from threadpoolctl import threadpool_info


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def blas_threads() -> str:
    """Those of the BLAS that is loaded; one where none is."""
    return str(max((library["num_threads"] for library in threadpool_info()), default=1))
