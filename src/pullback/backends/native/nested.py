"""The tasks of a program within a program, put to work on the memory of the program around it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pullback.backends.native.tasks import Argument, Buffer, Growth, Loop, Task


@dataclass(frozen=True)
class Place:
    """Where a buffer of the inner program lies in one of the outer program's, in the first turn, and how it moves."""

    buffer: Buffer
    offset: int = 0
    growth: Growth = Growth()  # noqa: RUF009  # an immutable tuple


Whereto = Callable[[Buffer], Place]


def moved_task(task: Task, whereto: Whereto, turns: int) -> Task:
    """The task, done in each turn of a loop, on the memory that `whereto` names for its own."""
    loop = task.loop and Loop(
        task.loop.turns, [moved_task(inner, whereto, turns) for inner in task.loop.tasks], task.loop.apart
    )
    return replace(
        task,
        reads=[whereto(buffer).buffer for buffer in task.reads],
        writes=[whereto(buffer).buffer for buffer in task.writes],
        arguments=[_moved(argument, whereto) for argument in task.arguments],
        loop=loop,
        times=task.times * turns,
    )


def _moved(argument: Argument, whereto: Whereto) -> Argument:
    if argument.buffer is None:
        return argument
    place = whereto(argument.buffer)
    return Argument(place.buffer, argument.number + place.offset, (place.growth, *argument.growth))
