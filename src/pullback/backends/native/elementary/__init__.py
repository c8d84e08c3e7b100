"""Elementary functions as branch-free LLVM code, which LLVM's loop vectoriser makes vectors of.

Each emitter takes a builder and float or double numbers, and writes arithmetic, choices and bit operations behind which
there is no call and no fast-math flag. How exact each is, by measurement, stands in docs/accuracy.md. Numbers below the
normal ones (2^-126, 2^-1022) may be read and given as 0, as in threads that flush them.
"""

from collections.abc import Callable, Mapping

from llvmlite import ir

from pullback.backends.native.elementary.error_function import erf
from pullback.backends.native.elementary.exponential import exp, expm1, sigmoid, tanh
from pullback.backends.native.elementary.logarithm import log, log1p
from pullback.backends.native.elementary.powers import pow_, rsqrt
from pullback.backends.native.elementary.trigonometric import atan, cos, sin

# Op name -> builder, numbers of one type -> number.
EMITTERS: Mapping[str, Callable[..., ir.Value]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "erf": erf,
    "rsqrt": rsqrt,
    "sin": sin,
    "cos": cos,
    "atan": atan,
    "pow": pow_,
}

__all__ = ["EMITTERS", "atan", "cos", "erf", "exp", "expm1", "log", "log1p", "pow_", "rsqrt", "sigmoid", "sin", "tanh"]
