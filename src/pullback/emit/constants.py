"""Arrays that are part of a program: small ones are written out, larger ones packed."""

import ast
import base64
import textwrap
import zlib
from dataclasses import dataclass, field

import numpy as np

from pullback.base.dtypes import Array, as_dtype
from pullback.emit.literals import array, dtype, expression
from pullback.emit.names import Names

_WRITTEN_OUT = 16  # elements


@dataclass
class Constants:
    """The packed arrays of a module, by name. Names of constants are written in capitals."""

    names: Names
    packed: dict[str, str] = field(default_factory=dict)
    known: dict[bytes, str] = field(default_factory=dict)

    def expression(self, values: Array, title: str) -> ast.expr:
        """The array, written out or by the name of what was packed; it lies in memory as it did."""
        order = sorted(range(values.ndim), key=lambda axis: -abs(values.strides[axis]))
        dense = values.transpose(order)
        back = tuple(int(axis) for axis in np.argsort(order))
        found = self._in_rows(dense, title)
        if back == tuple(range(values.ndim)):
            return found
        return ast.Call(ast.Attribute(found, "transpose", ast.Load()), [ast.Constant(a) for a in back], [])

    def _in_rows(self, values: Array, title: str) -> ast.expr:
        if values.size <= _WRITTEN_OUT:
            written = array(values)
            if _evaluated(written).tobytes() == values.tobytes():  # a NaN may hold more than its name says
                return written
        text = ast.unparse(
            expression(f"unpack({_pack(values)!r}, {ast.unparse(dtype(as_dtype(values.dtype)))}, {values.shape})")
        )
        key = text.encode()
        if key not in self.known:
            self.known[key] = self.names.fresh(title.upper())
            self.packed[self.known[key]] = _definition(self.known[key], values)
        return ast.Name(self.known[key], ast.Load())


def _evaluated(written: ast.expr) -> Array:
    code = compile(ast.fix_missing_locations(ast.Expression(written)), "constant", "eval")
    found: Array = eval(code, {"np": np, "bfloat16": as_dtype("bfloat16").numpy.type})
    return found


def _pack(values: Array) -> str:
    return base64.b85encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode()


def _definition(name: str, values: Array) -> str:
    lines = textwrap.wrap(_pack(values), 100)
    kind = ast.unparse(dtype(as_dtype(values.dtype)))
    rows = "\n".join(f"    {line!r}" for line in lines)
    return f"{name} = unpack(  # {values.shape}\n{rows},\n    {kind}, {values.shape},\n)"


UNPACK = '''def unpack(text, dtype, shape):
    """An array that was packed into text."""
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), dtype).reshape(shape)'''
