"""A program as a list of tasks: which kernels run in which order on which memory, and where threads must meet.

Each value that one kernel leaves to another lies in a buffer: an input's own array, a result's, or a place in the
arena that `plan_memory` gave it. What a step writes back into its state is written into the state's own memory where
nothing else needs the old numbers any more.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pullback.backends.native import specials
from pullback.backends.native.copying import plan_copy
from pullback.backends.native.hardware import threads
from pullback.backends.native.indices import View, strides_of, view_of
from pullback.backends.native.loops import build_kernel
from pullback.backends.native.nested import Place, moved_task
from pullback.backends.native.plan_loops import LoopPlan
from pullback.backends.native.products import ProductPlan, build_product, plan_product
from pullback.backends.native.tasks import Argument, Buffer, Growth, Loop, Task, every_task, find_meetings
from pullback.ir.node import Node, Value
from pullback.ir.program import Program
from pullback.passes.fuse import Group, fuse, keeps_order
from pullback.passes.kinds import MOVEMENT
from pullback.passes.plan_memory import ALIGNMENT, Lifetime, MemoryPlan, plan_memory

# They look at indices.
CHECKED = frozenset(["gather", "scatter", "scatter_add"])


@dataclass
class Schedule:
    """The tasks of a program, and the memory that they need."""

    program: Program
    tasks: list[Task]
    buffers: dict[Value, Buffer]
    results: list[Buffer]  # for each output of the program
    in_place: dict[int, int]  # input number -> output number, where the output is written into the input's memory
    flag: Buffer
    memory: MemoryPlan
    groups: Sequence[Group]
    early: frozenset[int]  # outputs that may be written before an index turns out to be out of range

    @property
    def can_fail(self) -> bool:
        """Whether an index may turn out to be out of range."""
        return any(self.flag in task.writes for task in self.tasks)

    @property
    def is_native(self) -> bool:
        """Whether nothing is left to NumPy."""
        return all(task.node is None for task in every_task(self.tasks))


def schedule(
    program: Program, replaced: Mapping[int, int], gemm: Callable[[Any], tuple[int, int]], alone: bool = False
) -> Schedule:
    """The tasks of a program.

    replaced: number of an input -> number of the output that is its next value; `gemm` gives the addresses of
    the BLAS routine for a dtype, and of the one that sets the number of its threads. `alone`: all of it is done by one
    thread, beside others that do the same.
    """
    return _Scheduler(program, replaced, gemm, alone).run()


class _Scheduler:
    def __init__(
        self, program: Program, replaced: Mapping[int, int], gemm: Callable[[Any], tuple[int, int]], alone: bool
    ) -> None:
        self.program, self.replaced, self.gemm, self.alone = program, replaced, gemm, alone
        self.groups = fuse(program)
        self.buffers: dict[Value, Buffer] = {}
        self.flag = Buffer("flag", 8)
        self.tasks: list[Task] = []
        self.made_in: dict[Value, Value] = {}  # values that are made in the memory of the result that replaces them
        self.position = {group: i for i, group in enumerate(self.groups)}
        self.owner = {value: group for group in self.groups for value in group.roots}
        self.readers: dict[Value, list[Group]] = {}
        for group in self.groups:
            for value in group.inputs:
                self.readers.setdefault(value, []).append(group)

    def run(self) -> Schedule:
        """Plan all loops, find what is written in place, give every value a buffer, write down the tasks."""
        outputs = set(self.program.outputs)
        stored = {v for group in self.groups for v in group.inputs} | outputs
        self.plans = {g: LoopPlan(g, stored) for g in self.groups if g.kind == "loops"}
        for i, value in enumerate(self.program.inputs):
            self.buffers[value] = Buffer("input", value.type.nbytes, i)
        for node in self.program.nodes:
            if node.op.name == "constant":
                array = node.params["array"]
                self.buffers[node.output] = Buffer("constant", array.nbytes, array=array)
        self.last_check = self._find_last_check()
        self.in_place = self._find_in_place()
        self._reuse_dying_inputs()
        results = self._make_results()
        for group in self.groups:
            self._add_group(group)
        self._write_back(results)
        memory = self._plan_arena()
        find_meetings(self.tasks)
        self._find_commits()
        early = frozenset(j for j, value in enumerate(self.program.outputs) if self._is_early(value))
        return Schedule(
            self.program, self.tasks, self.buffers, results, self.in_place, self.flag, memory, self.groups, early
        )

    # Errors
    def _find_last_check(self) -> int:
        """The position of the last group that may find an index that no group before it has looked at; else -1."""
        checked: set[tuple[Value, int]] = set()
        last = -1
        for i, group in enumerate(self.groups):
            plan = self.plans.get(group)
            nodes = plan.nodes() if plan else [v.node for v in group.roots if v.node is not None]
            fresh = {
                (n.inputs[1], n.inputs[0].shape[n.params["axis"]]) for n in nodes if n.op.name in CHECKED
            } - checked
            if fresh or any(_checks_within(n) for n in nodes):
                last = i
            if not any(n.op.name == "slice" for n in nodes):  # else it may not have looked at all of them
                checked |= fresh
        return last

    def _is_early(self, value: Value) -> bool:
        """Whether it may be written before, or while, an index turns out to be out of range."""
        group = self.owner.get(value)
        return self.last_check >= 0 and (group is None or self.position[group] <= self.last_check)

    # Memory
    def _find_in_place(self) -> dict[int, int]:
        """The state that is written where it stands: nobody reads the old numbers after the kernel that writes."""
        found: dict[int, int] = {}
        taken: set[Value] = set()
        for i, j in self.replaced.items():
            old, new = self.program.inputs[i], self.program.outputs[j]
            group = self.owner.get(new)
            if group is None or new in taken or old in self.program.outputs or old.type != new.type:
                continue
            if self._is_early(new):  # lies elsewhere until all indices are known to be right
                found[i] = j
                taken.add(new)
            elif self._may_overwrite(old, new, group):
                found[i] = j
                taken.add(new)
                self.buffers[new] = self.buffers[old]
        return found

    def _may_overwrite(self, old: Value, new: Value, group: Group) -> bool:
        readers = self.readers.get(old, [])
        if any(self.position[g] > self.position[group] for g in readers):
            return False
        plan = self.plans.get(group)
        if plan is not None and plan.can_fail():
            return False  # an index out of range is found when some is written already
        if group not in readers:
            return plan is None or group.roots[new] != "column"
        if plan is None:
            return _is_scattered_into(old, new)
        if len(plan.stages) > 1 or group.roots[new] != "full" or old in plan.shared.values():
            return False
        if plan.reads_in_order(old):
            plan.shared[new] = old
            return True
        return False

    def _reuse_dying_inputs(self) -> None:
        """Write an elementwise result over an input that nothing needs any more.

        What is handed out gets memory of its own: there the input is made in that, unless a wrong index may be found
        between the two, as that memory may hold the gradient of the step before.
        """
        pinned = set(self.program.outputs)
        taken = set(self.in_place.values())
        copied = {y for j, y in enumerate(self.program.outputs) if j in taken}  # into state, in the end
        for group, plan in self.plans.items():
            if len(plan.stages) > 1:
                continue
            for value in plan.outputs:
                if value in plan.shared or value in self.buffers or group.roots[value] != "full" or value in copied:
                    continue
                for old in plan.inputs:
                    if (
                        old in self.owner
                        and old not in pinned
                        and self._dies_in(old, group)
                        and self._fits(plan, value, old)
                        and (value not in pinned or self._may_be_made_in(old, value))
                    ):
                        plan.shared[value] = old
                        if value in pinned:
                            self.made_in[old] = value
                        break

    def _may_be_made_in(self, old: Value, result: Value) -> bool:
        """Whether a value may be made in the memory of the result that replaces it."""
        plan = self.plans.get(self.owner[old])
        is_moved = plan is not None and old in plan.shared  # lies where yet another value lay
        return not is_moved and (self._is_early(result) or not self._is_early(old))

    def _fits(self, plan: LoopPlan, value: Value, old: Value) -> bool:
        free = old not in plan.shared.values() and plan.reads_in_order(old)
        free = free and old not in self.buffers and old not in self.made_in
        return free and old.dtype.itemsize == value.dtype.itemsize and old.type.nbytes == value.type.nbytes

    def _dies_in(self, old: Value, group: Group) -> bool:
        return max(self.position[g] for g in self.readers[old]) == self.position[group]

    def _buffer(self, value: Value) -> Buffer:
        if value not in self.buffers:
            plan = self.plans.get(self.owner[value])
            if value in self.made_in:
                self.buffers[value] = self._buffer(self.made_in[value])
            elif plan is not None and value in plan.shared:
                self.buffers[value] = self._buffer(plan.shared[value])
            else:
                self.buffers[value] = Buffer("arena", value.type.nbytes)
        return self.buffers[value]

    def _make_results(self) -> list[Buffer]:
        """A buffer for each output: the array that is handed out, unless it is state written in place."""
        results: list[Buffer] = []
        in_place = {j: self.program.inputs[i] for i, j in self.in_place.items()}
        for j, value in enumerate(self.program.outputs):
            if j in in_place:
                results.append(self.buffers[in_place[j]])
                continue
            buffer = Buffer("result", value.type.nbytes, j)
            results.append(buffer)
            if value in self.owner and value not in self.buffers:
                self.buffers[value] = buffer
        return results

    def _write_back(self, results: Sequence[Buffer]) -> None:
        """Copy what several outputs share, and inputs that are outputs, into the arrays that are handed out."""
        copies: list[tuple[Buffer, Buffer, Node | None]] = []
        for value, target in zip(self.program.outputs, results, strict=True):
            source = self._buffer(value)
            if source is not target:
                copies.append((source, target, value.node))
        for source, target, node in copies:
            task = self._copy(source, target, [node] if node is not None else [])
            # The old numbers of state that is written in place are copied before anything else happens.
            if node is None:
                self.tasks.insert(0, task)
            else:
                self.tasks.append(task)

    def _copy(self, source: Buffer, target: Buffer, serves: list[Node]) -> Task:
        nbytes = target.nbytes
        return Task(
            "copy", serves, [source], [target], [Argument(source), Argument(target)], 1, f"copy {nbytes} bytes",
            lambda symbol: specials.build_copy(nbytes, symbol), 0, 2 * nbytes,
        )  # fmt: skip

    def _plan_arena(self) -> MemoryPlan:
        """Places in the arena, by when each buffer is first written and last used."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        found: dict[int, Buffer] = {}
        for i, task in enumerate(self.tasks):
            for buffer in (*task.reads, *task.writes):
                if buffer.kind == "arena":
                    found[id(buffer)] = buffer
                    first.setdefault(id(buffer), i)
                    last[id(buffer)] = i
        order = list(found)
        plan = plan_memory([Lifetime(found[k].nbytes, first[k], last[k]) for k in order])
        for key, offset in zip(order, plan.offsets, strict=True):
            found[key].offset = offset
        return plan

    def _find_commits(self) -> None:
        for task in every_task(self.tasks):
            task.commits = any(b.kind in ("input", "result") for b in task.writes)

    # Tasks
    def _add_group(self, group: Group) -> None:
        if group.kind == "loops":
            self._add_loops(group)
            return
        (node,) = {v.node for v in group.roots if v.node is not None}
        if node.op.name == "matmul" and self._add_product(node, group):
            return
        if node.op.name == "scan" and self._add_loop(node, group):
            return
        if node.op.name == "concat" and node.types[0].size:
            self._add_concat(node, group)
            return
        if specials.is_native(node):
            self._add_special(node, group)
            return
        self._add_numpy(node, group)

    def _add_loops(self, group: Group) -> None:
        plan = self.plans[group]
        partials: dict[Value, Buffer] = {}
        pointers: list[Buffer] = []
        for value in plan.pointers():
            if value in plan.outputs and group.roots[value] in ("column", "total") and plan.chunks > 1:
                cols = plan.cols if group.roots[value] == "column" else 1
                pointers.append(partials.setdefault(value, Buffer("arena", plan.chunks * cols * value.dtype.itemsize)))
            else:
                pointers.append(self._buffer(value))
        if plan.can_fail():
            pointers.append(self.flag)
        reads = [self._buffer(v) for v in plan.inputs]
        writes = [p for v, p in zip(plan.pointers(), pointers, strict=False) if v in plan.outputs]
        writes += [self._buffer(v) for v in plan.shared] + ([self.flag] if plan.can_fail() else [])
        nodes = plan.nodes()
        self.tasks.append(
            Task(
                "loops", nodes, reads, writes, [Argument(p) for p in pointers], plan.chunks, plan.text(),
                lambda symbol: build_kernel(plan, symbol), _flops(nodes), _loop_bytes(plan, reads, writes), plan=plan,
            )
        )  # fmt: skip
        for value, partial in partials.items():
            self._add_combination(value, partial, plan, plan.cols if group.roots[value] == "column" else 1)

    def _add_combination(self, value: Value, partial: Buffer, plan: LoopPlan, cols: int) -> None:
        assert value.node is not None
        name, dtype, chunks, target = value.node.op.name, value.dtype, plan.chunks, self._buffer(value)
        self.tasks.append(
            Task(
                "combine", [value.node], [partial], [target], [Argument(partial), Argument(target)], 1,
                f"combine {name} {dtype.name} {chunks} x {cols}",
                lambda symbol: specials.build_combination(name, dtype, chunks, cols, symbol), (chunks - 1) * cols,
                partial.nbytes + target.nbytes,
            )
        )  # fmt: skip

    def _source(self, value: Value, group: Group) -> tuple[Value, list[Node]]:
        """The value that the group reads from memory for this one, and the movement ops between, the last one first."""
        path = []
        while value.node is not None and value not in group.inputs and value.node.op.name in MOVEMENT:
            path.append(value.node)
            value = value.node.inputs[0]
        return value, path

    def _view(self, value: Value, group: Group) -> tuple[Buffer, View | None]:
        """The buffer that a value's numbers lie in, perhaps moved, and how."""
        base, path = self._source(value, group)
        return self._buffer(base), view_of(value.shape, [(n.op.name, n.params, n.inputs[0].shape) for n in path])

    def _add_product(self, node: Node, group: Group) -> bool:
        """A task for a matrix product; False where it has nothing to multiply or its operands lie unevenly."""
        operands = [self._operand(x, group) for x in node.inputs]
        plan = plan_product(node, [view for _, view in operands])
        if plan is None:
            operands = [self._materialised(x, group) for x in node.inputs]
            plan = plan_product(node, [view for _, view in operands])
        if plan is None or min((plan.rows, plan.cols, plan.inner, *plan.stack)) == 0:
            return False
        self._append_product(node, plan, [buffer for buffer, _ in operands])
        return True

    def _operand(self, x: Value, group: Group) -> tuple[Buffer, View]:
        """Where a factor lies and how: as it is, or laid out as it was before its axes were put in another order."""
        buffer, view = self._view(x, group)
        if view is not None:
            return buffer, view
        turns, shape = [], x.shape
        while x.node is not None and x not in group.inputs and x.node.op.name == "permute":
            turns.append(("permute", x.node.params, x.node.inputs[0].shape))
            (x,) = x.node.inputs
        buffer, _ = self._materialised(x, group)
        view = view_of(shape, turns)
        assert view is not None  # a permute of what lies in rows
        return buffer, view

    def _append_product(self, node: Node, plan: ProductPlan, operands: Sequence[Buffer]) -> None:
        target, size = self._buffer(node.output), plan.dtype.itemsize
        arguments = [
            Argument(buffer, operand.offset * size) for buffer, operand in zip(operands, (plan.x, plan.y), strict=True)
        ]
        arguments.append(Argument(target))
        if not plan.is_tiny:
            arguments += [Argument(None, number) for number in plan.numbers(*self.gemm(plan.dtype))]
        x, y = (v.type for v in node.inputs)
        self.tasks.append(
            Task(
                "product", [node], list(operands), [target], arguments, plan.chunks, plan.text(),
                lambda symbol: build_product(plan, symbol), 2 * plan.multiplications,
                sum(min(b.nbytes, t.nbytes) for b, t in zip(operands, (x, y), strict=True)) + target.nbytes, plan=plan,
            )
        )  # fmt: skip

    def _materialised(self, value: Value, reader: Group) -> tuple[Buffer, View]:
        """The value as it is, row by row: copied into the arena where it does not lie so."""
        rows = View(0, strides_of(value.shape))
        value = _as_it_lies(value, reader.inputs)
        base, path = self._source(value, reader)
        source, target = self._buffer(base), Buffer("arena", value.type.nbytes)
        if base is value:
            return source, rows
        view = view_of(value.shape, [(n.op.name, n.params, n.inputs[0].shape) for n in path])
        if view is not None:
            special = plan_copy(value.shape, view, value.dtype.itemsize)
            self._append_copy(path[::-1], special, Argument(source), Argument(target), value.type.nbytes)
            return target, rows
        group = Group(-1, "loops", size=value.type.size, roots={value: "full"}, inputs={base: None})
        plan = LoopPlan(group, [value])
        self.tasks.append(
            Task(
                "loops", path[::-1], [source], [target], [Argument(source), Argument(target)], plan.chunks, plan.text(),
                lambda symbol: build_kernel(plan, symbol), 0, min(source.nbytes, target.nbytes) + target.nbytes,
                plan=plan,
            )
        )  # fmt: skip
        return target, rows

    def _append_copy(
        self, serves: list[Node], special: specials.Special, source: Argument, target: Argument, nbytes: int
    ) -> None:
        """A task that copies so many bytes, which may stand repeatedly in a source that is smaller."""
        assert source.buffer is not None
        assert target.buffer is not None
        self.tasks.append(
            Task(
                "copy", serves, [source.buffer], [target.buffer], [source, target], special.chunks, special.text,
                special.build, 0, min(source.buffer.nbytes, nbytes) + nbytes,
            )
        )  # fmt: skip

    def _add_concat(self, node: Node, group: Group) -> None:
        """A copy of each part to where it stands."""
        target, shape, axis = self._buffer(node.output), node.types[0].shape, node.params["axis"]
        steps, size, place = strides_of(shape), node.types[0].dtype.itemsize, 0
        for x in node.inputs:
            if x.type.size:
                buffer, view = self._view(x, group)
                if view is None:
                    buffer, view = self._materialised(x, group)
                special = plan_copy(x.shape, view, size, steps)
                whereto = Argument(target, place * steps[axis] * size)
                self._append_copy([node], special, Argument(buffer), whereto, x.type.nbytes)
            place += x.shape[axis]

    def _add_special(self, node: Node, group: Group) -> None:
        special = specials.plan_special(node)
        operands = [self._materialised(x, group)[0] for x in node.inputs]
        target = self._buffer(node.output)
        pointers = [*operands, target, *([self.flag] if special.can_fail else [])]
        scratch = Buffer("arena", special.scratch) if special.scratch else None
        if scratch is not None:
            pointers.append(scratch)
        writes = [target, *([self.flag] if special.can_fail else []), *([scratch] if scratch else [])]
        written = operands[-1] if target in operands else target  # into what stands there, or all anew
        touched = [b for i, b in enumerate(operands) if i not in special.unread and b is not target] + [written]
        self.tasks.append(
            Task(
                node.op.name, [node], operands, writes, [Argument(p) for p in pointers], special.chunks, special.text,
                special.build, _flops([node]), sum(b.nbytes for b in touched),
            )
        )  # fmt: skip

    def _add_loop(self, node: Node, group: Group) -> bool:
        """A loop over the tasks of a program within the program; False where NumPy has a part in them.

        What is carried on lies in one place, where each turn writes it anew.
        """
        params, body = node.params, node.params["program"]
        carries, rows, turns = params["carries"], params["carries"] + params["sequences"], params["length"]
        apart = carries == 0 and not self.alone
        inner = schedule(body, {i: i for i in range(carries)}, self.gemm, self.alone or apart)
        if not inner.is_native:
            return False
        operands = [self._materialised(x, group)[0] for x in node.inputs]
        results = [
            self._buffer(y) if y is not None else Buffer("arena", t.nbytes)
            for y, t in zip(node.outputs, node.types, strict=True)
        ]
        self.tasks += [self._copy(x, y, [node]) for x, y in zip(operands[:carries], results, strict=False)]
        for j in range(carries):
            if j not in inner.in_place.values():
                inner.tasks.append(self._copy(inner.results[j], inner.buffers[body.inputs[j]], [node]))
        find_meetings(inner.tasks)
        inner.tasks[0].meet = not apart and any(task.chunks > 1 for task in every_task(inner.tasks))
        size = -(-inner.memory.peak // ALIGNMENT) * ALIGNMENT
        arena = Buffer("arena", size * (threads().count if apart else 1))
        first = turns - 1 if params["reverse"] else 0
        step = -1 if params["reverse"] else 1

        def place(buffer: Buffer, nbytes: int, moves: bool) -> Place:
            return Place(buffer, first * nbytes, Growth(step * nbytes)) if moves else Place(buffer)

        inputs = [
            place(x, v.type.nbytes, carries <= i < rows)
            for i, (x, v) in enumerate(zip([*results[:carries], *operands[carries:]], body.inputs, strict=True))
        ]
        # What is carried on and cannot be written where it lies waits in a place of its own for the end of the turn.
        outputs = [
            Place(Buffer("arena", y.type.nbytes)) if j < carries else place(results[j], y.type.nbytes, True)
            for j, y in enumerate(body.outputs)
        ]

        def whereto(buffer: Buffer) -> Place:
            if buffer.kind == "arena":
                return Place(arena, buffer.offset, Growth(0, size if apart else 0))
            if buffer.kind == "flag":
                return Place(self.flag)
            if buffer.kind == "constant":
                return Place(buffer)
            return (inputs if buffer.kind == "input" else outputs)[buffer.place]

        tasks = [moved_task(task, whereto, turns) for task in inner.tasks]
        every = list(every_task(tasks))
        self.tasks.append(
            Task(
                "loop", [node], list(dict.fromkeys(b for task in every for b in task.reads)),
                list(dict.fromkeys(b for task in every for b in task.writes)),
                chunks=turns if apart else max(task.chunks for task in every), loop=Loop(turns, tasks, apart),
            )
        )  # fmt: skip
        return True

    def _add_numpy(self, node: Node, group: Group) -> None:
        operands = [(self._materialised(x, group)[0], x.type) for x in node.inputs]
        targets = [(self._buffer(v) if v is not None else None) for v in node.outputs]
        self.tasks.append(
            Task(
                "numpy", [node], [b for b, _ in operands], [t for t in targets if t is not None], node=node,
                operands=operands, flops=_flops([node]),
                nbytes=sum(b.nbytes for b in (*(b for b, _ in operands), *targets) if b is not None),
            )
        )  # fmt: skip


def _checks_within(node: Node) -> bool:
    """Whether a program within the program may find an index out of range."""
    program = node.params.get("program")
    return program is not None and any(n.op.name in CHECKED or _checks_within(n) for n in program.nodes)


def _is_scattered_into(old: Value, new: Value) -> bool:
    """Whether a scatter writes some places of the old numbers and leaves the others as they are."""
    node = new.node
    if node is None or node.op.name not in ("scatter", "scatter_add"):
        return False
    x, *others = node.inputs
    return x is old and old not in map(_as_it_lies, others)


def _as_it_lies(value: Value, stored: Container[Value] = ()) -> Value:
    """The value in whose memory this one lies, if it only has another shape; no further than one that is stored."""
    while value not in stored and value.node is not None and keeps_order(value.node):
        (value,) = value.node.inputs
    return value


def _flops(nodes: Sequence[Node]) -> int:
    return sum(n.op.count_flops([x.type for x in n.inputs], n.params) for n in nodes)


def _loop_bytes(plan: LoopPlan, reads: Sequence[Buffer], writes: Sequence[Buffer]) -> int:
    """Bytes that loops read and write: each buffer once as read, once as written."""
    read: dict[Buffer, int] = {}
    for value, buffer in zip(plan.inputs, reads, strict=True):
        read[buffer] = min(buffer.nbytes, read.get(buffer, 0) + _taken_bytes(value, plan.nodes()))
    return sum(read.values()) + sum(b.nbytes for b in dict.fromkeys(writes) if b.kind != "flag")


def _taken_bytes(value: Value, nodes: Sequence[Node]) -> int:
    """How much of a value is read: a part where it is only sliced, or rows are gathered from it."""
    taken = 0
    for node in nodes:
        for k, x in enumerate(node.inputs):
            if x is value and not (node.op.name == "slice" or (node.op.name == "gather" and k == 0)):
                return value.type.nbytes
            taken += node.types[0].nbytes if x is value else 0
    return taken or value.type.nbytes
