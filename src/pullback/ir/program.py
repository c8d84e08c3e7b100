"""Programs: a typed, single-assignment list of nodes; recording, inlining, checking and printing them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pullback.base.errors import PullbackError
from pullback.ir.mode import mode
from pullback.ir.node import OPS, Node, Value, leaked
from pullback.ir.origin import originating
from pullback.ir.types import Type


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Inputs, nodes in the order in which they run, and outputs (which may be inputs too)."""

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]

    @property
    def flops(self) -> int:
        """Floating-point operations of one run."""
        return sum(n.op.count_flops([x.type for x in n.inputs], n.params) for n in self.nodes)

    def last_uses(self) -> list[list[Value]]:
        """For each node the values that nothing after it needs."""
        seen = set(self.outputs)
        result: list[list[Value]] = []
        for node in reversed(self.nodes):
            live = [v for v in (*node.inputs, *node.outputs) if v is not None]
            result.append([v for v in dict.fromkeys(live) if v not in seen])
            seen.update(live)
        return result[::-1]

    def __str__(self) -> str:
        return program_text(self)


class Recorder:
    """Writes down the ops that are applied while it is active. What comes from outside becomes a constant."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._admitted: dict[Value, Value] = {}

    def input(self, type: Type, requires_grad: bool = False) -> Value:
        """A new input of the program."""
        value = Value(type, requires_grad=requires_grad)
        value.scope = self
        return value

    def inputs_of(self, program: Program) -> dict[Value, Value]:
        """For each input of a program a new one like it, under the same name."""
        found = {value: self.input(value.type) for value in program.inputs}
        for old, new in found.items():
            new.name = old.name
        return found

    def write(self, node: Node, outputs: Sequence[Value]) -> None:
        """Add a node to the program."""
        for value in outputs:
            value.scope = self
        self.nodes.append(node)

    def admit(self, value: Value) -> Value:
        """The value from outside as this program knows it."""
        if value not in self._admitted:
            if value.data is None:
                raise leaked(value)
            self._admitted[value] = OPS["constant"](array=value.data)
        return self._admitted[value]

    # What tensors tell the recorder that they meet. One that only sees values needs none of it.
    def lift(self, tensor: Any) -> None:
        """A tensor is read."""

    def before_write(self, tensor: Any) -> None:
        """A tensor's box is about to be refilled."""

    def before_grad_write(self, tensor: Any) -> None:
        """A tensor is about to get another `.grad`."""

    def watch_requires_grad(self, tensor: Any) -> None:
        """It is asked whether a tensor requires a gradient."""

    def watch_grad(self, tensor: Any) -> None:
        """It is asked whether a tensor has a gradient."""


def live_nodes(nodes: Sequence[Node], outputs: Sequence[Value]) -> tuple[Node, ...]:
    """The nodes that the outputs depend on, in their order."""
    needed = set(outputs)
    live: list[Node] = []
    for node in reversed(nodes):
        if not needed.isdisjoint(node.outputs):
            live.append(node)
            needed.update(node.inputs)
    return tuple(reversed(live))


def recording(recorder: Recorder | None) -> AbstractContextManager[None]:
    """Write every op applied inside to `recorder`; with None, run them at once."""
    return mode.holding(recorder=recorder)


def record(function: Callable[..., Sequence[Value]], types: Sequence[Type], differentiable: bool = False) -> Program:
    """The program that `function` runs on inputs of these types."""
    recorder = Recorder()
    inputs = tuple(recorder.input(t, differentiable and t.dtype.is_floating_point) for t in types)
    with recording(recorder):
        outputs = tuple(y if y.scope is recorder else recorder.admit(y) for y in function(*inputs))
    return Program(inputs, live_nodes(recorder.nodes, outputs), outputs)


def is_cut_off(node: Node) -> bool:
    """Whether a node was recorded where no gradients were wanted, such as within `no_grad`."""
    results = [y for y in node.outputs if y is not None]
    return any(x.requires_grad for x in node.inputs) and not any(y.requires_grad for y in results)


def apply_again(node: Node, inputs: Sequence[Value]) -> tuple[Value, ...]:
    """The node's op on other inputs, with the node's origin."""
    with originating(node.origin):
        return node.op.apply(inputs, node.params)


def inline(program: Program, values: Sequence[Value]) -> list[Value]:
    """Apply the program's ops to these values, each keeping its origin, and passing on gradients where it did."""
    found: dict[Value, Value] = dict(zip(program.inputs, values, strict=True))
    for node in program.nodes:
        with mode.holding(grad=mode.grad and not is_cut_off(node)):
            results = apply_again(node, [found[x] for x in node.inputs])
        for old, new in zip(node.outputs, results, strict=True):
            if old is not None:
                found[old] = new
                new.name = old.name
    return [found[y] for y in program.outputs]


def check_program(program: Program) -> None:
    """Re-run every shape rule; raises PullbackError where a node disagrees or uses what is not defined."""
    defined = set(program.inputs)
    for node in program.nodes:
        missing = [x for x in node.inputs if x not in defined]
        if missing:
            raise PullbackError(f"{node} uses {missing}, which nothing before it defines")
        types = node.op.infer([x.type for x in node.inputs], node.params)
        if types != node.types:
            raise PullbackError(f"{node} says its type is {node.types}, but its rule gives {types}")
        defined.update(v for v in node.outputs if v is not None)
    for value in program.outputs:
        if value not in defined:
            raise PullbackError(f"the program gives {value}, which nothing defines")


def program_text(program: Program) -> str:
    """The program as text: one line per node, with types and origins."""
    names: dict[Value | None, str] = {None: "_"}
    for value in program.inputs:
        names[value] = f"%{len(names) - 1}"
    lines = [f"inputs {', '.join(f'{names[v]}: {v.type}' for v in program.inputs)}"]
    for node in program.nodes:
        for output in node.outputs:
            names.setdefault(output, f"%{len(names) - 1}")
        left = ", ".join(names[v] for v in node.outputs)
        right = ", ".join([*(names[x] for x in node.inputs), *(f"{k}={v}" for k, v in node.params.items())])
        types = ", ".join(map(str, node.types))
        lines.append(f"{left} = {node.op.name}({right}) : {types}  # {node.origin.phase} {node.origin}")
    lines.append(f"outputs {', '.join(names[v] for v in program.outputs)}")
    return "\n".join(lines)
