"""Decide what is computed together: a program becomes groups of values, each of which one kernel computes.

A group of kind "loops" runs over `rows` · `cols` places. Its values are of four levels: `full` (a number in each
place), `row` (one for each row, such as a row's largest), `column` (sums over all rows) and `total`. What a group
needs besides is read from arrays that other groups stored, or worked out on the spot. Elementwise chains, broadcasts,
reductions over rows and their neighbours thus cost one sweep over memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pullback.base.shapes import Shape, size_of
from pullback.ir.node import Node, Value
from pullback.ir.program import Program
from pullback.passes.kinds import MOVEMENT, is_inlined, is_unrolled, kind_of, reduction_form, unrolled_count

# Working a number out again is worth it up to this many operations, each array read counted as two.
RECOMPUTED = 8
# A value that is spread over larger ones is stored when it costs more than this.
SPREAD = 6
MOST_ROOTS, MOST_NODES = 16, 160


@dataclass(eq=False)
class Group:
    """Values that one kernel computes. `roots` maps those that others read, and all reductions, to their levels."""

    number: int
    kind: str
    size: int = 0
    cols: int | None = None
    mixed: bool = False  # one reduction over axes that are neither the first nor the last ones
    roots: dict[Value, str] = field(default_factory=dict)
    needs: int = 0  # bits: the numbers of all groups that must run before
    inputs: dict[Value, None] = field(default_factory=dict)  # the values in memory that it reads
    nodes: set[Node] = field(default_factory=set)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.size // max(self.cols or 1, 1) if self.cols else 1


@dataclass
class Reach:
    """What a root needs if it joins a group."""

    leaves: dict[Value, set[str]] = field(default_factory=dict)  # stored values, and how they are looked at
    promoted: dict[Value, str] = field(default_factory=dict)  # values of other groups that are stored for this
    nodes: dict[Value, str] = field(default_factory=dict)  # worked out on the spot
    fits: bool = True


def keeps_order(node: Node) -> bool:
    """Whether a movement op leaves the numbers where they are in row-major order."""
    name, x, y = node.op.name, node.inputs[0].type, node.types[0]
    if name in ("reshape", "detach"):
        return True
    if name == "broadcast":
        return x.size == y.size
    real = [axis for axis in node.params.get("axes", ()) if x.shape[axis] != 1]
    return name == "permute" and real == sorted(real)


def spreads_rows(source: Shape, shape: Shape, cols: int) -> bool:
    """Whether a broadcast repeats each number of the source over one row of `cols` places."""
    if not cols or size_of(source) * cols != size_of(shape):
        return False
    padded = (1,) * (len(shape) - len(source)) + source
    trailing = len(shape)
    while trailing and size_of(shape[trailing:]) < cols:
        trailing -= 1
    while trailing and shape[trailing - 1] == 1:
        trailing -= 1
    return (
        size_of(shape[trailing:]) == cols and padded[:trailing] == shape[:trailing] and size_of(padded[trailing:]) == 1
    )


def mode_below(node: Node, mode: str, cols: int | None) -> str:
    """How loops that look at a node in this mode look at its inputs.

    `full` is place by place, `row` one number for each row, `one` the same number everywhere, `free` any other way.
    """
    if mode == "free" or node.op.name in ("pad", "gather") or is_unrolled(node):
        return "free"
    if node.op.name not in MOVEMENT or keeps_order(node):
        return mode
    if node.inputs[0].type.size == 1:
        return "one"
    spreads = node.op.name == "broadcast" and mode == "full" and cols is not None
    return "row" if spreads and spreads_rows(node.inputs[0].shape, node.types[0].shape, cols or 0) else "free"


class Fusion:
    """The work of `fuse`: places one root after the other."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.groups: list[Group] = []
        self.group_of: dict[Value, Group] = {}
        self._evaluated: dict[Value, tuple[Group, str]] = {}
        self._readers: dict[Value, list[Group]] = {}
        self._weight: dict[Value, int] = {}
        self._count: dict[Value, int] = {}
        self._scalars: Group | None = None
        self.forced: set[Value] = set()
        self.forced = set(self._forced_roots())
        self._weight.clear()  # what costs nothing now that it lies in memory

    def run(self) -> list[Group]:
        """The groups, in an order in which they can run."""
        for node in self.program.nodes:
            kind = kind_of(node)
            for value in node.outputs:
                if value is None:
                    continue
                if kind == "whole":
                    self._place_whole(node)
                    break
                if kind == "reduction" or (kind == "inlined" and value in self.forced):
                    self._place(value)
        return self._in_order()

    # Which values must lie in memory
    def _forced_roots(self) -> Iterator[Value]:
        uses: dict[Value, int] = {}
        for node in self.program.nodes:
            for x in node.inputs:
                uses[x] = uses.get(x, 0) + 1
        for node in self.program.nodes:
            kind = kind_of(node)
            if kind == "whole":
                yield from (base_of(x) for x in node.inputs)
            elif node.op.name == "gather":
                yield base_of(node.inputs[0])
            elif node.op.name in ("broadcast", "windows") and node.types[0].size > node.inputs[0].type.size:
                source = base_of(node.inputs[0])
                if is_inlined(source.node) and self._cost(source) > SPREAD:
                    yield source
            if kind == "reduction" and _is_read_across(node.inputs[0]):
                yield node.inputs[0]
            if is_unrolled(node) and self._size(node.output) > MOST_NODES // 2:
                yield base_of(node.inputs[0])
                self._count[node.output] = 1 + unrolled_count(node)
            if kind == "inlined":
                value = node.output
                most = MOST_NODES // 2 if uses.get(value, 0) > 1 else MOST_NODES
                if self._size(value) > most:
                    self._count[value] = 1
                    yield value
        yield from self.program.outputs

    def _cost(self, value: Value) -> int:
        """Operations to work one number out from what is stored; each array read counts as two."""
        if value not in self._weight:
            node = value.node
            if node is None or not is_inlined(node) or value in self.forced:
                self._weight[value] = 2 if value.type.size > 1 else 0
            else:
                own = 0 if node.op.name in MOVEMENT else node.op.flops
                inputs = sum(self._cost(x) for x in node.inputs)
                once = inputs + (own if isinstance(own, int) else 1)
                self._weight[value] = min(once * unrolled_count(node), 1_000)
        return self._weight[value]

    def _size(self, value: Value) -> int:
        """About how many nodes are worked out for it on the spot."""
        if value not in self._count:
            node = value.node
            inlined = node is not None and is_inlined(node) and value not in self.forced
            inputs = sum(self._size(x) for x in node.inputs) if inlined and node else 0
            self._count[value] = 1 + inputs * (unrolled_count(node) if node else 1)
        return self._count[value]

    # Placing roots
    def _new(self, kind: str) -> Group:
        group = Group(len(self.groups), kind)
        self.groups.append(group)
        return group

    def _place_whole(self, node: Node) -> None:
        group = self._new("whole")
        for value in node.outputs:
            if value is not None:
                group.roots[value] = "full"
                self.group_of[value] = group
        reach = Reach()
        for x in node.inputs:
            self._walk(x, "free", group, reach)
        self._accept(group, reach)

    def _place(self, root: Value) -> None:
        node = root.node
        assert node is not None
        form = reduction_form(node) if kind_of(node) == "reduction" else ("full", 0, 0)
        for group in self._candidates(root, form):
            if self._join(root, form, group):
                return
        group = self._new("loops")
        group.size = (node.inputs[0] if form[0] != "full" else root).type.size
        group.mixed = form[0] == "mixed"
        if not self._join(root, form, group):
            raise AssertionError(f"{node} fits into no group")  # a new group takes everything
        if group.size == 1:
            self._scalars = group

    def _candidates(self, root: Value, form: tuple[str, int, int]) -> list[Group]:
        if form[0] == "mixed":
            return []
        start = root if form[0] == "full" else root.node.inputs[0]  # type: ignore[union-attr]  # a reduction has a node
        probe, reach = Group(-1, "loops", size=start.type.size), Reach()
        self._walk(start, "full", probe, reach, root)
        found = {self.group_of[leaf] for leaf in reach.leaves if leaf in self.group_of}
        beside = [leaf for leaf, modes in reach.leaves.items() if "full" in modes]
        found |= {group for leaf in beside for group in self._readers.get(leaf, ())}
        if root.type.size == 1 and form[0] == "full" and self._scalars is not None:
            found.add(self._scalars)
        if form[0] in ("row", "column"):  # beside another reduction of the same rows
            found.update(g for g in self.groups[-8:] if g.size == probe.size and g.cols == form[2])
        loops = [g for g in found if g.kind == "loops" and not g.mixed]
        return sorted(loops, key=lambda g: -g.number)[:6]

    def _join(self, root: Value, form: tuple[str, int, int], group: Group) -> bool:
        """Put the root into the group if it fits there."""
        placed = self._fit(root, form, group)
        if placed is None or len(group.roots) >= MOST_ROOTS:
            return False
        level, cols, mode = placed
        before, group.cols = group.cols, cols
        reach = Reach()
        start = root if form[0] == "full" else root.node.inputs[0]  # type: ignore[union-attr]  # a reduction has a node
        self._walk(start, mode, group, reach, root)
        if not reach.fits or len(group.nodes) + len(reach.nodes) > 2 * MOST_NODES or self._makes_cycle(group, reach):
            group.cols = before
            return False
        group.roots[root] = level
        self.group_of[root] = group
        self._accept(group, reach)
        return True

    def _fit(self, root: Value, form: tuple[str, int, int], group: Group) -> tuple[str, int | None, str] | None:
        """Level, columns and the way of looking at the input with which the root fits into the group."""
        kind, _, cols = form
        if kind == "full":
            if root.type.size == group.size:
                return "full", group.cols, "full"
            return ("row", group.cols, "row") if group.cols and root.type.size == group.rows else None
        size = root.node.inputs[0].type.size  # type: ignore[union-attr]  # a reduction has a node
        if kind == "total":
            if size == group.size:
                return "total", group.cols, "full"
            return ("total", group.cols, "row") if group.cols and size == group.rows else None
        if kind == "mixed":
            return "row", cols, "free"
        if size == group.size and group.cols in (None, cols):
            return kind, cols, "full"
        return None

    def _makes_cycle(self, group: Group, reach: Reach) -> bool:
        leaves = {self.group_of[x] for x in reach.leaves if x in self.group_of}
        leaves |= {self._evaluated[x][0] for x in reach.promoted}
        return any(other is not group and other.needs >> group.number & 1 for other in leaves)

    def _accept(self, group: Group, reach: Reach) -> None:
        for value, level in reach.promoted.items():
            owner = self._evaluated[value][0]
            owner.roots[value] = level
            self.group_of[value] = owner
        for value, modes in reach.leaves.items():
            if self.group_of.get(value) is not group:
                group.inputs[value] = None
            if "full" in modes and value.type.size == group.size > 1:
                self._readers.setdefault(value, []).append(group)
            if value in self.group_of and self.group_of[value] is not group:
                self._add_need(group, self.group_of[value])
        for value, mode in reach.nodes.items():
            if mode != "free" and group.kind == "loops":
                self._evaluated.setdefault(value, (group, mode))
            if value.node is not None:
                group.nodes.add(value.node)

    def _add_need(self, group: Group, other: Group) -> None:
        fresh = other.needs | 1 << other.number
        if group.needs | fresh == group.needs:
            return
        for each in self.groups:
            if each is group or each.needs >> group.number & 1:
                each.needs |= fresh

    def _walk(self, start: Value, mode: str, group: Group, reach: Reach, root: Value | None = None) -> None:
        """Collect what the value needs, looked at in this mode by the group's loops: `full`, `row` or `free`."""
        seen: set[tuple[Value, str]] = set()
        to_do = [(start, mode)]
        while to_do:
            value, mode = to_do.pop()
            if (value, mode) in seen:
                continue
            seen.add((value, mode))
            owner = self.group_of.get(value)
            node = value.node
            if owner is not None or node is None or (value is not root and not is_inlined(node)):
                self._meet_leaf(value, mode, group, owner, reach)
                continue
            known = self._evaluated.get(value)
            if value is not root and known and known[0] is not group and self._cost(value) > RECOMPUTED:
                reach.promoted[value] = known[1]
                reach.leaves.setdefault(value, set()).add(mode)
                continue
            reach.nodes[value] = mode if reach.nodes.get(value, mode) == mode else "free"
            below = mode_below(node, mode, group.cols)
            to_do += [(x, "free" if below == "one" else below) for x in node.inputs]

    def _meet_leaf(self, value: Value, mode: str, group: Group, owner: Group | None, reach: Reach) -> None:
        reach.leaves.setdefault(value, set()).add(mode)
        if owner is group and group.roots.get(value) != mode:
            reach.fits = False

    def _in_order(self) -> list[Group]:
        """Sorted so that each comes after what it needs; last those that nothing needs, otherwise as in the program.

        What nothing needs is written into state: by then all else has been worked out, and every index looked at.
        """
        place = {node: i for i, node in enumerate(self.program.nodes)}
        needed = 0
        for group in self.groups:
            needed |= group.needs

        def order(group: Group) -> tuple[bool, int]:
            return not needed >> group.number & 1, min(place[v.node] for v in group.roots if v.node is not None)

        waiting = sorted(self.groups, key=order)
        done, result = 0, []
        while waiting:
            group = next(g for g in waiting if g.needs & ~done == 0)
            waiting.remove(group)
            done |= 1 << group.number
            result.append(group)
        return result


def _is_read_across(value: Value) -> bool:
    """Whether a value that is worked out on the spot comes from numbers that lie across its rows.

    Loops over places then step through memory unevenly. A reduction's rows are as long as it says, so its input is
    better written down by loops of their own.
    """
    seen: set[Value] = set()
    to_do = [value]
    while to_do:
        x = to_do.pop()
        node = x.node
        if x in seen or x.type.size == 1 or node is None or not is_inlined(node):
            continue
        seen.add(x)
        if node.op.name == "windows" or (node.op.name == "permute" and _moves_last(node)):
            return True
        to_do += node.inputs
    return False


def _moves_last(node: Node) -> bool:
    """Whether a permute puts another axis last."""
    axes = [axis for axis in node.params["axes"] if node.inputs[0].shape[axis] != 1]
    return bool(axes) and axes[-1] != max(axes)


def base_of(value: Value) -> Value:
    """The value that movement ops took this one's numbers from."""
    while value.node is not None and value.node.op.name in MOVEMENT:
        value = value.node.inputs[0]
    return value


def fuse(program: Program) -> Sequence[Group]:
    """The groups of a program, in an order in which they can run."""
    return Fusion(program).run()
