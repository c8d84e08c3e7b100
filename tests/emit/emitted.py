"""Emitted programs run beside the interpreter."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import pullback as pb
from pullback.emit.source import source
from pullback.ir.node import Value
from pullback.ir.program import Program, record
from pullback.ir.types import Type
from pullback.ops import interpret

Array = np.ndarray[Any, Any]


def namespace_of(text: str) -> dict[str, Any]:
    """What running a module leaves behind."""
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(text, "emitted.py", "exec"), space)
    return space


def strides(array: Array) -> list[int]:
    """The steps in memory along the axes that have more than one place; those of rows where one number fills all."""
    if not any(array.strides):
        array = np.ascontiguousarray(array)
    return [step for n, step in zip(array.shape, array.strides, strict=True) if n > 1] if array.size else []


def assert_same(program: Program, arrays: Sequence[Array], label: str = "", layout: bool = True) -> str:
    """The emitted program gives the interpreter's bits, in the interpreter's layout; the text."""
    text = source(program)
    wanted = interpret(program, arrays)
    found = namespace_of(text)["program"](*arrays)
    assert len(found) == len(wanted)
    for y, given in zip(wanted, map(np.asarray, found), strict=True):
        assert (given.dtype, given.shape) == (y.dtype, y.shape), f"{label}\n{text}"
        assert given.tobytes() == y.tobytes(), f"{label}\n{text}"
        assert not layout or strides(given) == strides(y), f"{label}\n{text}"
    return text


def recorded(function: Callable[..., Sequence[Value]], arrays: Sequence[Array]) -> Program:
    """The program of a function of values, for arrays like these."""
    return record(function, [Type(a.shape, pb.tensor(a).dtype) for a in arrays], differentiable=True)
