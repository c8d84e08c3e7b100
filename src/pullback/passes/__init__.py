"""Program to program: passes, named and ordered."""

from pullback.passes.order import NATIVE_PASSES, PASSES, run_native_passes, run_passes

__all__ = ["NATIVE_PASSES", "PASSES", "run_native_passes", "run_passes"]
