"""From a node and how its inputs are written to the expression that computes it."""

import ast
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pullback.base.dtypes import DType
from pullback.base.shapes import Shape, size_of
from pullback.emit.layout import may_broadcast
from pullback.emit.literals import array, expression, number, scalar_as
from pullback.emit.literals import dtype as dtype_expression
from pullback.emit.meaning import Helper, as_call, as_expression, as_helper, fill, operand_names
from pullback.emit.rewrites import converted, rewrite, tidied
from pullback.ir.node import Node, Value


class Form(NamedTuple):
    """How a value is written where it is used: by its name, or as the expression itself.

    is_temporary: the expression computes something rather than naming it.
    formulas: those of the gradients inside the expression, which go to the line that it ends up in.
    """

    expression: ast.expr
    is_temporary: bool = False
    formulas: tuple[str, ...] = ()


@dataclass
class Expressions:
    """How the values of one program are written, as far as it has been gone through.

    in_order: the values that lie row by row (see `layout`).
    helpers: the functions that the expressions call.
    """

    in_order: set[Value]
    helpers: dict[str, Helper] = field(default_factory=dict)
    forms: dict[Value, Form] = field(default_factory=dict)
    numbers: dict[Value, Any] = field(default_factory=dict)  # values that are one number everywhere
    sources: dict[Value, Value] = field(default_factory=dict)  # what broadcast values are made from

    def number(self, value: Value, found: Any) -> None:
        """The value is this number in every place."""
        self.numbers[value] = scalar_as(found, value.dtype)
        self.forms[value] = Form(filled(self.numbers[value], value.shape, value.dtype))

    def known(self, node: Node) -> None:
        """The node's output is computed now and written out."""
        inputs = [np.broadcast_to(np.array(self.numbers[x], x.dtype.numpy), x.shape) for x in node.inputs]
        (result,) = node.op.run(inputs, node.params)
        self.forms[node.output] = Form(array(np.ascontiguousarray(result) if result.ndim else result))

    def repeat(self, value: Value, source: Value) -> None:
        """The value is another one, repeated where its shape is larger."""
        if source in self.numbers:
            self.number(value, self.numbers[source])
        else:
            self.sources[value] = self.source(source)

    def source(self, value: Value) -> Value:
        """The value that this one repeats; itself when it is none of those."""
        return self.sources.get(value, value)

    def form(self, value: Value) -> Form:
        """How the value is written where an array of its full shape is needed."""
        found = self.forms[self.source(value)]
        if self.source(value).shape == value.shape:
            return found
        return found._replace(expression=repeated(found.expression, value.shape))

    def operands(self, node: Node) -> list[Form]:
        """How the inputs are written in this node: numbers and repeated values in their short form where possible."""
        full = [(self.form(x), x.shape) for x in node.inputs]
        if may_broadcast(node, self.in_order) and self._as_expression(node) is not None:
            short = [self._short(x) for x in node.inputs]
            places = sorted(range(len(short)), key=lambda i: node.inputs[i] in self.numbers)
            for kept in ([], *([place] for place in places)):  # all short, or all but one
                mixed = [full[i] if i in kept else operand for i, operand in enumerate(short)]
                if self._is_whole(node, mixed, kept):
                    return [form for form, _ in mixed]
        return [form for form, _ in full]

    def _is_whole(self, node: Node, operands: list[tuple[Form, Shape]], kept: list[int]) -> bool:
        """Whether these operands give the result its shape and its dtype."""
        typed = [i for i in range(len(operands) - 2, len(operands)) if i in kept or node.inputs[i] not in self.numbers]
        return bool(typed) and np.broadcast_shapes(*[shape for _, shape in operands]) == node.types[0].shape

    def _short(self, x: Value) -> tuple[Form, Shape]:
        if x in self.numbers:
            return Form(scalar(self.numbers[x], x.dtype)), ()
        return self.forms[self.source(x)], self.source(x).shape

    def compute(self, node: Node, operands: list[Form]) -> ast.expr:
        """The expression for the node's output."""
        written = [form.expression for form in operands]
        if node.op.name == "cast" and not node.types[0].shape:
            short = converted(written[0], node.inputs[0].dtype, node.params["dtype"])
            if short is not None:
                return short
        names = operand_names(node.op, len(written))
        return tidied(fill(self._template(node, names), dict(zip(names, written, strict=True))))

    def _template(self, node: Node, names: list[str]) -> ast.expr:
        found = self._as_expression(node)
        if found is None:
            self.helpers.setdefault(node.op.name, as_helper(node.op))
            return as_call(node.op, len(names), node.params)
        return rewrite(found, dict(zip(names, [x.type for x in node.inputs], strict=True)))

    def _as_expression(self, node: Node) -> ast.expr | None:
        return as_expression(node.op, [x.type for x in node.inputs], node.params)


def repeated(operand: ast.expr, shape: Shape) -> ast.expr:
    """An array repeated to a shape."""
    if size_of(shape) == 1:
        sizes: list[ast.expr] = [ast.Constant(n) for n in shape] or [ast.Tuple([], ast.Load())]
        return ast.Call(ast.Attribute(operand, "reshape", ast.Load()), sizes, [])
    return ast.Call(expression("np.broadcast_to"), [operand, shape_tuple(shape)], [])


def shape_tuple(shape: Shape) -> ast.expr:
    """A shape as an expression."""
    return ast.Tuple([ast.Constant(n) for n in shape], ast.Load())


def scalar(value: Any, kind: DType) -> ast.expr:
    """A number beside an array of this dtype, which it takes over by itself; bfloat16 alone must be told."""
    written = number(value)
    return ast.Call(dtype_expression(kind), [written], []) if kind.name == "bfloat16" else written


def filled(value: Any, shape: Shape, kind: DType) -> ast.expr:
    """An array with one number in every place, as the interpreter makes it: a view of a single element."""
    typed = ast.Call(dtype_expression(kind), [number(value)], [])
    untyped = ast.Call(expression("np.array"), [number(value), dtype_expression(kind)], [])
    single = typed if kind.is_floating_point else untyped
    return repeated(single, shape) if shape else single


def stored(value: Any, shape: Shape, kind: DType) -> ast.expr:
    """The same as an array of its own."""
    if not shape:
        return filled(value, shape, kind)
    if value == 0 and math.copysign(1.0, value) > 0:
        return ast.Call(expression("np.zeros"), [shape_tuple(shape), dtype_expression(kind)], [])
    return ast.Call(expression("np.full"), [shape_tuple(shape), number(value), dtype_expression(kind)], [])
