"""Tracing: a Python function becomes a program, with the tensors that it reads and writes as inputs and outputs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from pullback.base.dtypes import float64
from pullback.base.trees import Structure, flatten, unflatten
from pullback.ir.mode import mode
from pullback.ir.node import Value, leaked
from pullback.ir.origin import user_frame
from pullback.ir.program import Program, Recorder, live_nodes, recording
from pullback.ir.types import Type
from pullback.ops import full
from pullback.tensor.tensor import Tensor


@dataclass(slots=True)
class Write:
    """A box that the function refilled: `output` is the place of its new value among the program's outputs."""

    tensor: Tensor
    output: int


@dataclass(slots=True)
class GradWrite:
    """A `.grad` that the function changed: to an output of the program, to another tensor, or to None."""

    tensor: Tensor
    output: int | None = None
    other: Tensor | None = None


@dataclass(slots=True, eq=False)
class Guard:
    """Something that the function's course depended on: it holds while `read()` still gives `expected`.

    `is_counted` says that it cannot change without being counted among the edits of tensors.
    """

    read: Callable[[], Any]
    expected: Any
    is_counted: bool = False


# A program's outputs, by number: all of them, or those that are needed.
Outputs = Sequence[Value] | Mapping[int, Value]


@dataclass(slots=True)
class Traced:
    """A function as a program.

    The program's inputs are the arguments, then the tensors in `state`, then the numbers read by `numbers`.
    Its outputs are the function's results (`results` gives the place of each leaf of `structure`, or the leaf
    itself when it is no tensor), then what is written. `differentiable` says that some result requires a gradient
    and that the function did not go backward itself.
    """

    program: Program
    arguments: list[Tensor]
    state: list[Tensor]
    numbers: list[Callable[[], float]]
    structure: Structure
    results: list[Any]
    writes: list[Write]
    grad_writes: list[GradWrite]
    guards: list[Guard]
    differentiable: bool
    gradients: list["GradientRead"] = field(default_factory=list)

    def look_up_gradients(self) -> None:
        """Have the stand-ins of gradients hold the gradients that their tensors have now."""
        for read in self.gradients:
            if read.tensor._grad is not None:
                read.stand_in._value = read.tensor._grad._value

    def looked_up(self) -> dict[int, Tensor]:
        """By the id of its stand-in, each gradient that the function reads."""
        return {id(read.stand_in): g for read in self.gradients if (g := read.tensor._grad) is not None}

    def touched(self) -> set[int]:
        """The ids of the tensors, besides the arguments, that the function reads or writes."""
        own = {id(x) for x in self.arguments}
        written = [*(write.tensor for write in self.writes), *(change.tensor for change in self.grad_writes)]
        return {id(x) for x in (*self.state, *written)} - own

    def distribute(self, outputs: Sequence[Value], stand_ins: dict[int, Tensor] | None = None) -> Any:
        """Write what the program gave into the tensors concerned; the function's result.

        `stand_ins` maps the id of each argument of the trace to the tensor that was given in its place.
        """
        self.put(outputs, self.writes, self.grad_writes, stand_ins or {})
        return self.result_of(outputs)

    def put(
        self, outputs: Outputs, writes: Sequence[Write], grad_writes: Sequence[GradWrite], stand_ins: dict[int, Tensor]
    ) -> None:
        """Write these outputs into the tensors and gradients concerned."""
        actual = stand_ins | self.looked_up()
        for write in writes:
            actual.get(id(write.tensor), write.tensor).refill(outputs[write.output])
        for change in grad_writes:
            fresh = None if change.output is None else Tensor(outputs[change.output])
            other = actual.get(id(change.other), change.other)
            actual.get(id(change.tensor), change.tensor).grad = fresh if change.other is None else other

    def result_of(self, outputs: Outputs) -> Any:
        """The function's result, with these outputs in the places of its tensors."""
        leaves = [Tensor(outputs[x.output]) if isinstance(x, Place) else x for x in self.results]
        return unflatten(self.structure, leaves)


@dataclass(frozen=True, slots=True)
class GradientRead:
    """A tensor whose `.grad` the function reads, what that was at the trace, and the tensor that stands for it.

    Each `backward()` outside may put another tensor there, so the program's state is whatever is there at a call.
    """

    tensor: Tensor
    before: Tensor
    stand_in: Tensor


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a result among the program's outputs."""

    output: int


@dataclass(slots=True, eq=False)
class _Box:
    """What a tensor held before the trace, and the input that stands for it."""

    tensor: Tensor
    before: Value
    input: Value | None


@dataclass(slots=True)
class _GradBox:
    tensor: Tensor
    before: Tensor | None


@dataclass
class Trace(Recorder):
    """Records a function. Tensors from outside become inputs when they are first read."""

    parent: Recorder | None = None
    boxes: dict[int, _Box] = field(default_factory=dict)
    grads: dict[int, _GradBox] = field(default_factory=dict)
    numbers: list[tuple[Value, Callable[[], float]]] = field(default_factory=list)
    guards: dict[Any, Guard] = field(default_factory=dict)
    gradients: dict[int, GradientRead] = field(default_factory=dict)
    hooked: list[tuple[Tensor, list[Any] | None]] = field(default_factory=list)  # tensors and the hooks they had
    went_backward: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    # What tensors tell the trace
    def lift(self, tensor: Tensor) -> None:
        """The tensor is read: its box holds an input of the program from now on."""
        before = tensor._value
        if before.data is None and not self._comes_from_outside(before):
            raise leaked(before)
        self.argument(tensor).name = tensor.label or _local_name(tensor)

    def _comes_from_outside(self, value: Value) -> bool:
        outer = self.parent
        while outer is not None and value.scope is not outer:
            outer = getattr(outer, "parent", None)
        return outer is not None

    def argument(self, tensor: Tensor) -> Value:
        """The tensor stands for an argument of the function; the input that its box holds from now on."""
        before = tensor._value
        value = tensor._value = self.input(before.type, before.requires_grad)
        value.owner = before.owner
        if before.requires_grad:
            value.hooks = _hooks_of(before)
            self.hooked.append((tensor, _hooks_of(before)))
        self.boxes[id(tensor)] = _Box(tensor, before, value)
        return value

    def admit(self, value: Value) -> Value:
        """The value from outside; one through which a gradient flows is read as the tensor that holds it would be."""
        if value not in self._admitted and (value.requires_grad or self._comes_from_outside(value)):
            self._admitted[value] = self.argument(Tensor(value))
        return super().admit(value)

    def before_write(self, tensor: Tensor) -> None:
        """The box is about to be refilled."""
        if tensor._value.scope is not self:
            self.boxes[id(tensor)] = _Box(tensor, tensor._value, None)

    def _is_outside(self, tensor: Tensor) -> bool:
        return tensor._value.scope is not self or id(tensor) in self.boxes

    def watch_requires_grad(self, tensor: Tensor) -> None:
        """The function's course depends on whether the tensor requires a gradient."""
        if tensor._value.scope is not self:
            guard = Guard(lambda: tensor._value.requires_grad, tensor._value.requires_grad, True)
            self.guards.setdefault(("requires_grad", id(tensor)), guard)

    def watch_grad(self, tensor: Tensor) -> None:
        """The function's course depends on whether the tensor has a gradient already."""
        if self._is_outside(tensor) and id(tensor) not in self.grads:
            gradient = tensor._grad
            absent = gradient is None
            if gradient is not None and id(tensor) not in self.gradients and gradient._value.scope is not self:
                stand_in = Tensor(gradient._value)
                stand_in.label = gradient.label
                self.gradients[id(tensor)] = GradientRead(tensor, gradient, stand_in)
                tensor._grad = stand_in
            self.guards.setdefault(("grad", id(tensor)), Guard(lambda: tensor._grad is None, absent, True))

    def before_grad_write(self, tensor: Tensor) -> None:
        """The tensor is about to get another `.grad`."""
        if self._is_outside(tensor) and id(tensor) not in self.grads:
            self.grads[id(tensor)] = _GradBox(tensor, tensor._grad)

    def number(self, read: Callable[[], float], name: str) -> Value:
        """An input that holds the number that `read()` gives at each call."""
        value = self.input(Type((), float64))
        value.name = name
        self.numbers.append((value, read))
        return value

    # The end
    def restore(self) -> None:
        """Give every tensor back what it held before."""
        for box in self.boxes.values():
            box.tensor._value = box.before
        for grad in self.grads.values():
            grad.tensor._grad = grad.before
        for read in self.gradients.values():
            read.tensor._grad = read.before
        self.boxes.clear()  # the program's values know their recorder, which must not keep what tensors held alive
        self.grads.clear()
        self.gradients.clear()

    def finish(self, arguments: Sequence[Tensor], result: Any) -> Traced:
        """The program, and what to do with its inputs and outputs."""
        if self.hooked:
            tensors, expected = zip(*self.hooked, strict=True)
            # Where the last hook was taken away, an empty list is left: that is as good as none.
            self.guards["hooks"] = Guard(
                lambda: [hooks or None for hooks in map(_HOOKS, tensors)], list(expected), True
            )
        leaves, structure = flatten(result)
        outputs: list[Value] = []

        def place(value: Value) -> int:
            outputs.append(value)
            return len(outputs) - 1

        results = [Place(place(leaf.value)) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        differentiable = not self.went_backward and any(y.requires_grad for y in outputs)
        refilled = [box.tensor for box in self.boxes.values() if box.tensor._value is not box.input]
        writes = [Write(tensor, place(tensor.value)) for tensor in refilled]
        grad_writes = [self._grad_write(g, place) for g in self.grads.values() if g.tensor._grad is not g.before]
        given = [self.boxes[id(x)] for x in arguments]
        read = [box for box in self.boxes.values() if box.input is not None and box not in given]
        inputs = [*(box.input for box in (*given, *read) if box.input is not None), *(v for v, _ in self.numbers)]
        return Traced(
            program=Program(tuple(inputs), live_nodes(self.nodes, outputs), tuple(outputs)),
            arguments=list(arguments),
            state=[box.tensor for box in read],
            numbers=[number for _, number in self.numbers],
            structure=structure,
            results=results,
            writes=writes,
            grad_writes=grad_writes,
            guards=list(self.guards.values()),
            differentiable=differentiable,
            gradients=list(self.gradients.values()),
        )

    def _grad_write(self, box: _GradBox, place: Callable[[Value], int]) -> GradWrite:
        now = box.tensor._grad
        if now is None:
            return GradWrite(box.tensor)
        if self._is_outside(now):
            return GradWrite(box.tensor, other=now)
        return GradWrite(box.tensor, output=place(now.value))


def _hooks_of(value: Value) -> list[Any] | None:
    """The hooks on the gradient of a value, as they are now."""
    return list(value.hooks) if value.hooks else None


_HOOKS = attrgetter("_value.hooks")


def _local_name(tensor: Tensor) -> str:
    """The variable that holds the tensor where the user's code is now; for emitted code."""
    frame = user_frame()
    names = frame.f_locals if frame is not None else {}
    return next((name for name, thing in names.items() if thing is tensor), "")


def trace(function: Callable[[], Any], arguments: Sequence[Tensor] = ()) -> Traced:
    """Run `function` once, recording; every tensor holds afterwards what it held before.

    The `arguments` are the tensors that the function takes: they become the program's leading inputs.
    """
    recorder = Trace(mode.recorder)
    with recording(recorder):
        try:
            for tensor in arguments:
                recorder.argument(tensor)
            return recorder.finish(arguments, function())
        finally:
            recorder.restore()


def eagerly() -> AbstractContextManager[None]:
    """Run what is inside at once even within a compiled function: for making state that outlives the call."""
    return recording(None)


def live_number(read: Callable[[], float], name: str = "") -> Tensor:
    """A number that may change from step to step, as a float64 tensor that gives way in dtype promotion.

    Inside a compiled function it is an input that is read anew at each call, so that changing it compiles nothing;
    emitted code calls it by its name.
    """
    recorder = mode.recorder
    value = recorder.number(read, name) if isinstance(recorder, Trace) else full(value=read(), shape=(), dtype=float64)
    tensor = Tensor(value)
    tensor.is_number = True
    return tensor


def watched(read: Callable[[], Any], key: Any = None, is_counted: bool = False) -> Any:
    """What `read()` gives; a compiled function that asked is traced anew when the answer changes.

    `is_counted` says that it cannot change without being counted among the edits of tensors.
    """
    found = read()
    if isinstance(mode.recorder, Trace):
        mode.recorder.guards.setdefault(("watched", key or object()), Guard(read, found, is_counted))
    return found
