"""Rows for how tensors print: the numbers as PyTorch writes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Printed:
    """The text of a tensor."""

    name: str
    make: Callable[[Any], Any]

    def run(self, lib: Any) -> str:
        """The text, with the library's own name left out of the dtypes."""
        return repr(self.make(lib)).replace("torch.", "").replace("pullback.", "")


TENSORS: dict[str, Callable[[Any], Any]] = {
    "floats": lambda lib: lib.tensor([1.5, -2.25, 3.0]),
    "whole floats": lambda lib: lib.tensor([1.0, -20.0, 300.0]),
    "one float": lambda lib: lib.tensor(2.5),
    "one whole float": lambda lib: lib.tensor(-3.0),
    "one integer": lambda lib: lib.tensor(7),
    "one bool": lambda lib: lib.tensor(True),
    "integers": lambda lib: lib.tensor([[1, -20], [300, 4]]),
    "bools": lambda lib: lib.tensor([True, False]),
    "matrix": lambda lib: lib.tensor([[1.0, 2.5], [-3.125, 4.0]]),
    "cube": lambda lib: lib.arange(12, dtype=lib.float32).reshape(2, 3, 2) / 8,
    "float64": lambda lib: lib.tensor([0.5], dtype=lib.float64),
    "float16": lambda lib: lib.tensor([0.5], dtype=lib.float16),
    "bfloat16": lambda lib: lib.tensor([0.5, 3.0], dtype=lib.bfloat16),
    "int32": lambda lib: lib.tensor([1, 2], dtype=lib.int32),
    "uint8": lambda lib: lib.tensor([1, 200], dtype=lib.uint8),
    "empty": lambda lib: lib.tensor([]),
    "empty integers": lambda lib: lib.tensor([], dtype=lib.int64),
    "no rows": lambda lib: lib.zeros(0, 3),
    "no columns": lambda lib: lib.zeros(2, 0),
    "leaf": lambda lib: lib.tensor([1.0, 2.0], requires_grad=True),
    "leaf in float64": lambda lib: lib.tensor([1.0, 2.0], dtype=lib.float64, requires_grad=True),
    "NaN and infinity": lambda lib: lib.tensor([1.0, float("nan"), float("inf"), float("-inf")]),
    "NaN alone": lambda lib: lib.tensor([float("nan")]),
    "broken NaN and infinity": lambda lib: lib.tensor([1.5, float("nan"), float("inf")]),
    "zeros": lambda lib: lib.zeros(3),
    "negative zero": lambda lib: lib.tensor([-0.0, 1.0]),
    "large": lambda lib: lib.tensor([1e10, 1.0]),
    "large whole": lambda lib: lib.tensor([123456.0, 1.0]),
    "wide range": lambda lib: lib.tensor([1e-5, 1.0, 1e3]),
    "small": lambda lib: lib.tensor([1e-6, 2e-6]),
    "one small": lambda lib: lib.tensor(1e-7),
    "one large": lambda lib: lib.tensor(1.5e12),
    "ratio": lambda lib: lib.tensor([0.001, 999.0]),
    "long": lambda lib: lib.arange(2000),
    "long floats": lambda lib: lib.arange(2000, dtype=lib.float32) / 4,
    "large matrix": lambda lib: lib.arange(4000).reshape(40, 100),
    "wide row": lambda lib: lib.arange(60, dtype=lib.float32) / 2,
    "twenty integers": lambda lib: lib.arange(30) * 1000,
}

ORACLE_ROWS = [Printed(name, make) for name, make in TENSORS.items()]
