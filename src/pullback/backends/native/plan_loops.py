"""How a group of values becomes loops: rows, columns, chunks, stages, and what lies in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pullback.backends.native.indices import (
    IN_PLACE,
    IN_ROW,
    Divisions,
    Index,
    Var,
    source_index,
    unrolled_index,
    variable,
)
from pullback.base.shapes import size_of
from pullback.ir.node import Node, Value
from pullback.passes.fuse import Group, mode_below
from pullback.passes.kinds import MOVEMENT, REDUCTIONS, is_inlined, is_unrolled

# A chunk is worth handing to another thread from about so many operations on; a thread gets no more chunks than this.
CHUNK_WORK = 1 << 15
MOST_CHUNKS = 64
MOST_PARTIALS = 16  # of sums over all rows, each of which keeps a row of its own
TILE = 1 << 12  # places of a row that arrays without rows are cut into, at the least
SHORTEST_ROW, LONGEST_ROW = 8, 1 << 14  # of loops without reductions: chunks are made of rows
SCRATCH_BYTES = 1 << 16
DEAR = 10  # operations from which on a number is kept for a later stage


@dataclass
class Stage:
    """What one pass over a row computes, and then what is known for the row."""

    row_reductions: list[Value] = field(default_factory=list)
    full_values: list[Value] = field(default_factory=list)
    columns: list[Value] = field(default_factory=list)
    place_totals: list[Value] = field(default_factory=list)
    kept: list[Value] = field(default_factory=list)
    row_values: list[Value] = field(default_factory=list)
    row_totals: list[Value] = field(default_factory=list)

    def needs_loop(self) -> bool:
        """Whether anything is done place by place."""
        return any((self.row_reductions, self.full_values, self.columns, self.place_totals, self.kept))

    def starts(self) -> list[Value]:
        """The values that are looked at place by place."""
        reduced = [*self.row_reductions, *self.columns, *self.place_totals]
        return [*(v.node.inputs[0] for v in reduced if v.node), *self.full_values, *self.kept]


class LoopPlan:
    """A group as loops.

    inputs: values read from memory, in the order of their pointers; outputs: those written, whose pointers follow.
    `shared` maps an output to the input in whose memory it is written. The last pointer, where there is a gather, is
    that of the flag for an index out of range.
    """

    def __init__(self, group: Group, stored: Iterable[Value]) -> None:
        self.group, self.size = group, group.size
        kept = set(stored)
        self.outputs = [v for v, level in group.roots.items() if v in kept or level in ("column", "total")]
        self._order = list(self._walk_all())  # fills in how each value is looked at
        self.inputs = [v for v in self._order if v in group.inputs]
        self._nodes = self._sorted_nodes()
        self.shared: dict[Value, Value] = {}
        self._choose_shape()
        self._choose_chunks()
        self._make_stages()

    def of_level(self, level: str) -> list[Value]:
        """The group's values of this level."""
        return [v for v, found in self.group.roots.items() if found == level]

    def accumulated(self) -> list[Value]:
        """The reductions whose state is one number."""
        return [v for v, level in self.group.roots.items() if _is_reduction(v) and level in ("row", "total")]

    def nodes(self) -> list[Node]:
        """All nodes that the loops work out, each after those that it needs."""
        return self._nodes

    def _sorted_nodes(self) -> list[Node]:
        found: dict[Node, None] = {}
        for root in self.group.roots:
            to_do = [(root, False)]
            while to_do:
                value, is_ready = to_do.pop()
                node = value.node
                if node is None or node in found or value in self.group.inputs:
                    continue
                if is_ready:
                    found[node] = None
                else:
                    to_do += [(value, True), *((x, False) for x in reversed(node.inputs))]
        return list(found)

    def pointers(self) -> list[Value]:
        """The values whose addresses the kernel gets, in order."""
        return [*self.inputs, *(v for v in self.outputs if v not in self.shared)]

    def count_pointers(self) -> int:
        """How many addresses the kernel gets."""
        return len(self.pointers()) + self.can_fail()

    def can_fail(self) -> bool:
        """Whether an index may be out of range."""
        return any(node.op.name == "gather" for node in self.nodes())

    def pointer_of(self, value: Value) -> int:
        """The place of a value's address among the pointers."""
        if value in self.inputs:
            return self.inputs.index(value)
        value = self.shared.get(value, value)
        return self.pointers().index(value)

    def is_kept_before(self, value: Value, stage: int) -> bool:
        """Whether the value lies in scratch memory when this stage begins."""
        return any(value in earlier.kept for earlier in self.stages[:stage])

    def reads_in_order(self, value: Value) -> bool:
        """Whether an input is looked at nowhere but at the place that the loops stand at."""
        return value.type.size == self.size and self._modes.get(value) == {"full"}

    # Shape
    def _walk_all(self) -> Iterator[Value]:
        """Every value that the group's roots need, up to those in memory; and how each is looked at."""
        self._modes: dict[Value, set[str]] = {}
        seen: set[tuple[Value, str, bool]] = set()
        for root, level in self.group.roots.items():
            to_do = [(root, "row" if level == "row" and not _is_reduction(root) else "full")]
            while to_do:
                value, mode = to_do.pop()
                is_other_root = value in self.group.roots and value is not root
                if (value, mode, is_other_root) in seen:
                    continue
                seen.add((value, mode, is_other_root))
                if value not in self._modes:
                    yield value
                self._modes.setdefault(value, set()).add(mode)
                node = value.node
                if node is None or value in self.group.inputs or is_other_root:
                    continue
                to_do += [(x, self._mode_below(node, mode)) for x in reversed(node.inputs)]

    def _mode_below(self, node: Node, mode: str) -> str:
        if node.op.name in REDUCTIONS and not is_unrolled(node):
            if self.group.mixed:
                return "free"
            (x,) = node.inputs
            return "full" if x.type.size == self.group.size else "row"
        return mode_below(node, mode, self.group.cols)

    def _choose_shape(self) -> None:
        """Rows and columns: those of the reductions, else the last dim, else an array without rows cut into tiles."""
        group = self.group
        if group.cols is not None:
            self.cols, self.rows = group.cols, group.rows
            return
        if all(modes <= {"full", "one"} for v, modes in self._modes.items() if v.type.size > 1):
            self._tile()
            return
        root = next(v for v in group.roots)
        shapes = [v.shape for v in self._order if v.type.size == self.size] or [root.shape]
        last = next((n for n in reversed(shapes[0]) if n != 1), 1)
        lengths = {size_of(v.shape[i:]) for v in self._order for i in range(len(v.shape))}
        fitting = (n for n in sorted(lengths, reverse=True) if SHORTEST_ROW <= n <= LONGEST_ROW and self.size % n == 0)
        self.cols = next((n for n in fitting if self._steps_evenly(n)), last)
        self.rows = self.size // self.cols

    def _steps_evenly(self, cols: int) -> bool:
        """Whether places within rows of this length need no divisions, however numbers are moved."""
        divisions = Divisions()
        row, place = Var("row", self.size // max(cols, 1), IN_ROW), Var("place", cols, IN_PLACE)
        start = variable(row) * cols + variable(place)
        to_do = [(root, Index(root.shape, None, start)) for root in self.group.roots]
        seen: set[tuple[Value, Any]] = set()
        while to_do:
            value, index = to_do.pop()
            key = (value, index.dims if index.dims is not None else index.linear)
            node = value.node
            if key in seen or node is None or value in self.group.inputs:
                continue
            seen.add(key)
            if node.op.name in MOVEMENT:
                found = source_index(node.op.name, node.params, node.inputs[0].shape, index, divisions)
                assert found is not None
                to_do.append((node.inputs[0], found))
            elif _is_reduction(value):
                to_do.append((node.inputs[0], Index(node.inputs[0].shape, None, start)))
            elif is_unrolled(node):
                to_do.append((node.inputs[0], unrolled_index(node, index, divisions)))
            elif node.op.name in ("pad", "gather"):
                index.coordinates(divisions)
            else:
                to_do += [(x, index) for x in node.inputs]
        return divisions.deepest < IN_PLACE

    def _tile(self) -> None:
        chunks = max(1, min(MOST_CHUNKS, power_of_two(self.size * self.work() // CHUNK_WORK)))
        whole = -(-self.size // chunks)
        self.cols = self.size if chunks == 1 else min(self.size, max(-(-whole // 64) * 64, TILE))
        self.rows = -(-self.size // max(self.cols, 1))

    def work(self) -> int:
        """About how many operations a place costs, reads counted as two."""
        flops = [n.op.flops if isinstance(n.op.flops, int) else 1 for n in self.nodes() if n.op.name not in MOVEMENT]
        return max(1, sum(flops)) + 2 * len(self.inputs)

    def _choose_chunks(self) -> None:
        most = MOST_PARTIALS if self.of_level("column") or self.of_level("total") else MOST_CHUNKS
        wanted = max(1, min(most, self.rows, power_of_two(self.size * self.work() // CHUNK_WORK)))
        self.rows_per_chunk = max(1, -(-self.rows // wanted))
        self.chunks = max(1, -(-self.rows // self.rows_per_chunk))

    # Stages
    def _make_stages(self) -> None:
        self._stage: dict[Value, int] = {}
        roots = self.group.roots
        count = 1 + max((self._stage_of(v) for v in roots), default=0)
        self.stages = [Stage() for _ in range(count)]
        for root, level in roots.items():
            stage = self.stages[self._stage_of(root)]
            if level == "row":
                (stage.row_reductions if _is_reduction(root) else stage.row_values).append(root)
            elif level == "column":
                stage.columns.append(root)
            elif level == "total":
                (stage.row_totals if self._adds_rows(root) else stage.place_totals).append(root)
            else:
                stage.full_values.append(root)
        self._choose_scratch()

    def _stage_of(self, root: Value) -> int:
        """The pass over the row in which a root is worked out: after those of the reductions over the row it needs.

        What is known for the whole row is worked out behind the loop of its stage, the rest within it.
        """
        if root not in self._stage:
            behind = 0 if self._is_behind(root) else 1
            self._stage[root] = max((self._stage_of(r) + behind for r in self._reductions_below(root)), default=0)
        return self._stage[root]

    def _is_behind(self, root: Value) -> bool:
        if _is_reduction(root):
            return self.group.roots[root] == "total" and self._adds_rows(root)
        return self.group.roots[root] == "row"

    def _adds_rows(self, total: Value) -> bool:
        """Whether a total adds up one number for each row rather than one for each place."""
        x = total.node.inputs[0]  # type: ignore[union-attr]  # a reduction has a node
        return x.type.size != self.size or self.cols == 1

    def _reductions_below(self, root: Value) -> Iterator[Value]:
        """The reductions over rows of this group that a root needs directly."""
        seen: set[Value] = set()
        to_do = list(root.node.inputs) if root.node else []
        while to_do:
            value = to_do.pop()
            if value in seen or value in self.group.inputs or value.node is None:
                continue
            seen.add(value)
            if _is_reduction(value):
                yield value
            else:
                to_do += value.node.inputs

    def _choose_scratch(self) -> None:
        """What is dear and needed in several stages is kept from the first of them on."""
        self.scratch: list[Value] = []
        if len(self.stages) == 1 or self.group.mixed:
            return
        needed = [self._needed_in(stage) for stage in self.stages]
        for value in self._order:
            where = [i for i, found in enumerate(needed) if value in found]
            fits = self.cols * value.dtype.itemsize <= SCRATCH_BYTES
            if len(where) > 1 and fits and self._modes.get(value) == {"full"} and self._is_dear(value):
                self.stages[where[0]].kept.append(value)
                self.scratch.append(value)

    def _is_dear(self, value: Value) -> bool:
        node = value.node
        return node is not None and is_inlined(node) and isinstance(node.op.flops, int) and node.op.flops >= DEAR

    def _needed_in(self, stage: Stage) -> set[Value]:
        seen: set[Value] = set()
        to_do = list(stage.starts())
        while to_do:
            value = to_do.pop()
            if value in seen or self.group.roots.get(value) == "row":
                continue
            seen.add(value)
            if value.node is not None and value not in self.group.inputs:
                to_do += value.node.inputs
        return seen

    def text(self) -> str:
        """Everything that the kernel's code depends on, and nothing else: equal texts are equal kernels."""
        names: dict[Value, str] = {v: f"a{i}" for i, v in enumerate(self.inputs)}
        lines = [f"loops {self.size} = {self.rows} x {self.cols}, {self.rows_per_chunk} rows a chunk"]
        lines += [f"a{i}: {v.type}" for i, v in enumerate(self.inputs)]
        for node in self.nodes():
            values = ", ".join(names[x] for x in node.inputs)
            name = names[node.output] = f"v{len(names)}"
            params = ", ".join(f"{k}={v!r}" for k, v in node.params.items())
            level = self.group.roots.get(node.output, "")
            lines.append(f"{name} = {node.op.name}({values}; {params}): {node.types[0]} {level}")
        for value in self.outputs:
            at = f" in {names[self.shared[value]]}" if value in self.shared else ""
            lines.append(f"store {names[value]}{at}")
        return "\n".join(lines)


def power_of_two(number: int) -> int:
    """The smallest power of two that is no smaller: pieces that two, four or eight threads can share out evenly."""
    return 1 << max(number - 1, 0).bit_length()


def _is_reduction(value: Value) -> bool:
    return value.node is not None and value.node.op.name in REDUCTIONS and not is_unrolled(value.node)
