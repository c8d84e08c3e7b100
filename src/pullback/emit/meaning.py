"""From the NumPy meaning of an op to what stands in emitted code: one expression, or a function to call."""

import ast
import copy
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pullback.emit.literals import literal
from pullback.ir.node import Op
from pullback.ir.types import Type

PROGRAMS = ("call", "scan")  # ops that run a program, which becomes a function
_TYPE_ATTRIBUTES = ("dtype", "shape", "ndim", "size")


class Helper(NamedTuple):
    """A function that emitted code needs: the meaning of an op that is more than one expression."""

    name: str
    text: str


@functools.cache
def _definition(function: Callable[..., Any]) -> tuple[ast.FunctionDef, str]:
    """A function's definition, parsed, and its source without decorators."""
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef)
    return definition, "\n".join(source.splitlines()[definition.lineno - 1 :])


class _Fill(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, found: dict[str, ast.expr]) -> None:
        self.found = found

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self.found[node.id]) if node.id in self.found else node


def fill(expression: ast.expr, found: dict[str, ast.expr]) -> ast.expr:
    """The expression with others in the place of some of its names."""
    filled: ast.expr = _Fill(found).visit(copy.deepcopy(expression))
    return filled


def _chosen(body: Sequence[ast.stmt], known: dict[str, Any]) -> list[ast.stmt]:
    """The statements that run for these params and types: docstring dropped, branches on them taken."""
    statements = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    while statements and isinstance(statements[0], ast.If) and _is_known(statements[0].test, known):
        test = ast.Expression(statements[0].test)
        holds = eval(compile(test, "meaning", "eval"), {}, known)
        statements = [*(statements[0].body if holds else statements[0].orelse), *statements[1:]]
        statements = statements[:1] if isinstance(statements[0], ast.Return) else statements
    return statements


def _is_known(test: ast.expr, known: dict[str, Any]) -> bool:
    """Whether a test asks for no more than params, and dtypes and shapes of inputs."""
    asked = {id(n.value) for n in ast.walk(test) if isinstance(n, ast.Attribute) and n.attr in _TYPE_ATTRIBUTES}
    names = [n for n in ast.walk(test) if isinstance(n, ast.Name)]
    return all(n.id in known and (id(n) in asked or not isinstance(known[n.id], np.ndarray)) for n in names)


def operand_names(op: Op, count: int) -> list[str]:
    """The meaning's own names for its inputs; numbered ones when it takes any number."""
    arguments = _definition(op.meaning)[0].args
    return (
        [f"{arguments.vararg.arg}_{i}" for i in range(count)] if arguments.vararg else [a.arg for a in arguments.args]
    )


def as_expression(op: Op, types: Sequence[Type], params: dict[str, Any]) -> ast.expr | None:
    """The meaning for these types and params as an expression in `operand_names`; None when it is more than one."""
    definition, _ = _definition(op.meaning)
    names = operand_names(op, len(types))
    inputs = {name: np.broadcast_to(np.empty((), t.dtype.numpy), t.shape) for name, t in zip(names, types, strict=True)}
    statements = _chosen(definition.body, {**inputs, **params})
    if len(statements) != 1 or not isinstance(statements[0], ast.Return) or statements[0].value is None:
        return None
    found = {name: literal(value) for name, value in params.items()}
    if definition.args.vararg:
        found[definition.args.vararg.arg] = ast.Tuple([ast.Name(name, ast.Load()) for name in names], ast.Load())
    return fill(statements[0].value, found)


def is_expression(op: Op) -> bool:
    """Whether the meaning is a single expression whatever the params."""
    statements = _chosen(_definition(op.meaning)[0].body, {})
    return len(statements) == 1 and isinstance(statements[0], ast.Return)


def as_helper(op: Op) -> Helper:
    """The meaning as a function of its own, without annotations."""
    return function_helper(op.meaning, op.name, op.doc)


def function_helper(function: Callable[..., Any], name: str, doc: str) -> Helper:
    """A function as text, without annotations."""
    definition, text = _definition(function)
    bare = copy.deepcopy(definition.args)
    for argument in (*bare.args, *bare.kwonlyargs, *([bare.vararg] if bare.vararg else [])):
        argument.annotation = None
    body = text.split("\n", definition.body[1].lineno - definition.lineno)[-1]
    doc = textwrap.indent(f'"""{doc}\n"""' if "\n" in doc else f'"""{doc}"""', "    ")
    code = re.sub(r"  # (fmt|noqa|type): .*", "", body)
    return Helper(name, f"def {name}({ast.unparse(bare)}):\n{doc}\n{code}")


def as_call(op: Op, count: int, params: dict[str, Any]) -> ast.expr:
    """A call of the helper, in `operand_names`."""
    inputs: list[ast.expr] = [ast.Name(name, ast.Load()) for name in operand_names(op, count)]
    keywords = [ast.keyword(name, literal(value)) for name, value in params.items()]
    return ast.Call(ast.Name(op.name, ast.Load()), inputs, keywords)
