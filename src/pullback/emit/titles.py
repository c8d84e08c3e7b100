"""What each value of a program is called, before names are made unique: by its user, its module, its op."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pullback.emit.meaning import PROGRAMS
from pullback.emit.userlines import Place, description_of, target_of
from pullback.ir.node import Node, Value
from pullback.ir.origin import Origin, is_users
from pullback.ir.program import Program

# What the result of an op is called when nobody has named it.
_NOUNS = {
    "add": "total", "sub": "difference", "mul": "product", "div": "ratio", "matmul": "product", "sum": "total",
    "amax": "largest", "amin": "smallest", "eq": "mask", "ne": "mask", "lt": "mask", "le": "mask",
    "where": "selected", "neg": "negative", "pow": "power", "full": "filled",
}  # fmt: skip
_MOVES = ("broadcast", "reshape", "permute", "cast", "pad")


class Title(NamedTuple):
    """A name for a value, and how good it is: 2 from the user, 1 from inside Pullback, 0 from the op alone."""

    text: str
    rank: int

    @property
    def is_telling(self) -> bool:
        """Whether the name says enough to give the value a line of its own."""
        return self.rank > 0


@dataclass
class Titles:
    """The titles of a program's values. `results` are the outputs that the user's function returned.

    numbered: names for modules that have a number alone.
    """

    program: Program
    results: Sequence[Value]
    given: dict[Value, Title] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shown = _shown_gradients(self.program)
        self._partial = _partial_gradients(self.program)
        self.numbered = numbered_modules(self.program)
        for node, after in successors(self.program, self.results):
            title = _title(node, after)
            for place, value in enumerate(node.outputs):
                if value is not None:
                    self.given.setdefault(value, title if not place else Title(f"{title.text}_{place}", title.rank))

    def call(self, names: dict[Value, str]) -> None:
        """Values have got these names, and their gradients are named after them."""
        for value, name in names.items():
            self.given[value] = Title(name, 2 if value.node is None else self.of(value).rank)

    def of(self, value: Value) -> Title:
        """The title of a value; for a gradient `d_` and the title of the value that it belongs to."""
        if value in self.given and self.given[value].is_telling:
            return self.given[value]
        if value.gradient_of or value in self._shown:
            return self._gradient(self._shown.get(value, value))
        if value in self.given:
            return self._shown_in_another_way(value) or self.given[value]
        return Title(value.name or "input", 2)

    def _shown_in_another_way(self, value: Value) -> Title | None:
        """`h_T`, `h_float32` or `h_5x1` for what is h transposed, in another dtype or shape."""
        node = value.node
        if node is None or node.op.name not in ("permute", "cast", "reshape", "slice"):
            return None
        inner = self.of(node.inputs[0])
        if node.op.name != "permute" and node.inputs[0].type == value.type:
            return inner
        if not inner.rank or node.op.name == "slice":
            return None
        shape = "x".join(map(str, value.shape)) or "0d"
        suffix = {"permute": "T", "cast": value.dtype.name, "reshape": shape}[node.op.name]
        return Title(f"{inner.text}_{suffix}", 0)

    def _gradient(self, value: Value) -> Title:
        """`d_x`; `d_x_part` where other gradients are added before it is complete."""
        of = max(value.gradient_of, key=lambda x: (self.of(x).rank, (value, x) not in self._partial))
        inner = self.of(of)
        return (
            Title(f"d_{inner.text}_part", 0) if (value, of) in self._partial else Title(f"d_{inner.text}", inner.rank)
        )


def _partial_gradients(program: Program) -> set[tuple[Value, Value]]:
    """Gradients to which others are added before they are complete, with the values that they belong to."""
    latest: dict[Value, Value] = {}
    partial: set[tuple[Value, Value]] = set()
    for node in program.nodes:
        for value in node.outputs if node.origin.phase == "backward" else ():
            for x in value.gradient_of if value is not None else ():
                partial.update([(latest[x], x)] if x in latest else [])
                latest[x] = value  # type: ignore[assignment]  # None has no gradient_of
    return partial


def _shown_gradients(program: Program) -> dict[Value, Value]:
    """For what becomes a gradient by being reshaped or repeated, that gradient."""
    found: dict[Value, Value] = {}
    for node in reversed(program.nodes):
        if node.origin.phase == "backward" and node.op.name in _MOVES and not node.inputs[0].gradient_of:
            shown = node.output if node.output.gradient_of else found.get(node.output)
            if shown is not None:
                found[node.inputs[0]] = shown
    return found


def successors(program: Program, results: Sequence[Value]) -> Iterator[tuple[Node, Node | None]]:
    """Each node with the one that came next when the user's function ran.

    Nodes that one expression leads to stand one after the other; the last of them is its result. What only serves
    to update state, such as a running mean, is no result of an expression and stands in a row of its own.
    """
    for nodes in _main_and_side(program, results):
        yield from zip(nodes, [*nodes[1:], None], strict=False)


def _main_and_side(program: Program, results: Sequence[Value]) -> tuple[list[Node], list[Node]]:
    """The nodes that results and gradients come from, dead ones that were differentiated included; and the others."""
    backward = [n for n in program.nodes if n.origin.phase == "backward"]
    differentiated = {n.origin.of for n in backward if n.origin.of is not None}
    main: set[Node] = {*backward, *differentiated}
    needed = {*results, *(x for n in backward for x in n.inputs)}
    for node in reversed(program.nodes):
        if node in main or not needed.isdisjoint(node.outputs):
            main.add(node)
            needed.update(node.inputs)
    side = [n for n in program.nodes if n not in main]
    return sorted(main, key=lambda n: n.serial), side


def _completed_frames(node: Node, after: Node | None) -> Sequence[Place]:
    """The frames, from the innermost outwards, whose present expression ends with this node."""
    frames = node.origin.frames
    others = after.origin.frames if after is not None else ()
    shared = 0
    while shared < min(len(frames), len(others)) and frames[-1 - shared] == others[-1 - shared]:
        shared += 1
    return frames[: len(frames) - shared]


def _title(node: Node, after: Node | None) -> Title:
    plain = _NOUNS.get(node.op.name, node.op.name)
    if node.origin.phase == "backward":
        return Title(plain, 0)
    completed = node.origin.frames if node.op.name in PROGRAMS else _completed_frames(node, after)
    users = [place for place in reversed(completed) if is_users(place[0].co_filename)]
    target = next(filter(None, map(target_of, users)), "")
    module = _completed_module(node.origin, after)
    if target or module:
        return Title(target or module, 2)
    described = "" if node.origin.phase == "update" else next(filter(None, map(description_of, reversed(users))), "")
    ours = [place for place in reversed(completed) if not is_users(place[0].co_filename)]
    named = next((name for name in map(target_of, ours) if len(name) > 2), "")
    return Title(described or named or plain, int(not described and named not in ("", plain)))


def _completed_module(origin: Origin, after: Node | None) -> str:
    """The name of the module whose call ends with this node."""
    modules = origin.modules
    if (
        origin.phase == "update"
        or not modules
        or (after is not None and after.origin.modules[: len(modules)] == modules)
    ):
        return ""
    return module_name(modules)


@functools.lru_cache(maxsize=1024)
def module_path(modules: tuple[Any, ...]) -> str:
    """The dotted path of the innermost module."""
    return Origin(modules=modules).module_path


def module_name(modules: tuple[Any, ...]) -> str:
    """The module's dotted path; with its class in front when the path is only a number."""
    path = module_path(modules)
    last = path.rpartition(".")[2]
    return f"{type(modules[-1]).__name__.lower()}{last}" if last.isdigit() else path


def numbered_modules(program: Program) -> dict[str, str]:
    """Names for the modules directly below the outermost ones that have a number alone: `linear0`."""
    roots = {node.origin.modules[0]: None for node in program.nodes if node.origin.modules}
    return {
        path: f"{type(module).__name__.lower()}{path}"
        for root in roots
        for path, module in root.named_modules()
        if path.isdigit()
    }
