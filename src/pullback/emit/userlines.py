"""The user's source: which statement an instruction belongs to, and what the user calls its result."""

import ast
import functools
import linecache
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

Span = tuple[int, int, int, int]  # first line, last line, first column, last column; columns in UTF-8 bytes
Place = tuple[CodeType, int]

# Methods whose names say what dtype a value has rather than what it is.
_CONVERSIONS = ("to", "float", "double", "half", "bfloat16", "long", "int", "bool", "type")
NOWHERE: Span = (0, 0, 0, 0)
_OPERATORS = {
    ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "over", ast.MatMult: "at", ast.Pow: "to_the",
}  # fmt: skip


class Line(NamedTuple):
    """One statement of the user's: its text (of a compound one the head alone), and where it stands."""

    text: tuple[str, ...]
    file: str
    number: int

    @property
    def place(self) -> str:
        """The file's name and the line's number."""
        return f"{Path(self.file).name}:{self.number}"


@functools.cache
def _spans(code: CodeType) -> tuple[Span, ...]:
    return tuple((a or 0, b or 0, c or 0, d or 0) for a, b, c, d in code.co_positions())


def span_of(place: Place) -> Span:
    """Where the expression that an instruction computes stands in its file; NOWHERE when unknown."""
    code, instruction = place
    spans = _spans(code)
    return spans[instruction // 2] if 0 <= instruction // 2 < len(spans) else NOWHERE


class File(NamedTuple):
    """A parsed source file: its lines, every statement, and every expression by its span."""

    lines: list[str]
    statements: list[ast.stmt]
    expressions: dict[Span, ast.expr]


@functools.lru_cache(maxsize=64)
def _parse(name: str, text: str) -> File:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # no Python, such as a template that was compiled under this name
        return File([], [], {})
    nodes = list(ast.walk(tree))
    expressions: dict[Span, ast.expr] = {}
    for node in nodes:
        if isinstance(node, ast.expr):
            for span in _spans_of(node):
                expressions.setdefault(span, node)
    return File(text.splitlines(), [n for n in nodes if isinstance(n, ast.stmt)], expressions)


def _file(name: str) -> File:
    return _parse(name, "".join(linecache.getlines(name)))


def _span(node: ast.stmt | ast.expr) -> Span:
    return node.lineno, node.end_lineno or node.lineno, node.col_offset, node.end_col_offset or 0


def _spans_of(node: ast.expr) -> tuple[Span, ...]:
    """The spans by which instructions may know an expression: for a method call over several lines, from its name."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return (_span(node),)
    line, column = node.func.end_lineno or node.lineno, node.func.end_col_offset or 0
    return _span(node), (line, node.end_lineno or line, column - len(node.func.attr.encode()), node.end_col_offset or 0)


def _contains(statement: ast.stmt, span: Span) -> bool:
    first, last, left, right = _span(statement)
    return (first, left) <= (span[0], span[2]) and (span[1], span[3]) <= (last, right)


@functools.lru_cache(maxsize=4096)
def _statement(place: Place) -> ast.stmt | None:
    """The innermost statement around an instruction."""
    span = span_of(place)
    around = [s for s in _file(place[0].co_filename).statements if span is not NOWHERE and _contains(s, span)]
    return max(around, key=lambda s: (s.lineno, s.col_offset), default=None)


def line_of(place: Place) -> Line | None:
    """The user's statement that an instruction belongs to; None where there is no source."""
    statement = _statement(place)
    if statement is None:
        return None
    name = place[0].co_filename
    body = getattr(statement, "body", None)
    inner = [s for s in body if isinstance(s, ast.stmt)] if isinstance(body, list) else []
    last = inner[0].lineno - 1 if inner else statement.end_lineno or statement.lineno
    rows = _file(name).lines[statement.lineno - 1 : max(last, statement.lineno)]
    indent = min((len(row) - len(row.lstrip()) for row in rows if row.strip()), default=0)
    return Line(tuple(row[indent:].rstrip() for row in rows), name, statement.lineno)


def target_of(place: Place) -> str:
    """The name that a line gives to the result of an instruction; an empty string when it is only a part."""
    statement = _statement(place)
    if statement is None:
        return ""
    span = span_of(place)
    if isinstance(statement, ast.AugAssign):
        return _bare_name(statement.target) if span == _span(statement) else ""
    pairs = [*_assignments(statement), *_walruses(statement)]
    return next((_bare_name(target) for target, value in pairs if span in _spans_of(value)), "")


def _assignments(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield statement.target, statement.value
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield target, statement.value
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                yield from zip(target.elts, statement.value.elts, strict=False)


def _walruses(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    return ((n.target, n.value) for n in ast.walk(statement) if isinstance(n, ast.NamedExpr))


def _bare_name(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _side_name(operand: ast.expr) -> str:
    if isinstance(operand, ast.Attribute) and operand.attr == "T":
        return f"{name}_T" if (name := _bare_name(operand.value)) else ""
    return _bare_name(operand)


def description_of(place: Place) -> str:
    """A name for the result of an instruction from how the user wrote it: `relu`, `prediction_minus_y`."""
    node = _file(place[0].co_filename).expressions.get(span_of(place))
    if isinstance(node, ast.Call):
        name = _bare_name(node.func)
        return "" if name in _CONVERSIONS else name
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        sides = [_side_name(node.left), _side_name(node.right)]
        return f"_{_OPERATORS[type(node.op)]}_".join(sides) if all(sides) and sum(map(len, sides)) < 20 else ""
    return ""
