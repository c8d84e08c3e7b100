"""How emitted code is set on the page: headings, shapes and formulas in comments, long lines broken."""

import ast
from collections.abc import Iterable, Iterator, Sequence

from pullback.emit.body import Block, Statement
from pullback.emit.placement import UPDATE, Heading
from pullback.emit.userlines import Line

INDENT = "    "
_PAGE = 110  # columns of a line of code
_NOTES = 64  # the column behind which notes stand one under the other
_RULE = 100
_LONGEST = 4  # lines of the user's statement that are shown


def rule(title: str) -> str:
    """A comment that opens a section."""
    return f"# ── {title} ".ljust(_RULE, "─")


def page(blocks: Sequence[Block]) -> Iterator[str]:
    """The lines of the blocks, each section under its rule and each block under its heading."""
    several = len({block.heading.section for block in blocks if block.heading is not None}) > 1
    before = Heading("", None)
    for block in blocks:
        heading = block.heading
        if heading is None:
            yield ""
        elif heading._replace(part="") != before._replace(part=""):
            opens = several and heading.section != before.section
            yield from ("", rule(heading.section)) if opens else ()
            yield from ("", *_heading(heading))
        elif not (heading.part and before.part):  # one part follows the other without a gap
            yield ""
        if heading is not None and heading.part:
            yield f"# {heading.part}"
        yield from statements(block.statements)
        before = heading or before


def _heading(heading: Heading) -> Iterator[str]:
    if heading.detail and heading.section == UPDATE:
        place = f"{heading.line.text[0]}   {heading.line.place}" if heading.line else ""
        yield _spread(f"# {heading.detail}", place)
    elif heading.line is not None:
        yield from _quotation(heading.line, "backward of: " if heading.differentiated else "")


def _quotation(line: Line, prefix: str) -> Iterator[str]:
    """The user's statement as a comment, with its place at the end of the first line."""
    first, *rest = line.text
    yield _spread(f"# {prefix}{first}", line.place)
    shown = rest if len(rest) < _LONGEST else [*rest[: _LONGEST - 2], "..."]
    yield from (f"# {' ' * len(prefix)}{row}".rstrip() for row in shown)


def _spread(left: str, right: str) -> str:
    return f"{left}{right.rjust(max(_RULE - len(left), len(right) + 3))}" if right else left


def statements(lines: Sequence[Statement]) -> Iterator[str]:
    """The statements of a block, their shapes one under the other, formulas beside them or, where long, above."""
    column = max((len(line.code) for line in lines if len(line.code) <= _NOTES), default=0)
    for line in lines:
        *above, last = broken(line.code)
        noted = f"{last.ljust(column)}  # {line.shape}" if line.shape else last
        beside = f"{noted}   {line.formulas[0]}" if len(line.formulas) == 1 else ""
        if not beside or len(beside) > _PAGE:
            yield from (f"# {formula}" for formula in line.formulas)
        yield from above
        yield beside if beside and len(beside) <= _PAGE else noted


def broken(code: str) -> list[str]:
    """A statement that is too long for the page, with each argument of its outermost call in a line of its own."""
    if len(code) <= _PAGE:
        return [code]
    (statement,) = ast.parse(code).body
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.Call) or not (value.args or value.keywords):
        return [code]
    parts = [*map(ast.unparse, value.args), *map(ast.unparse, value.keywords)]
    head = code[: code.index(ast.unparse(value.func), code.index("= ") if "= " in code else 0)]
    return [f"{head}{ast.unparse(value.func)}(", *_packed(parts), ")"]


def _packed(parts: Iterable[str]) -> Iterator[str]:
    """As many parts in each line as it holds."""
    line = INDENT
    for part in parts:
        if len(line) + len(part) > _PAGE - len(INDENT) and line.strip():
            yield line.rstrip()
            line = INDENT
        line += f"{part}, "
    yield line.rstrip()


def indented(lines: Iterable[str]) -> list[str]:
    """The lines one level in."""
    return [f"{INDENT}{line}" if line else "" for line in lines]
