"""Program to program: passes, named and ordered."""

from pullback.passes.order import PASSES, run_passes

__all__ = ["PASSES", "run_passes"]
