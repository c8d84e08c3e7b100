"""A program as a table: what each node computes, what it costs, and where it comes from."""

from typing import Any

from pullback.base.errors import ArgumentError
from pullback.emit.compiled import CompiledFunction, latest_call
from pullback.ir.node import Node, Value
from pullback.ir.program import Program

_HEAD = ("value", "op", "inputs", "type", "flops", "bytes", "phase", "origin")
_NUMBERS = ("flops", "bytes")


def table(step: Any) -> str:
    """A program as a table in plain text, one row per node.

    step: a function compiled with `pb.compile` that has been called at least once, or a Program.

    The columns are the value, the op, its inputs, the type of what it gives, floating-point operations and bytes read
    and written by one run, the phase, and the module and line that the node comes from. The last row is the sum.

    Raises ArgumentError for what is neither, TraceError for a compiled function that has not been called.

    >>> import pullback as pb
    >>> double = pb.compile(lambda x: 2 * x)
    >>> _ = double(pb.ones(3))
    >>> print("\\n".join(line[:45] for line in table(double).splitlines()))
    value  op    inputs  type        flops  bytes
    %1     full          float32[3]      0     12
    %2     mul   %1 %0   float32[3]      3     36
    sum                                  3     48
    """
    if isinstance(step, CompiledFunction):
        step = latest_call(step).program
    if not isinstance(step, Program):
        raise ArgumentError(f"table() takes a compiled function or a Program; got {type(step).__name__}")
    rows = [_HEAD, *_rows(step)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return "\n".join(_line(row, widths) for row in rows)


def _rows(program: Program) -> list[tuple[str, ...]]:
    names: dict[Value | None, str] = {None: "_"} | {x: f"%{i}" for i, x in enumerate(program.inputs)}
    rows: list[tuple[str, ...]] = []
    flops = moved = 0
    for node in program.nodes:
        for value in node.outputs:
            names.setdefault(value, f"%{len(names) - 1}")
        costs = _costs(node)
        flops, moved = flops + costs[0], moved + costs[1]
        rows.append(_row(node, names, costs))
    return [*rows, ("sum", "", "", "", f"{flops:,}", f"{moved:,}", "", "")]


def _costs(node: Node) -> tuple[int, int]:
    types = [x.type for x in node.inputs]
    return node.op.count_flops(types, node.params), node.op.count_bytes(types, node.params)


def _row(node: Node, names: dict[Value | None, str], costs: tuple[int, int]) -> tuple[str, ...]:
    return (
        " ".join(names[y] for y in node.outputs),
        node.op.name,
        " ".join(names[x] for x in node.inputs),
        " ".join(map(str, node.types)),
        *(f"{cost:,}" for cost in costs),
        node.origin.phase,
        f"{node.origin} {node.origin.detail}".strip(),
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if head in _NUMBERS else cell.ljust(width)
        for cell, width, head in zip(row, widths, _HEAD, strict=True)
    ]
    return "  ".join(cells).rstrip()
