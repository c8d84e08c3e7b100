"""What a schedule is made of: buffers, tasks that work on them and loops of tasks; and its words for the executor."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pullback.backends.native.executor_ir import BLOCK
from pullback.backends.native.plan_loops import LoopPlan
from pullback.backends.native.products import ProductPlan
from pullback.base.dtypes import Array
from pullback.ir.node import Node


@dataclass(eq=False)
class Buffer:
    """A piece of memory: `kind` is `input`, `constant`, `result`, `arena` or `flag`; `place` its number among those.

    `offset` is the first byte, for the arena once memory is planned.
    """

    kind: str
    nbytes: int
    place: int = 0
    offset: int = 0
    array: Array | None = None


class Growth(NamedTuple):
    """By how many bytes an address moves on from turn to turn of a loop, and from thread to thread."""

    per_turn: int = 0
    per_thread: int = 0


@dataclass
class Argument:
    """One 64-bit word that a kernel gets: a buffer's address and an offset in bytes, or a number.

    `growth` tells for each loop that the kernel is in, the outermost first, how the address moves.
    """

    buffer: Buffer | None = None
    number: int = 0
    growth: tuple[Growth, ...] = ()


@dataclass
class Loop:
    """Tasks that are done in each of so many turns; `apart` says that threads share the turns out among them.

    A loop over turns is the op `scan`; tasks of kind "loops" are loops over the places of arrays.
    """

    turns: int
    tasks: list["Task"]
    apart: bool


@dataclass
class Task:
    """A kernel on its arguments, a loop over tasks, or a node that NumPy computes.

    `text` tells equal kernels, `build` writes one's LLVM module under the name it is given. `reads` and `writes` are
    the buffers touched. `serves` are the program's nodes that the task computes.
    """

    kind: str
    serves: list[Node]
    reads: list[Buffer]
    writes: list[Buffer]
    arguments: list[Argument] = field(default_factory=list)
    chunks: int = 1
    text: str = ""
    build: Callable[[str], str] | None = None
    flops: int = 0
    nbytes: int = 0
    meet: bool = False  # threads wait for one another before it
    node: Node | None = None
    operands: list[tuple[Buffer, Any]] = field(default_factory=list)  # of NumPy: buffers and types
    commits: bool = False  # writes what outlives the run: must not run after an error
    plan: LoopPlan | ProductPlan | None = None  # how loops and products are cut
    loop: Loop | None = None
    times: int = 1  # how often it is done in a run


def every_task(tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks in the order in which the executor lists them: each loop, then what is in it."""
    for task in tasks:
        yield task
        if task.loop is not None:
            yield from every_task(task.loop.tasks)


def words_of(task: Task, depth: int = 0) -> tuple[list[Argument], list[int]]:
    """A task's arguments, and for each task that the executor lists for it where its own begin.

    Those of the tasks in a loop are counted within the loop's arguments. `depth` is the number of loops around.
    """
    if task.loop is None:
        return task.arguments, [0]
    inside: list[Argument] = []
    places: list[int] = []
    for inner in task.loop.tasks:
        arguments, (first, *others) = words_of(inner, depth + 1)
        places += [first + len(inside), *others]
        inside += arguments
    growths = [a.growth[depth] if len(a.growth) > depth else Growth() for a in inside]
    table = np.array([[g.per_turn for g in growths], [g.per_thread for g in growths]], np.int64)
    header = [Argument(None, task.loop.turns), Argument(None, len(places)), Argument(None, len(inside))]
    header.append(Argument(Buffer("constant", table.nbytes, array=table)))
    assert len(header) == BLOCK
    return [*header, *inside], [0, *places]


def find_meetings(tasks: Sequence[Task]) -> None:
    """Where threads must wait for one another: memory that a task touches was touched since they last met."""
    since: list[Task] = []
    for task in tasks:
        if task.node is not None:
            since = []
            continue
        if any(_collide(task, earlier) for earlier in since):
            task.meet, since = True, []
        since.append(task)


def _collide(task: Task, earlier: Task) -> bool:
    """Whether two tasks touch the same memory, one of them writing, on what may be different threads."""
    if task.chunks == 1 and earlier.chunks == 1:
        return False  # thread 0 runs both
    return any(_overlap(a, b) for a in task.writes for b in (*earlier.reads, *earlier.writes)) or any(
        _overlap(a, b) for a in task.reads for b in earlier.writes
    )


def _overlap(a: Buffer, b: Buffer) -> bool:
    if a is b:
        return True
    if a.kind != "arena" or b.kind != "arena":
        return False
    return a.offset < b.offset + max(b.nbytes, 1) and b.offset < a.offset + max(a.nbytes, 1)
