"""How many threads NumPy's matrix products run on while a network is trained or used."""

import os
from contextlib import AbstractContextManager, nullcontext

SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def chosen_by_user() -> str:
    """The environment variable that sets the number of threads; empty when none does."""
    return next((name for name in SETTINGS if os.environ.get(name, "").isdigit()), "")


def one_thread() -> AbstractContextManager[object]:
    """Inside, NumPy's matrix products run on one thread, unless the user has set how many.

    That is for what runs through NumPy: the reference backend, and ops left to it. Native products have a copy of the
    library to themselves and are shared out among threads by their shape alone.

    On several threads a product is cut by their number, and its sums are rounded otherwise: the same run would give
    other weights on another number of cores. Where other programs run, too, they are also slower, for products of the
    size that networks for digits and tables have.
    """
    if chosen_by_user():
        return nullcontext()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # the package has no types

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits
