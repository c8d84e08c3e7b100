"""Where each node stands in emitted code: the section, and the user's line or the parameter that heads its block."""

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from pullback.emit.titles import module_path
from pullback.emit.userlines import Line, line_of
from pullback.ir.node import Node, Value
from pullback.ir.origin import Origin
from pullback.ir.program import Program

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"


class Heading(NamedTuple):
    """What stands above a block: its section, the user's line, and the parameter in an update.

    differentiated: the block is the gradient of the line rather than the line itself.
    part: the module, where one line runs several that have numbers for names, as in a Sequential.
    """

    section: str
    line: Line | None
    detail: str = ""
    differentiated: bool = False
    part: str = ""


def headings(program: Program, kept: Container[Value], parameters: Mapping[str, str]) -> dict[Node, Heading]:
    """The heading of each node.

    `kept` are the values that are written to state; `parameters` gives the names of parameters that an optimiser
    knows by another.
    """
    sections = _sections(program, kept)
    return {node: _heading(sections[node], node.origin, parameters) for node in program.nodes}


def _sections(program: Program, kept: Container[Value]) -> dict[Node, str]:
    """Forward, backward or update. What the user writes with gradients in hand is an update."""
    found: dict[Node, str] = {}
    tainted: set[Value] = set()
    for node in program.nodes:
        found[node] = node.origin.phase
        late = node.origin.phase != FORWARD or not tainted.isdisjoint(node.inputs)
        if late:
            tainted.update(v for v in node.outputs if v is not None)
            found[node] = UPDATE if node.origin.phase == FORWARD else node.origin.phase
    _move_to_users(program, found, kept)
    return found


def _move_to_users(program: Program, found: dict[Node, str], kept: Container[Value]) -> None:
    """Constants and numbers, such as the learning rate in the right dtype, belong where they are used.

    So does what is computed for updates alone once there are gradients, such as a weight's decay. What is made of
    gradients and then differentiated, or used by what is, stands forward.
    """
    outputs = set(program.outputs)
    differentiated = {id(node.origin.of.origin) for node in program.nodes if node.origin.of is not None}
    fixed = _fixed(program)
    first = next((i for i, node in enumerate(program.nodes) if found[node] == BACKWARD), len(program.nodes))
    late = set(program.nodes[first:])
    users: dict[Value, list[Node]] = {}
    for node in reversed(program.nodes):
        for x in node.inputs:
            users.setdefault(x, []).append(node)
        using = [user for y in node.outputs if y is not None for user in users.get(y, ())]
        sections = {found[user] for user in using}
        if node.origin.phase != FORWARD:
            continue
        ends = not outputs.isdisjoint(node.outputs)
        if id(node.origin) in differentiated or (node in late and sections & {FORWARD, BACKWARD}):
            found[node] = FORWARD
        elif sections == {UPDATE} and (node in late or (node in fixed and not ends)):
            found[node] = UPDATE
        elif not sections and node in late:
            found[node] = UPDATE if any(y in kept for y in node.outputs) else FORWARD
        elif node in fixed and sections and FORWARD not in sections and not ends:
            found[node] = BACKWARD


def _fixed(program: Program) -> set[Node]:
    """The nodes that depend on no more than single numbers among the inputs."""
    known = {x for x in program.inputs if not x.shape}
    found: set[Node] = set()
    for node in program.nodes:
        if known.issuperset(node.inputs):
            found.add(node)
            known.update(v for v in node.outputs if v is not None)
    return found


def _heading(section: str, origin: Origin, parameters: Mapping[str, str]) -> Heading:
    """For a gradient the line is the one that it is the gradient of."""
    differentiated = origin.of is not None
    detail = parameters.get(origin.detail, origin.detail)
    while origin.of is not None:
        origin = origin.of.origin
    line = line_of((origin.code, origin.instruction)) if origin.code is not None else None
    return Heading(section, line, detail, differentiated, _part(origin.modules))


def _part(modules: tuple[Any, ...]) -> str:
    path = module_path(modules)
    return f"{path}: {type(modules[-1]).__name__}" if path.rpartition(".")[2].isdigit() else ""
