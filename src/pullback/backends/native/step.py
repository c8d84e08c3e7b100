"""A traced function on the native backend: one native call, which writes the state it changes where it stands.

Tensors are values: who holds an array may trust that its numbers stay. So a step owns the memory of the state that it
writes, and before each call it asks Python how many hold each array. When somebody else does (a snapshot, a graph of
eager ops), the state moves to memory of its own first, and the old array is left to them.
"""

import ctypes
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, call, is_
from typing import Any

import numpy as np

from pullback.backends.native.executable import Executable, address_of, empty_array
from pullback.backends.native.holders import Holders
from pullback.backends.native.profile import profile
from pullback.backends.native.runtime import Plan
from pullback.backends.report import Report
from pullback.base.dtypes import Array
from pullback.base.trees import LEAF
from pullback.ir.mode import edits
from pullback.ir.node import Value, leaked
from pullback.ir.program import Program
from pullback.ir.types import Type
from pullback.passes import run_native_passes
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Outputs, Place, Traced

# Results up to this size are copied out of memory that stays; for larger ones a new array is bound for each call.
_SMALL_BYTES = 1 << 14
_VALUE, _GRAD = attrgetter("_value"), attrgetter("_grad")


def _data_pointer_is_third_word() -> bool:
    """Whether an array's address stands where NumPy's C structure has it, behind the two words of every object."""
    array = np.zeros(3)
    return ctypes.c_void_p.from_address(id(array) + 2 * ctypes.sizeof(ctypes.c_void_p)).value == address_of(array)


if _data_pointer_is_third_word():
    _OFFSET = 2 * ctypes.sizeof(ctypes.c_void_p)

    def fast_address_of(array: Array) -> int:
        """Where the array's numbers begin, in a sixth of the time that NumPy takes to say."""
        return ctypes.c_int64.from_address(id(array) + _OFFSET).value
else:
    fast_address_of = address_of


class NativeStep:
    """Runs one traced form of a function."""

    def __init__(self, traced: Traced, program: Program) -> None:
        self.traced = traced
        self.arguments = len(traced.arguments)
        looked_up = {id(read.stand_in) for read in traced.gradients}  # stands for another tensor at each call
        written = {id(write.tensor): write.output for write in traced.writes if id(write.tensor) not in looked_up}
        replaced = {
            self.arguments + i: written[id(x)]
            for i, x in enumerate(traced.state)
            if id(x) in written and x.is_leaf and x._alias_of is None
        }
        self.executable = Executable(run_native_passes(program), replaced)
        self.calls = 0
        self._lock = threading.RLock()  # the words that a call fills in are there once
        self.numbers = np.zeros(max(len(traced.numbers), 1), np.float64)
        for k in range(len(traced.numbers)):
            number = self.arguments + len(traced.state) + k
            self.executable.bind_input(number, self.numbers[k : k + 1], address_of(self.numbers) + 8 * k)
        self._readers = list(enumerate(traced.numbers))
        self._sort_state()
        self._sort_results()

    # What is bound once, and what at each call
    def _sort_state(self) -> None:
        in_place = self.executable.in_place
        state = list(enumerate(self.traced.state, self.arguments))
        self._owned = [(i, x) for i, x in state if i in in_place]
        self._owned_tensors = [x for _, x in self._owned]
        self._owners: list[Value] = [x._value for x in self._owned_tensors]
        self._only_read = [(i, x) for i, x in state if i not in in_place]
        self._read_tensors = [x for _, x in self._only_read]
        self._seen: list[Any] = [None] * len(self._only_read)  # weak references to the values that are bound
        self._needs_arrays = any(not isinstance(plan, Plan) for plan in self.executable.plans)
        self._holders = Holders()  # of what is overwritten: values and arrays, and the tensors of gradients
        self._is_noted = False  # whether they were counted while nobody but us held anything
        self._seen_edits = -1  # how many edits of tensors there were when all was last found in place

    def _sort_results(self) -> None:
        traced, outputs = self.traced, self.executable.program.outputs
        in_place = set(self.executable.in_place.values())
        self._writes = [w for w in traced.writes if w.output not in in_place]
        self._grad_writes = [g for g in traced.grad_writes if g.output is None]
        places = [p.output for p in traced.results if isinstance(p, Place)]
        needed = {*places, *(w.output for w in self._writes)}
        left = [g for g in traced.grad_writes if g.output is not None]
        # A gradient is left in the same tensor each time. One that is handed out, too, is a new one each time, and so
        # is one that the step reads before, or would overwrite before all indices are known to be right.
        given = {id(x) for x in (*traced.arguments, *(read.tensor for read in traced.gradients))}
        early = self.executable.schedule.early
        is_fresh = [g.output in needed or g.output in early or id(g.tensor) in given for g in left]
        self._grad_writes += [g for g, fresh in zip(left, is_fresh, strict=True) if fresh]
        left = [g for g, fresh in zip(left, is_fresh, strict=True) if not fresh]
        self._kept_grads = [g.output for g in left if g.output is not None]
        self._grad_tensors = [g.tensor for g in left]
        self._grads: list[Any] = [None] * len(left)
        fresh = sorted({*needed, *(g.output for g in self._grad_writes if g.output is not None)})
        self._fresh = fresh
        self._small: list[tuple[int, Type, Array]] = []
        self._large: list[tuple[int, Type]] = []
        for j in fresh:
            type = outputs[j].type
            if type.nbytes <= _SMALL_BYTES:
                array = empty_array(type)
                self.executable.bind_result(j, array, address_of(array))
                self._small.append((j, type, array))
            else:
                self._large.append((j, type))
        only = self.traced.results[0] if len(self.traced.results) == 1 and self.traced.structure == LEAF else None
        self._only_result = only.output if isinstance(only, Place) else None

    # A call
    def __call__(self, given: Sequence[Tensor], undisturbed: bool = False) -> Any:
        """Run on these arguments; the function's result. `undisturbed` says that this was just asked."""
        outputs = self.run(given, undisturbed)
        if self._only_result is not None and not self._writes and not self._grad_writes:
            return Tensor(outputs[self._only_result])
        return self.distribute(given, outputs)

    def values(self, given: Sequence[Tensor]) -> list[Value]:
        """Run on these arguments; the program's outputs, with a stand-in for each that is written in place."""
        found = self.run(given)
        return [found.get(j) or Value(y.type) for j, y in enumerate(self.executable.program.outputs)]

    def run(self, given: Sequence[Tensor], undisturbed: bool = False) -> dict[int, Value]:
        """Run on these arguments; the outputs that are handed out, by number. State and gradients are written."""
        executable = self.executable
        with self._lock:
            if not undisturbed and not self.is_undisturbed():
                self.take_over_state()
            for i, x in enumerate(given):
                array = _ready_array(x._value)
                executable.bind_input(i, array, fast_address_of(array))
            self.read_numbers()
            results: dict[int, Value] = {}
            for j, type in self._large:
                array = empty_array(type)
                executable.bind_result(j, array, fast_address_of(array))
                results[j] = Value(type, array)
            executable.run()
            self.calls += 1
            for j, type, array in self._small:
                results[j] = Value(type, array.copy())
            if not self._is_noted:
                self._note_holders()
        return results

    def report(self, name: str, seconds: float) -> Report:
        """What the step does and how fast, measured for about so many seconds on copies of its state."""
        with self._lock:
            for k in range(len(self._only_read)):
                self._bind(k)
            try:
                return profile(self.executable, self.arguments, name, self.calls, seconds)
            finally:
                self._let_go()

    def read_numbers(self) -> Array:
        """Fetch the learning rates and other numbers as they are now."""
        numbers = self.numbers
        for k, read in self._readers:
            numbers[k] = read()
        return numbers

    # Many calls in one
    def stays_in_place(self) -> bool:
        """Whether a call leaves nothing to be put in place by Python: no state in new memory, no fresh gradients."""
        return not self._writes and not any(g.output is not None or g.other is not None for g in self._grad_writes)

    def result_numbers(self) -> list[int]:
        """The numbers of the outputs that are handed out."""
        return self._fresh

    def run_window(self, given: Sequence[Tensor], results: Mapping[int, Array], run: Callable[[], Any]) -> None:
        """Let `run` run the tasks on these arguments, with results going into these arrays.

        Raises IndexOutOfRange as a call does; the steps before the one with a wrong index are done then.
        """
        executable = self.executable
        with self._lock:
            if not self.is_undisturbed():
                self.take_over_state()
            for i, x in enumerate(given):
                array = _ready_array(x._value)
                executable.bind_input(i, array, address_of(array))
            for j, array in results.items():
                executable.bind_result(j, array, address_of(array))
            try:
                run()
                executable.check_flag()
            finally:
                for j, _, array in self._small:
                    executable.bind_result(j, array, address_of(array))
            for change in self._grad_writes:
                change.tensor.grad = None
            if not self._is_noted:
                self._note_holders()

    def distribute(self, given: Sequence[Tensor], outputs: Outputs) -> Any:
        """Write what is not written in place, and give the function's result; `outputs` are values by number."""
        stand_ins = {id(x): mine for x, mine in zip(self.traced.arguments, given, strict=True)}
        self.traced.put(outputs, self._writes, self._grad_writes, stand_ins)
        return self.traced.result_of(outputs)

    # State
    def is_undisturbed(self) -> bool:
        """Whether all state is where it was, and nobody else holds what is about to be overwritten."""
        if not self._is_noted or (edits.count != self._seen_edits and not self._is_in_place()):
            return False
        self._seen_edits = edits.count
        return self._holders.are_same()

    def _is_in_place(self) -> bool:
        """Whether every tensor concerned has the value, and every parameter the gradient, that it was left with."""
        return (
            all(map(is_, map(_VALUE, self._owned_tensors), self._owners))
            and all(map(is_, map(call, self._seen), map(_VALUE, self._read_tensors)))
            and all(map(is_, map(_GRAD, self._grad_tensors), self._grads))
        )

    def take_over_state(self) -> None:
        """Own what is written, bind what is read. What somebody else holds is left to them."""
        self._take_over()  # in a function of its own, whose names are gone when holders are counted
        # Before the run, so that whoever takes a snapshot meanwhile on another thread is found to hold it.
        self._holders.note()

    def _take_over(self) -> None:
        alone = self._still_alone()
        for k, (i, x) in enumerate(self._owned):
            if not alone[k] or x._value is not self._owners[k]:
                self._own(k, i, x)
        for k in range(len(self._only_read)):
            self._bind(k)
        self._let_go()
        for k, kept in enumerate(self._kept_grads):
            if not alone[len(self._owned) + k] or self._grad_tensors[k]._grad is not self._grads[k]:
                type = self.executable.program.outputs[kept].type
                array = empty_array(type)
                self._grads[k] = Tensor(Value(type, array))
                self.executable.bind_result(kept, array, address_of(array))
        held = [x for value in self._owners for x in _parts(value)]
        self._holders.watch([*held, *(x for grad in self._grads for x in (grad, *_parts(grad._value)))])
        self._is_noted = False

    def _bind(self, k: int) -> None:
        """Have the step read the present numbers of a state that it does not write."""
        number, x = self._only_read[k]
        array = _ready_array(x._value)
        self.executable.bind_input(number, array, address_of(array))
        self._seen[k] = weakref.ref(x._value)

    def _let_go(self) -> None:
        """Do not hold what values keep alive: another step that writes it must find that nobody shares it."""
        for number, x in self._only_read:
            if not self._needs_arrays and self.executable.bound_inputs.get(number) is x._value.data:
                self.executable.let_go(number)

    def _still_alone(self) -> list[bool]:
        """For each owned state and kept gradient, whether nobody else holds it."""
        if not self._is_noted:
            return [False] * (len(self._owned) + len(self._grads))
        same = self._holders.alone()
        states, grads = same[: 3 * len(self._owned)], same[3 * len(self._owned) :]
        return [all(states[k : k + 3]) for k in range(0, len(states), 3)] + [
            all(grads[k : k + 4]) for k in range(0, len(grads), 4)
        ]

    def _note_holders(self) -> None:
        """After a call that took state over: show the gradients, which their parameters hold from now on."""
        self._show_gradients()
        self._holders.note(3 * len(self._owned))
        self._is_noted = True

    def _show_gradients(self) -> None:
        for parameter, gradient in zip(self._grad_tensors, self._grads, strict=True):
            parameter._grad = gradient
            edits.count += 1

    def _own(self, k: int, number: int, x: Tensor) -> None:
        """Move the tensor's numbers into memory that nobody else knows."""
        value = x._value
        array = empty_array(value.type)
        np.copyto(array, _ready_array(value))
        fresh = Value(value.type, array, value.requires_grad)
        fresh.owner, fresh.hooks, fresh.name = value.owner, value.hooks, value.name
        x._value = self._owners[k] = fresh
        edits.count += 1  # other steps may have bound the old numbers
        self.executable.bind_input(number, array, address_of(array))


def _parts(value: Value) -> tuple[Any, ...]:
    """What others may hold of a value: itself, its array, and the memory, which is what views of the array hold."""
    assert value.data is not None
    return value, value.data, value.data.base


def _ready_array(value: Value) -> Array:
    """The value's numbers, row by row in memory."""
    array = value.data
    if array is None:
        raise leaked(value)
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C")
