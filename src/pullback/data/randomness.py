"""Orders and draws that depend on a seed and a counter alone.

Everything here starts from raw Philox bits, whose sequence NumPy promises to keep, and not from NumPy's
`shuffle` or `choice`, whose algorithms it may change: a run that is resumed under another NumPy goes on in
the same order.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox).
"""

import operator
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, TraceError
from pullback.ir.mode import mode
from pullback.tensor.random import default_generator

_WORD = (1 << 64) - 1

# One stream for each use, so that a split and a shuffle with the same seed have nothing in common.
SHUFFLE, SPLIT, STRATIFY, DRAW = range(4)


def resolve_seed(seed: int | None, generator: Any = None) -> int:
    """The seed meant by `seed=` or by PyTorch's `generator=`; where neither is given, that of
    `pb.manual_seed`.

    Raises ArgumentError when both are given, or when the seed is no integer.
    """
    if seed is not None and generator is not None:
        raise ArgumentError("give seed or generator, not both")
    if generator is not None:
        return _seed_of_generator(generator)
    return default_generator.initial_seed() if seed is None else _as_integer(seed)


def _seed_of_generator(generator: Any) -> int:
    initial_seed = getattr(generator, "initial_seed", None)
    if initial_seed is None:
        raise ArgumentError(
            f"generator must have initial_seed(), as PyTorch's does; got {type(generator).__name__}. "
            "An integer goes to seed= instead"
        )
    return _as_integer(initial_seed())


def _as_integer(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise ArgumentError(f"seed must be an integer; got {seed!r}") from None


def refuse_while_recording(asked: str) -> None:
    """Raise TraceError within a compiled function. `asked` says what it asks for."""
    if mode.recorder is not None:
        raise TraceError(
            f"a compiled function asks {asked}, which would be recorded once and given again at every call; loop over "
            "the loader outside, and pass each batch to the function as an argument"
        )


def raw_words(count: int, seed: int, stream: int, epoch: int = 0) -> Array:
    """`count` random 64-bit words, (count,) uint64, the same for the same seed, stream and epoch.

    Raises TraceError within a compiled function.
    """
    refuse_while_recording("a sampler or a split for a random order")
    key = np.array([seed & _WORD, stream], np.uint64)  # as a list, large numbers would pass through float64
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, epoch], np.uint64)).random_raw(count)


def permutation(n: int, seed: int, stream: int, epoch: int = 0) -> Array:
    """The numbers 0 to n - 1 in random order, (n,) int64.

    >>> permutation(5, seed=0, stream=SHUFFLE).tolist() == permutation(5, seed=0, stream=SHUFFLE).tolist()
    True
    """
    return np.argsort(raw_words(n, seed, stream, epoch), kind="stable")


def uniforms(count: int, seed: int, stream: int, epoch: int = 0) -> Array:
    """Numbers drawn evenly from the open interval (0, 1), (count,) float64."""
    words = raw_words(count, seed, stream, epoch)
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
