"""Work on a stack of things one by one, where all of them together would not stay in the cache.

A convolution lays out every window of every sample before it multiplies, attention makes a matrix of scores for each
sample and head. Nodes that treat each entry of their leading axis alike, and alone, become the body of a loop over
that axis, so that what they hand to one another is small and lies in memory that is used again; the loop's turns are
shared out among threads. What only moves numbers belongs to no loop: each that needs it does it itself.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pullback.ops as ops
from pullback.ir.node import OPS, Node, Value
from pullback.ir.origin import originating
from pullback.ir.program import Program, Recorder, apply_again, recording
from pullback.passes.kinds import MOVEMENT, POINTWISE, REDUCTIONS
from pullback.passes.rebuild import Made, rebuild

# A loop pays when it keeps so many bytes from passing through memory, with so many operations and turns at the least.
FEWEST_BYTES, FEWEST_FLOPS, FEWEST_TURNS = 1 << 20, 100_000, 4
_FREE = MOVEMENT | {"pad", "full"}
_HEAVY = frozenset(["matmul", "overlap_add"])
_ALONG_AXIS = frozenset("cumsum argsort concat".split())
_ELEMENTWISE = POINTWISE - {"pad", "gather", "iota", "full"}


def treats_entries_alone(node: Node) -> bool:
    """Whether each entry of the result along its leading axis depends on nothing but the inputs' entries there."""
    name, params, shape = node.op.name, node.params, node.types[0].shape
    if not shape or len(node.types) != 1:
        return False
    x = node.inputs[0].shape if node.inputs else ()
    if name in _ELEMENTWISE or name == "full":
        return True
    if name == "broadcast":
        return len(x) < len(shape) or x[0] in (1, shape[0])
    if name in ("reshape", "detach"):
        return bool(x) and x[0] == shape[0]
    if name == "permute":
        return params["axes"][0] == 0
    if name == "slice":
        return x[0] == shape[0] and params["step"][0] == 1
    if name == "pad":
        return params["low"][0] == params["high"][0] == params["inner"][0] == 0
    if name == "flip":
        return 0 not in params["axes"]
    if name in REDUCTIONS:
        return 0 not in params.get("axes", (params.get("axis"),))
    if name in ("matmul", "windows", "overlap_add"):
        inner = {"matmul": 2, "windows": len(params.get("size", ())), "overlap_add": 2 * len(params.get("length", ()))}
        return len(x) > inner[name]
    if name == "gather":
        return params["axis"] > 0
    return name in _ALONG_AXIS and params["axis"] > 0


def _is_needed_whole(node: Node, place: int) -> bool:
    """Whether a node that treats entries alone needs all of an input for each: an index, and what is repeated."""
    if node.op.name == "gather":
        return place > 0
    x, shape = node.inputs[place].shape, node.types[0].shape
    return node.op.name == "broadcast" and (len(x) < len(shape) or x[0] != shape[0])


def _entry(node: Node, entry: Callable[[Value], Value], whole: Callable[[Value], Value]) -> Value:
    """The node's result for one entry, from the entries of its inputs, or all of those that are not stacked."""
    name, params, shape = node.op.name, dict(node.params), node.types[0].shape
    x = node.inputs[0] if node.inputs else None
    if name == "broadcast":
        assert x is not None
        if len(x.shape) == len(shape):
            source = entry(x) if x.shape[0] == shape[0] else ops.reshape(whole(x), shape=x.shape[1:])
        else:
            source = whole(x)
        return source if source.shape == shape[1:] else ops.broadcast(source, shape=shape[1:])
    if name in ("reshape", "full"):
        params["shape"] = shape[1:]
    for key in ("low", "high", "inner", "start", "stop", "step"):
        if key in params and name in ("pad", "slice"):
            params[key] = params[key][1:]
    if name in ("permute", "flip") or name in REDUCTIONS:
        moved = {key: params[key] for key in ("axes", "axis") if key in params}
        params |= {k: tuple(a - 1 for a in v if a) if isinstance(v, tuple) else v - 1 for k, v in moved.items()}
    if name in _ALONG_AXIS or name == "gather":
        params["axis"] -= 1
    inputs = [whole(v) if name == "gather" and k else entry(v) for k, v in enumerate(node.inputs)]
    return OPS[name].apply(inputs, params)[0]


@dataclass(eq=False)
class _Loop:
    """Nodes that treat entries alone, over so many of them."""

    number: int
    turns: int
    nodes: list[Node] = field(default_factory=list)
    needs: int = 0  # bits: numbers of the loops that it needs directly


class _Loops:
    """Finds loops: each node joins one that makes what it needs, unless it also needs what comes behind that loop."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.loops: list[_Loop] = []
        self.loop_of: dict[Node, _Loop] = {}
        self._needs: dict[Node, int] = {}  # the loops that a node in no loop needs
        for node in program.nodes:
            self._place(node)

    def _place(self, node: Node) -> None:
        name = node.op.name
        needs = 0
        for x in node.inputs:
            if x.node is not None:
                needs |= self._bits(x.node)
        if (
            name in _FREE
            or name == "constant"
            or not treats_entries_alone(node)
            or node.types[0].shape[0] < FEWEST_TURNS
        ):
            self._needs[node] = needs
            return
        turns = node.types[0].shape[0]
        sources, whole = self._sources(node)
        for loop in sorted({self.loop_of[s] for s in sources if s in self.loop_of}, key=lambda g: -g.number):
            others = whole
            for s in sources:
                others |= self._bits(s) if self.loop_of.get(s) is not loop else 0
            if loop.turns == turns and not self._closure(others) >> loop.number & 1:
                self._join(node, loop, others)
                return
        loop = _Loop(len(self.loops), turns)
        self.loops.append(loop)
        self._join(node, loop, needs)

    def _join(self, node: Node, loop: _Loop, needs: int) -> None:
        loop.nodes.append(node)
        loop.needs |= needs & ~(1 << loop.number)
        self.loop_of[node] = loop

    def _bits(self, node: Node) -> int:
        loop = self.loop_of.get(node)
        return 1 << loop.number if loop is not None else self._needs[node]

    def _closure(self, needs: int) -> int:
        """The loops that these need, and those that they need in turn."""
        seen, to_do = needs, needs
        while to_do:
            low = to_do & -to_do
            to_do ^= low
            fresh = self.loops[low.bit_length() - 1].needs & ~seen
            seen |= fresh
            to_do |= fresh
        return seen

    def _sources(self, node: Node) -> tuple[list[Node], int]:
        """The nodes that make what it needs entry by entry, seen through those that only move numbers; and the loops
        behind what it needs as a whole."""
        found: dict[Node, None] = {}
        whole, to_do, seen = 0, [node], {node}
        while to_do:
            user = to_do.pop()
            for k, x in enumerate(user.inputs):
                source = x.node
                if source is None:
                    continue
                if _is_needed_whole(user, k):
                    whole |= self._bits(source)
                elif source.op.name in _FREE and treats_entries_alone(source):
                    to_do += [source] if source not in seen else []
                    seen.add(source)
                else:
                    found[source] = None
        return list(found), whole

    def worthwhile(self) -> list[_Loop]:
        """The loops that keep enough from passing through memory."""
        return [loop for loop in self.loops if self._is_worthwhile(loop)]

    def _is_worthwhile(self, loop: _Loop) -> bool:
        heavy = [node for node in loop.nodes if node.op.name in _HEAVY]
        flops = sum(n.op.count_flops([x.type for x in n.inputs], n.params) for n in heavy)
        if not heavy or flops < FEWEST_FLOPS * loop.turns:
            return False
        leaving = set(self.leaving(loop))
        kept = sum(n.types[0].nbytes for n in heavy if n.output not in leaving)
        kept += sum(x.type.nbytes for n in heavy for x in n.inputs if _is_laid_out(x))
        return kept >= FEWEST_BYTES

    def leaving(self, loop: _Loop) -> list[Value]:
        """What others need of a loop's results."""
        members, wanted = set(loop.nodes), set(self.program.outputs)
        for node in reversed(self.program.nodes):
            is_free = node.op.name in _FREE and node not in self.loop_of
            if node not in members and (not is_free or not wanted.isdisjoint(node.outputs)):
                wanted.update(node.inputs)
        return [node.output for node in loop.nodes if node.output in wanted]


def _is_laid_out(value: Value) -> bool:
    """Whether a factor is made of windows, so that it must be laid out before it is multiplied."""
    while value.node is not None and value.node.op.name in MOVEMENT:
        if value.node.op.name == "windows":
            return True
        (value,) = value.node.inputs
    return False


class _Body:
    """Writes a loop's nodes for one entry."""

    def __init__(self, loop: _Loop, leaving: Sequence[Value]) -> None:
        self.loop, self.recorder = loop, Recorder()
        self.rows: dict[Value, Value] = {}
        self.fixed: dict[Value, Value] = {}
        self._made: dict[Value, Value] = {}
        with recording(self.recorder):
            for node in loop.nodes:
                with originating(node.origin):
                    made = _entry(node, self._entry_of, self._whole)
                self._made[node.output] = made
                made.name = node.output.name
            outputs = tuple(self._made[y] for y in leaving)
        inputs = (*self.rows.values(), *self.fixed.values())
        self.program = Program(inputs, tuple(self.recorder.nodes), outputs)

    def _entry_of(self, value: Value) -> Value:
        if value not in self._made:
            node = value.node
            is_free = node is not None and node.op.name in _FREE and treats_entries_alone(node)
            if node is not None and is_free:
                with originating(node.origin):
                    self._made[value] = _entry(node, self._entry_of, self._whole)
            else:
                row = self.recorder.input(value.type.with_shape(value.shape[1:]))
                self.rows[value] = self._made[value] = row
                row.name = value.name
        return self._made[value]

    def _whole(self, value: Value) -> Value:
        if value.node is not None and value.node.op.name == "full":
            return apply_again(value.node, [])[0]
        if value not in self.fixed:
            self.fixed[value] = self.recorder.input(value.type)
            self.fixed[value].name = value.name
        return self.fixed[value]


def loop_over_stacks(program: Program) -> Program:
    """The program with loops in place of nodes that hand one another more than a cache holds."""
    if all(len(node.types[0].shape) < 3 for node in program.nodes if node.op.name in _HEAVY):
        return program
    found = _Loops(program)
    loops = found.worthwhile()
    if not loops:
        return program
    leaving = {loop: found.leaving(loop) for loop in loops}
    bodies = {loop: _Body(loop, leaving[loop]) for loop in loops}
    unit_of: dict[Node, Any] = {node: node for node in program.nodes}
    unit_of |= {node: loop for loop in loops for node in loop.nodes}

    def remake(unit: Node | _Loop, new: Callable[[Value], Value]) -> Made:
        if isinstance(unit, _Loop):
            return zip(leaving[unit], _write_loop(unit, bodies[unit], new), strict=True)
        return zip(unit.outputs, apply_again(unit, [new(x) for x in unit.inputs]), strict=True)

    return rebuild(program, _in_order(program, unit_of, bodies), remake)


def _write_loop(loop: _Loop, body: _Body, new: Callable[[Value], Value]) -> tuple[Value, ...]:
    params = {
        "program": body.program, "carries": 0, "sequences": len(body.rows), "length": loop.turns, "reverse": False,
        "saved": 0, "rule": None,
    }  # fmt: skip
    first = next(node for node in loop.nodes if node.op.name in _HEAVY)
    with originating(first.origin):
        return ops.scan.apply([new(x) for x in (*body.rows, *body.fixed)], params)


def _in_order(program: Program, unit_of: dict[Node, Any], bodies: dict[_Loop, _Body]) -> list[Any]:
    """The nodes and loops that are needed, each after what it needs, otherwise as in the program."""
    place: dict[Any, int] = {}
    for i, node in enumerate(program.nodes):
        place.setdefault(unit_of[node], i)
    waits: dict[Any, set[Any]] = {}
    users: dict[Any, list[Any]] = {}
    to_do = [unit_of[y.node] for y in program.outputs if y.node is not None]
    while to_do:
        unit = to_do.pop()
        if unit in waits:
            continue
        inputs = (*bodies[unit].rows, *bodies[unit].fixed) if isinstance(unit, _Loop) else unit.inputs
        waits[unit] = {unit_of[x.node] for x in inputs if x.node is not None}
        for needed in waits[unit]:
            users.setdefault(needed, []).append(unit)
        to_do += waits[unit]
    ready = [(place[unit], unit) for unit, needed in waits.items() if not needed]
    heapq.heapify(ready)
    order = []
    while ready:
        _, unit = heapq.heappop(ready)
        order.append(unit)
        for user in users.get(unit, ()):
            waits[user].discard(unit)
            if not waits[user]:
                heapq.heappush(ready, (place[user], user))
    assert len(order) == len(waits), "loops that need one another"
    return order
