"""NumPy expressions written the way people write them. Each rule keeps every bit and the layout in memory."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pullback.base.dtypes import DType
from pullback.emit.literals import expression
from pullback.ir.types import Type

Types = Mapping[str, Type]  # of the operands, by the names that the meaning gives them
Rule = Callable[[list[ast.expr], dict[str, ast.expr], Types], ast.expr | None]

_INFIX: dict[str, ast.operator] = {
    "np.add": ast.Add(), "np.subtract": ast.Sub(), "np.multiply": ast.Mult(), "np.divide": ast.Div(),
    "np.matmul": ast.MatMult(), "np.bitwise_and": ast.BitAnd(), "np.bitwise_or": ast.BitOr(),
    "np.bitwise_xor": ast.BitXor(), "np.left_shift": ast.LShift(), "np.right_shift": ast.RShift(),
}  # fmt: skip
_COMPARE: dict[str, ast.cmpop] = {
    "np.equal": ast.Eq(), "np.not_equal": ast.NotEq(), "np.less": ast.Lt(), "np.less_equal": ast.LtE(),
}  # fmt: skip
_PREFIX: dict[str, ast.unaryop] = {"np.negative": ast.USub(), "np.invert": ast.Invert()}


def rewrite(node: ast.expr, types: Types) -> ast.expr:
    """The expression in its familiar form."""
    found: ast.expr = _Rewriter(types).visit(node)
    return found


class _Rewriter(ast.NodeTransformer):
    def __init__(self, types: Types) -> None:
        self.types = types

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = ast.unparse(node.func)
        if name in _INFIX:
            return ast.BinOp(node.args[0], _INFIX[name], node.args[1])
        if name in _COMPARE:
            return ast.Compare(node.args[0], [_COMPARE[name]], [node.args[1]])
        if name in _PREFIX:
            return ast.UnaryOp(_PREFIX[name], node.args[0])
        keywords = {k.arg: k.value for k in node.keywords if k.arg}
        return (_RULES[name](node.args, keywords, self.types) if name in _RULES else None) or node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """`x[tuple(map(slice, start, stop, step))]` is `x[:, 0:5]`."""
        key = node.slice
        shape = _type_of(node.value, self.types)
        if shape is not None and isinstance(key, ast.Call) and ast.unparse(key).startswith("tuple(map(slice, "):
            assert isinstance(key.args[0], ast.Call)
            bounds = [ast.literal_eval(part) for part in key.args[0].args[1:]]
            return ast.Subscript(node.value, _slices(bounds, shape.shape), ast.Load())
        return node


def _slices(bounds: Sequence[Any], shape: Sequence[int]) -> ast.expr:
    parts = [_slice(a, b, s, n) for a, b, s, n in zip(*bounds, shape, strict=True)]
    while len(parts) > 1 and ast.unparse(parts[-1]) == ":":
        parts.pop()
    return parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load())


def _slice(start: int, stop: int, step: int, size: int) -> ast.expr:
    return ast.Slice(
        ast.Constant(start) if start else None,
        ast.Constant(stop) if stop != size else None,
        ast.Constant(step) if step != 1 else None,
    )


def _type_of(node: ast.expr, types: Types) -> Type | None:
    return types.get(node.id) if isinstance(node, ast.Name) else None


def _method(name: str, receiver: ast.expr, args: list[ast.expr], keywords: dict[str, ast.expr]) -> ast.expr:
    return ast.Call(ast.Attribute(receiver, name, ast.Load()), args, [ast.keyword(k, v) for k, v in keywords.items()])


def _reduction(name: str) -> Rule:
    """`np.sum(x, axis=(0,), keepdims=False)` is `x.sum(axis=0)`."""

    def rule(args: list[ast.expr], keywords: dict[str, ast.expr], types: Types) -> ast.expr | None:
        found = _type_of(args[0], types)
        if found is None:
            return None
        axis, kept = ast.literal_eval(keywords["axis"]), ast.literal_eval(keywords["keepdims"])
        shown: dict[str, ast.expr] = {}
        if not (isinstance(axis, tuple) and axis and len(axis) == found.rank):
            shown["axis"] = expression(repr(axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis))
        if kept:
            shown["keepdims"] = ast.Constant(True)
        return _method(name, args[0], [], shown)

    return rule


def _transpose(args: list[ast.expr], keywords: dict[str, ast.expr], types: Types) -> ast.expr | None:
    axes = ast.literal_eval(args[1])
    if axes == tuple(reversed(range(len(axes)))):
        return ast.Attribute(args[0], "T", ast.Load())
    return _method("transpose", args[0], [ast.Constant(a) for a in axes], {})


def _reshape(args: list[ast.expr], keywords: dict[str, ast.expr], types: Types) -> ast.expr | None:
    shape = ast.literal_eval(args[1])
    return _method("reshape", args[0], [ast.Constant(n) for n in shape] or [ast.Tuple([], ast.Load())], {})


def _reciprocal(args: list[ast.expr], keywords: dict[str, ast.expr], types: Types) -> ast.expr | None:
    """A division by a NumPy float is rounded once, as the reciprocal is."""
    exact = all(t.dtype.name in ("float16", "float32", "float64") for t in types.values())
    return ast.BinOp(ast.Constant(1), ast.Div(), args[0]) if exact else None


_RULES: dict[str, Rule] = {
    "np.sum": _reduction("sum"),
    "np.max": _reduction("max"),
    "np.min": _reduction("min"),
    "np.argmax": _reduction("argmax"),
    "np.argmin": _reduction("argmin"),
    "np.transpose": _transpose,
    "np.reshape": _reshape,
    "np.reciprocal": _reciprocal,
}


def tidied(node: ast.expr) -> ast.expr:
    """What came together once operands were put in: `0 < x` as `x > 0`, `x.T.T` as `x`."""
    if isinstance(node, ast.BinOp):
        node.left, node.right = _untransposed(node.left), _untransposed(node.right)
    node = _untransposed(node)
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant) and type(node.ops[0]) in _FLIPPED:
        return ast.Compare(node.comparators[0], [_FLIPPED[type(node.ops[0])]], [node.left])
    return node


def _untransposed(node: ast.expr) -> ast.expr:
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.attr == node.value.attr == "T"
    ):
        return node.value.value
    return node


_FLIPPED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.Gt(),
    ast.LtE: ast.GtE(),
    ast.Eq: ast.Eq(),
    ast.NotEq: ast.NotEq(),
}


def converted(operand: ast.expr, source: DType, target: DType) -> ast.expr | None:
    """A number without dimensions in another float dtype: `np.float32(lr)`."""
    if source.kind == "float" and target.name in ("float16", "float32", "float64"):
        return ast.Call(expression(f"np.{target.name}"), [operand], [])
    return None
