"""`@pb.compile`: a Python function, normally a whole training step, traced once into a program and run by a backend."""

import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pullback.backends.choose import BACKENDS, Step, default_backend
from pullback.backends.epochs import run_over
from pullback.backends.left_behind import check_nothing_left_behind
from pullback.backends.report import Report
from pullback.base.dtypes import Array, float64
from pullback.base.errors import ArgumentError, TraceError, suggest
from pullback.base.settings import get_default_dtype
from pullback.base.trees import Structure, flatten, unflatten
from pullback.grad.checkpoint import recompute
from pullback.ir.mode import edits, mode
from pullback.ir.node import Node, Value
from pullback.ir.origin import capture
from pullback.ir.program import Program
from pullback.ir.types import Type
from pullback.ops import call
from pullback.passes import run_passes
from pullback.tensor.creation import tensor
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Traced, trace

_tracing = threading.RLock()


@dataclass(eq=False)
class Entry:
    """One traced form of a function: its program as traced, the one that is shown, and the step that runs it.

    `structure` and `leaves` are the call `(args, kwargs)` that was traced, with stand-ins where a leaf may vary.
    `same` holds the arguments that must be the very tensors of the trace, because the function reads them besides.
    """

    traced: Traced
    program: Program
    step: Step
    structure: Structure
    leaves: list[Any]
    same: dict[int, Tensor]

    def __post_init__(self) -> None:
        self._touched = self.traced.touched()
        self._mode = mode.grad, get_default_dtype()
        self._epoch: tuple[Any, Any] = None, None
        self._seen = -1  # how many edits there were when all guards were looked at
        self._uncounted = [guard for guard in self.traced.guards if not guard.is_counted]
        # The types of the arguments where they are just tensors, so that most calls are checked in a microsecond.
        types = tuple(x._value.type for x in self.leaves if type(x) is Tensor)
        plain = self.structure == flatten((tuple(self.leaves), {}))[1] and are_plain(self.leaves, types)
        self._plain = types if plain and not self.same and len(self.traced.arguments) == len(types) else None

    def takes(self, args: tuple[Any, ...]) -> bool:
        """Whether these arguments and everything else are as they were at the trace, looked at quickly."""
        types = self._plain
        if types is None or not are_plain(args, types):
            return False
        if self.traced.gradients:
            self.traced.look_up_gradients()
        ids = set(map(id, args))
        if len(ids) != len(args) or not ids.isdisjoint(self._touched):
            return False
        grad, dtype = self._mode
        if mode.grad is not grad or get_default_dtype() is not dtype or not self.step.is_undisturbed():
            return False
        guards = self._uncounted if edits.count == self._seen else self.traced.guards
        for guard in guards:  # a loop takes half the time of a generator
            if guard.read() != guard.expected:
                return False
        self._seen = edits.count
        return True

    def holds(self, given: Sequence[Tensor]) -> bool:
        """Whether everything that the function's course depended on is as it was."""
        self.traced.look_up_gradients()
        inputs = self.traced.program.inputs[len(self.traced.arguments) :]
        return (
            all(given[i] is x for i, x in self.same.items())
            and not any(id(x) in self._touched for x in given)
            and all(guard.read() == guard.expected for guard in self.traced.guards)
            and all(
                x._value.type == value.type and x._value.requires_grad == value.requires_grad
                for x, value in zip(self.traced.state, inputs, strict=False)
            )
        )

    def __call__(self, given: Sequence[Tensor], undisturbed: bool = False) -> Any:
        """Run on these arguments, write what is written, give the result. `undisturbed` when `takes` was just asked."""
        if not (mode.grad and self.traced.differentiable):
            return self.step(given, undisturbed)
        # The graph that grows outside holds what state and arguments are now.
        before = [x._value for x in (*given, *self.traced.state)]
        numbers = [np.asarray(read(), np.float64) for read in self.traced.numbers]
        values = self.step.values(given)
        self._connect(before, numbers, values)
        return self.step.distribute(given, values)

    def epoch(self, make: Callable[..., Any], given: Sequence[Tensor], sources: Sequence[Array] | None) -> Any:
        """This form as a native epoch over these whole arrays, or over a batch that stays; kept for the next time."""
        key = tuple(map(id, (*given, *(sources or ()))))
        kept, epoch = self._epoch
        if kept != key:  # what is kept holds them all, so that none has another's id
            epoch = make(self.step, given, sources)
            self._epoch = key, epoch
        return epoch

    def _connect(self, before: Sequence[Value], numbers: Sequence[Array], values: Sequence[Value]) -> None:
        """Make the results differentiable outside, by running the program again for the backward pass."""
        inputs = [*before, *(Value(Type((), float64), number) for number in numbers)]
        outputs = self.traced.program.outputs
        # What is written into leaves has no past.
        grows = [y.requires_grad and not y.is_leaf for y in outputs]
        connected = [v if grown else Value(v.type) for v, grown in zip(values, grows, strict=True)]
        Node(call, tuple(inputs), {"program": self.traced.program, "rule": recompute}, connected, capture())
        for value, grown in zip(values, grows, strict=True):
            if grown:
                value.requires_grad, value.is_leaf = True, False


def are_plain(args: Sequence[Any], types: Sequence[Type]) -> bool:
    """Whether the arguments are tensors of these types that have and require no gradient."""
    if len(args) != len(types):
        return False
    for x, wanted in zip(args, types, strict=True):
        if x.__class__ is not Tensor:
            return False
        value = x._value
        differs = value.type is not wanted and value.type != wanted
        if differs or value.requires_grad or x._grad is not None or x.is_number:
            return False
    return True


class Compiled:
    """A function that runs as a compiled program. Called like the function itself.

    `traces` counts how often it was traced: once for each combination of shapes, dtypes and mode.
    """

    def __init__(self, function: Callable[..., Any], backend: str | None) -> None:
        backend = default_backend() if backend is None else backend
        if backend not in BACKENDS:
            raise ArgumentError(
                f"there is no backend {backend!r}.{suggest(backend, BACKENDS)} Known are {', '.join(BACKENDS)}"
            )
        if not callable(function) or inspect.isgeneratorfunction(function):
            kind = "a generator" if callable(function) else f"a {type(function).__name__}"
            raise ArgumentError(f"compile takes a function or a module that gives its result at once; got {kind}")
        self.function = function
        functools.update_wrapper(self, function, updated=())
        self.backend = backend
        self.traces = 0
        self.latest: Entry | None = None
        self._entries: dict[Hashable, list[Entry]] = {}
        self.rooms: dict[Hashable, list[Tensor]] = {}  # where batches that are gathered natively go, by their types

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if mode.recorder is not None:  # within another compiled function: part of its program
            return self.function(*args, **kwargs)
        latest = self.latest
        if latest is not None and not kwargs and latest.takes(args):
            return latest(args, undisturbed=True)
        entry, given = self._entry(args, kwargs)
        return entry(given)

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Entry, list[Tensor]]:
        """The traced form for these arguments, traced now where none holds; and the tensors among them."""
        leaves, structure = flatten((args, kwargs))
        dynamic = [_as_dynamic(x) for x in leaves]
        places = {id(x): i for i, x in reversed(list(enumerate(dynamic))) if x is not None}
        given = [x for i, x in enumerate(dynamic) if x is not None and places[id(x)] == i]
        aliases = tuple(places[id(x)] for x in dynamic if x is not None)  # which arguments are one tensor
        key = (structure, tuple(map(_leaf_key, leaves, dynamic)), aliases, mode.grad, get_default_dtype())
        entry = self._known(key, given)
        if entry is None:
            with _tracing:  # two forms of one function would write the same state side by side
                entry = self._known(key, given)
                if entry is None:
                    entry = self._traced(leaves, structure, dynamic, given)
                    self._entries.setdefault(key, []).append(entry)
        self.latest = entry
        return entry, given

    def _known(self, key: Hashable, given: Sequence[Tensor]) -> Entry | None:
        return next((e for e in self._entries.get(key, ()) if e.holds(given)), None)

    def over(self, batches: Iterable[Any], *, advance: Callable[[], Any] | None = None, most: int = 0) -> Iterator[Any]:
        """Call the function on batch after batch, many steps in one native call where that can be.

        batches: a DataLoader, or anything that gives batches; the function is called with the parts of each.
        advance: called after each step, such as `schedule.step`.
        most: how many steps may go by before results are handed out; as many as take about 50 ms when 0.

        Gives the function's results, those of several steps at once: each tensor stacked over the steps. They are the
        same bits as those of calling step by step. Where batches are rows of whole arrays (a DataLoader of a
        TensorDataset) they are gathered inside, and Python only watches: between two portions it sees Ctrl-C.

        >>> import pullback as pb
        >>> w = pb.zeros(1)
        >>> @pb.compile
        ... def step(x):
        ...     w.add_(x.sum())
        ...     return w.sum()
        >>> loader = pb.utils.data.DataLoader(pb.utils.data.TensorDataset(pb.arange(6.0)), batch_size=2)
        >>> [loss for losses in step.over(loader) for loss in losses.tolist()]
        [1.0, 6.0, 15.0]

        Source: jax.lax.scan, for the idea.
        """
        return run_over(self, batches, advance, most)

    def report(self, seconds: float = 0.5) -> Report:
        """What the form of the function that ran last does, how fast each part is, and what memory it needs.

        Measured for about so many seconds, on copies of the state: nothing is trained, no random number is drawn.
        The report prints as a table; `kernels` has its rows, `to_dict()` gives everything for JSON.

        Raises TraceError before the first call.

        >>> import pullback as pb
        >>> double = pb.compile(lambda x: 2 * x)
        >>> _ = double(pb.ones(3))
        >>> [kernel.ops for kernel in double.report(seconds=0.01).kernels]
        [('mul', 'full')]
        """
        name = getattr(self.function, "__name__", type(self.function).__name__)
        if self.latest is None or not self.latest.step.calls:
            raise TraceError(f"{name} has not run yet, so that there is nothing to report; call it once with a batch")
        return self.latest.step.report(name, seconds)

    def _traced(
        self, leaves: Sequence[Any], structure: Structure, dynamic: Sequence[Tensor | None], given: Sequence[Tensor]
    ) -> Entry:
        """Trace with stand-ins for the arguments, or with an argument itself where its identity matters.

        That is where it has a gradient already, which the function may add to, and where the function reads the same
        tensor besides.
        """
        same = {i: x for i, x in enumerate(given) if x._grad is not None}
        stand_ins = [same.get(i, _stand_in(x)) for i, x in enumerate(given)]
        traced, stood_in = self._trace(leaves, structure, dynamic, given, stand_ins)
        read_besides = {i: x for i, x in enumerate(given) if id(x) in traced.touched()}
        if read_besides:
            same |= read_besides
            stand_ins = [same.get(i, x) for i, x in enumerate(stand_ins)]
            traced, stood_in = self._trace(leaves, structure, dynamic, given, stand_ins)
        program = run_passes(traced.program)
        self.traces += 1
        return Entry(traced, program, BACKENDS[self.backend](traced, program), structure, stood_in, same)

    def _trace(
        self,
        leaves: Sequence[Any],
        structure: Structure,
        dynamic: Sequence[Tensor | None],
        given: Sequence[Tensor],
        stand_ins: list[Tensor],
    ) -> tuple[Traced, list[Any]]:
        place = {id(x): stand_in for x, stand_in in zip(given, stand_ins, strict=True)}
        stood_in = [leaf if x is None else place[id(x)] for leaf, x in zip(leaves, dynamic, strict=True)]
        args, kwargs = unflatten(structure, stood_in)
        traced = trace(lambda: self.function(*args, **kwargs), stand_ins)
        check_nothing_left_behind(self.function, (args, kwargs), structure, stood_in)
        return traced, stood_in

    def __getattr__(self, name: str) -> Any:
        """What the function or module itself has, such as a compiled module's `parameters()`."""
        if name == "function":  # not set yet
            raise AttributeError(name)
        return getattr(self.function, name)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: compiled with the instance as its first argument."""
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", self.function)
        return f"<compiled {name} on {self.backend}, traced {self.traces} times>"


def _as_dynamic(leaf: Any) -> Tensor | None:
    """The leaf as a tensor when it varies from call to call; None for what the program is made for."""
    if isinstance(leaf, Tensor):
        return leaf
    if isinstance(leaf, np.ndarray):
        return tensor(leaf)
    if isinstance(leaf, float):
        number = tensor(leaf, dtype=float64)
        number.is_number = True
        return number
    return None


def _leaf_key(leaf: Any, dynamic: Tensor | None) -> Hashable:
    if dynamic is not None:
        return dynamic._value.type, dynamic._value.requires_grad, dynamic.is_number, dynamic._grad is None
    try:
        hash(leaf)
    except TypeError:
        return id(leaf)
    return type(leaf), leaf


def _stand_in(x: Tensor) -> Tensor:
    """The tensor that stands for an argument while the function is traced."""
    made = Tensor(Value(x._value.type, requires_grad=x._value.requires_grad))
    made.is_number = x.is_number
    if x._value.requires_grad:
        made._value.owner = weakref.ref(made)
    return made


def compile(function: Callable[..., Any] | None = None, *, backend: str | None = None) -> Any:
    """Compile a function: it is traced once for each combination of shapes, dtypes and mode, and runs as one program.

    Inside, `loss.backward()`, `optimizer.step()`, in-place methods and random draws are traced like everything else.
    Tensors, arrays and Python floats among the arguments vary from call to call; tensors that the function reads or
    writes besides are its state, and what it writes is written back; learning rates and counters are state, too.
    Every other argument is fixed: another value is another program.

    Python values that the function reads besides, such as a float `self.scale` or its own counter, are fixed when it is
    traced, and changing them later changes nothing: pass them as arguments, or keep them in a tensor, for instance a
    buffer of the module. What the function does to Python objects happens once, at the trace; so stepping a schedule
    and setting a parameter group's rate inside are errors.

    Raises TraceError, at the line, for what a program cannot do: a branch on a tensor's value, `item()`, a mask whose
    number of elements depends on values.

    >>> import pullback as pb
    >>> w = pb.ones(2, requires_grad=True)
    >>> @pb.compile
    ... def step(x, lr):
    ...     loss = ((w * x) ** 2).sum()
    ...     w.grad = None
    ...     loss.backward()
    ...     with pb.no_grad():
    ...         w.sub_(lr * w.grad)
    ...     return loss
    >>> step(pb.ones(2), 0.25), step(pb.ones(2), 0.125), step.traces
    (tensor(2.), tensor(0.5000), 1)

    Source: torch.compile, jax.jit.
    """
    if function is None:
        return functools.partial(compile, backend=backend)
    return Compiled(function, backend)
