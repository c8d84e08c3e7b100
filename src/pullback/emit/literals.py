"""Numbers, dtypes and small arrays as expressions."""

import ast
import math
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, DType, as_dtype


def expression(text: str) -> ast.expr:
    """The expression that a text is."""
    return ast.parse(text, mode="eval").body


def number(value: Any) -> ast.expr:
    """A Python number; infinities and NaN by NumPy's names."""
    if isinstance(value, float) and not math.isfinite(value):
        return expression("np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf")
    if not isinstance(value, bool) and math.copysign(1.0, value) < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def dtype(found: DType) -> ast.expr:
    """A dtype as emitted code writes it."""
    return expression(
        "bfloat16" if found.name == "bfloat16" else f"np.{'bool_' if found.name == 'bool' else found.name}"
    )


def literal(value: Any) -> ast.expr:
    """A param of an op, or a result that is no tensor."""
    if isinstance(value, (tuple, list)):
        parts = [literal(x) for x in value]
        return ast.Tuple(parts, ast.Load()) if isinstance(value, tuple) else ast.List(parts, ast.Load())
    if isinstance(value, (DType, np.dtype)):
        return dtype(as_dtype(value))
    if isinstance(value, np.generic):
        return literal(value.item())
    if isinstance(value, (int, float)):
        return number(value)
    return ast.Constant(value if value is None or isinstance(value, str) else repr(value))


def quoted(text: str) -> str:
    """A string in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal_text(value: Any) -> str:
    """The same as text."""
    return ast.unparse(literal(value))


def array(values: Array) -> ast.expr:
    """An array written out in full, exact to the bit."""
    if not values.size:
        sizes = ast.Tuple([ast.Constant(n) for n in values.shape], ast.Load())
        return ast.Call(expression("np.zeros"), [sizes, dtype(as_dtype(values.dtype))], [])
    wide = values.astype(np.float64) if values.dtype.kind not in "biu" else values
    kind = dtype(as_dtype(values.dtype))
    return ast.Call(expression("np.array"), [_nested(wide.tolist()), kind], [])


def _nested(items: Any) -> ast.expr:
    return ast.List([_nested(x) for x in items], ast.Load()) if isinstance(items, list) else number(items)


def scalar_as(value: Any, kind: DType) -> Any:
    """The Python number that an array filled with `value` holds, written as shortly as it can be."""
    with np.errstate(all="ignore"):
        held = np.array(value, kind.numpy)
        if kind.kind != "float":
            return held.item()
        candidates = [value, float(str(held)), float(held)]
        return next(
            (x for x in candidates if isinstance(x, (int, float)) and _same(np.array(x, kind.numpy), held)), value
        )


def _same(a: Array, b: Array) -> bool:
    return a.tobytes() == b.tobytes()
