"""Rows that are one line of code: run with either library on the same arrays, with the gradients of what it gives."""

import ast
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
REFUSALS = (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError)


@dataclass(frozen=True)
class Given:
    """An array that a line is run on, the dtype that the library's tensor has, and whether it requires a gradient."""

    array: Array
    dtype: str
    requires_grad: bool

    def tensor(self, lib: Any) -> Any:
        """The array as a tensor of this library."""
        made = lib.tensor(self.array).to(getattr(lib, self.dtype))
        return made.requires_grad_() if self.requires_grad else made

    def reshaped(self, *shape: int) -> "Given":
        """The same numbers in another shape."""
        return replace(self, array=self.array.reshape(shape))


def spread(*shape: int, dtype: str = "float64", low: float = -2.0, high: float = 2.0, seed: int = 1) -> Given:
    """Distinct numbers between low and high in no order: multiples of 2⁻¹⁶, the same on every machine."""
    size = int(np.prod(shape, dtype=np.int64))
    bits = (np.arange(1, size + 1, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(seed * 40503 * 65537)) % 2**32
    places = (bits >> np.uint64(8)).astype(np.float64) / 2**24
    numbers = np.round((low + (high - low) * places) * 2**16) / 2**16
    return of(numbers.reshape(shape), dtype)


def of(numbers: Any, dtype: str = "float64", requires_grad: bool | None = None) -> Given:
    """These numbers in this dtype; floats require a gradient."""
    floats = "float" in dtype
    wide = np.asarray(numbers, np.float64 if floats else np.bool_ if dtype == "bool" else np.int64)
    return Given(wide, dtype, floats if requires_grad is None else requires_grad)


def cotangent(shape: Sequence[int], place: int, like: Any, lib: Any) -> Any:
    """The gradient at a result: distinct numbers from 0.5 to 1.5."""
    return spread(*shape, low=0.5, high=1.5, seed=97 + place).tensor(lib).detach().to(like.dtype)


def tensors_in(result: Any) -> list[Any]:
    """The tensors in a result: itself, or those in a tuple, a list or a dict."""
    if hasattr(result, "detach"):
        return [result]
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, (list, tuple)) else ()
    return [y for part in parts for y in tensors_in(part)]


@functools.cache
def _compiled(line: str) -> tuple[Any, Any]:
    """All statements of a line but the last, and the last, which is an expression."""
    tree = ast.parse(line)
    *before, last = tree.body
    assert isinstance(last, ast.Expr), f"a line ends with an expression: {line}"
    return compile(ast.Module(before, []), line, "exec"), compile(ast.Expression(last.value), line, "eval")


@dataclass(frozen=True)
class Call:
    """A line such as `x.sum(1)`, with `lib` as the library and the inputs by name."""

    line: str
    inputs: dict[str, Given]
    label: str = ""
    tolerance: dict[str, tuple[float, float]] | None = None  # relative and absolute, by dtype

    @property
    def name(self) -> str:
        """The line, after the label of its group."""
        return f"{self.label}: {self.line}" if self.label else self.line

    def tensors(self, lib: Any) -> dict[str, Any]:
        """The inputs as tensors of this library."""
        return {name: given.tensor(lib) for name, given in self.inputs.items()}

    def value(self, lib: Any, tensors: dict[str, Any]) -> Any:
        """What the line gives for these tensors."""
        scope = {"lib": lib, "np": np, "inf": float("inf"), "nan": float("nan"), **tensors}
        before, last = _compiled(self.line)
        exec(before, scope)
        return eval(last, scope)

    def run(self, lib: Any) -> dict[str, Any]:
        """What the line gives, which of it requires a gradient, and the gradients at the inputs."""
        tensors = self.tensors(lib)
        try:
            result = self.value(lib, tensors)
        except REFUSALS:
            return {"value": "refused"}
        found = tensors_in(result)
        answer = {"value": result, "requires_grad": "".join("01"[y.requires_grad] for y in found)}
        variables = {name: x for name, x in tensors.items() if x.requires_grad and x.is_leaf}
        ys = [y for y in found if y.requires_grad]
        if not ys or not variables:
            return answer
        gs = [cotangent(y.shape, i, y, lib) for i, y in enumerate(ys)]
        gradients = lib.autograd.grad(ys, list(variables.values()), gs, allow_unused=True)
        return answer | {f"d{name}": g for name, g in zip(variables, gradients, strict=True)}


Tolerance = dict[str, tuple[float, float]]
HALVES = {"float16": (2e-3, 2e-3), "bfloat16": (1.6e-2, 1.6e-2)}  # what two roundings may differ by


def calls(text: str, label: str = "", tolerance: Tolerance | None = None, **inputs: Given) -> list[Call]:
    """A row for each line of the text, with those of the inputs that it names."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip() and not line.strip().startswith("#")]
    return [Call(line, _used(line, inputs), label, tolerance) for line in lines]


def without(rows: list[Call], *names: str) -> list[Call]:
    """The rows but those with these names, where Pullback means to differ or does more; the reason stands beside."""
    missing = set(names) - {row.name for row in rows}
    assert not missing, missing
    return [row for row in rows if row.name not in names]


def _used(line: str, inputs: dict[str, Given]) -> dict[str, Given]:
    names = {node.id for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Name)}
    return {name: given for name, given in inputs.items() if name in names}


def names_called(rows: Sequence[Call]) -> tuple[set[str], set[str]]:
    """The functions of the library and the methods and attributes of tensors that the rows use."""
    functions, methods = set(), set()
    for row in rows:
        for node in ast.walk(ast.parse(row.line)):
            if isinstance(node, ast.Attribute):
                of_library = isinstance(node.value, ast.Name) and node.value.id == "lib"
                (functions if of_library else methods).add(node.attr)
    return functions, methods
