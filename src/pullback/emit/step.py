"""A traced call of a compiled function as an emitted function: what comes in, what is kept, what is returned."""

import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.emit.body import Statement, Store
from pullback.emit.carried import after_passes
from pullback.emit.compiled import TracedCall
from pullback.emit.formulas import LEGEND
from pullback.emit.interface import Argument, call_of, tree_text
from pullback.emit.layout import VIEWS
from pullback.emit.literals import dtype, literal_text, quoted
from pullback.emit.module import QUIET, Function, Module
from pullback.emit.names import Names, local_name
from pullback.emit.state import state_keys, updated_parameters
from pullback.emit.titles import Title, Titles
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Place


class Step:
    """The latest program of a compiled function, named and ready to be written.

    keys: the key in `state` of each tensor that lives from call to call, by the tensor's id.
    numbers: name and present value of each number that is read anew at each call.
    """

    def __init__(self, function: Callable[..., Any], call: TracedCall) -> None:
        self.function = function
        self.traced = call.traced
        self.program, self._originals = after_passes(call.traced.program)
        self.call = call_of(function, call.structure, call.leaves, call.traced)
        self.keys = state_keys(function, self.call, self.traced)
        self.module = Module()
        self.module.reserve(self.program)
        self.name = self.module.names.fresh(_function_name(function))
        self.names = Names(self.module.names)
        results = [self.traced.program.outputs[p.output] for p in self.traced.results if isinstance(p, Place)]
        self.titles = Titles(self.traced.program, results)
        self.inputs: dict[Value, str] = {}
        self.opening: list[Statement] = []
        self.numbers: dict[str, float] = {}
        self.parameters: dict[str, str] = {}
        self._new: dict[Value, Title] = {}
        self._name_inputs()

    # What comes in
    def _name_inputs(self) -> None:
        self.traced.look_up_gradients()
        arguments, state = len(self.traced.arguments), len(self.traced.state)
        values = self.program.inputs
        self.parameters = {name: self.names.fresh(name) for name in self.call.parameters}
        self.state = self.names.fresh("state")
        for value, argument in zip(values[:arguments], self.call.varying, strict=True):
            self._name_argument(value, argument)
        self._check_shapes(values[:arguments])
        for value, read in zip(values[arguments + state :], self.traced.numbers, strict=True):
            self._name_number(value, float(read()))
        for value, tensor in zip(values[arguments : arguments + state], self.traced.state, strict=True):
            self._name_state(value, tensor)
        self.titles.call({self._original(value): name for value, name in self.inputs.items()})

    def _name_argument(self, value: Value, argument: Argument) -> None:
        parameter = self.parameters[argument.parameter]
        access = parameter + argument.access[len(argument.parameter) :]
        name = parameter if access == parameter else self.names.fresh(argument.title)
        rows = ', order="C"' if value.shape else ""
        code = f"{name} = np.asarray({access}, {ast.unparse(dtype(value.dtype))}{rows})"
        self.inputs[value] = name
        self.opening.append(Statement(code, str(value.shape)))

    def _check_shapes(self, values: Sequence[Value]) -> None:
        """Numbers in the program, such as counts and shapes, are those of the arguments that it was traced with."""
        checks = [f"{self.inputs[value]}.shape == {value.shape}" for value in values if value.shape]
        if checks:
            self.opening.append(Statement(f"assert {' and '.join(checks)}"))

    def _name_number(self, value: Value, present: float) -> None:
        name = self.names.fresh(value.name or "number")
        self.inputs[value] = name
        self.numbers[name] = present
        self.opening.append(Statement(f"{name} = np.float64({name})"))

    def _name_state(self, value: Value, tensor: Tensor) -> None:
        array = tensor._value.data
        assert array is not None  # a compiled function has just run
        if id(tensor) in self.keys:
            key = self.keys[id(tensor)]
            name = self.names.fresh(self._local(key))
            code = laid_out(self._in_state(key), array)
        else:  # made inside the function: a constant
            name = self.names.fresh(value.name or "constant")
            code = ast.unparse(self.module.constants.expression(array, name))
        self.inputs[value] = name
        self.opening.append(Statement(f"{name} = {code}", str(value.shape)))

    def _local(self, key: str) -> str:
        return local_name(key, self.titles.numbered)

    def _in_order(self) -> set[Value]:
        """The inputs that lie row by row: arguments are put so, state is where it is written or lies so now."""
        first = len(self.traced.arguments)
        arrays = [tensor._value.data for tensor in self.traced.state]
        state = self.program.inputs[first : first + len(arrays)]
        found = {v for v, a in zip(state, arrays, strict=True) if a is not None and a.flags.c_contiguous}
        return {*found, *self.program.inputs[:first], *self.program.inputs[first + len(arrays) :]}

    # What the values are called
    def _original(self, value: Value) -> Value:
        return self._originals.get(value, value)

    def _title(self, value: Value) -> Title:
        if value in self._new:
            return self._new[value]
        return self.titles.of(self._original(value))

    def _named(self, value: Value, name: str) -> None:
        self.titles.call({self._original(value): name})

    # What is kept and given back
    def _stores(self) -> dict[Value, list[Store]]:
        """State that the function writes."""
        found: dict[Value, list[Store]] = {}
        given = {id(x) for x in self.traced.arguments}
        for write in self.traced.writes:
            if id(write.tensor) not in given:
                value = self.program.outputs[write.output]
                key = self.keys[id(write.tensor)]
                self._title_new(value, self._local(key))
                found.setdefault(value, []).append(self._store(value, key, write.output))
        return found

    def _title_new(self, value: Value, name: str) -> None:
        title = self._title(value)
        if value not in self.inputs and (not title.is_telling or title.text == name):
            self._new.setdefault(value, Title(f"new_{name}", 0))

    def _store(self, value: Value, key: str, output: int) -> Store:
        """The place of a value in the state, in the layout in which the tensor keeps it."""
        as_it_lies = self.traced.differentiable and self.traced.program.outputs[output].requires_grad
        # The caller may write into what was given, so a view of it is copied.
        return Store(self._in_state(key), in_rows=not as_it_lies, copied=self._shows_argument(value))

    def _in_state(self, key: str) -> str:
        return f"{self.state}[{quoted(key)}]"

    def _shows_argument(self, value: Value) -> bool:
        """Whether the value may be a view of an argument."""
        arguments = set(self.program.inputs[: len(self.traced.arguments)])
        while value.node is not None and value.node.op.name in VIEWS and value.node.inputs:
            value = value.node.inputs[-1]
        return value in arguments

    def _late_stores(self) -> dict[Value, list[Store]]:
        """Arguments that the function overwrites, and the gradients that it leaves in `.grad`."""
        found: dict[Value, list[Store]] = {}
        names = {id(x): self.inputs[v] for x, v in zip(self.traced.arguments, self.program.inputs, strict=False)}
        for write in self.traced.writes:
            if id(write.tensor) in names:
                target = Store(f"{names[id(write.tensor)]}[...]")
                found.setdefault(self.program.outputs[write.output], []).append(target)
        for change in self.traced.grad_writes:
            if change.output is not None:
                owner = self.keys.get(id(change.tensor)) or names[id(change.tensor)]
                target = Store(self._in_state(f"{owner}.grad"))
                found.setdefault(self.program.outputs[change.output], []).append(target)
        return found

    def _closing(self, written: Callable[[Value], str]) -> str:
        outputs = self.program.outputs
        if self.traced.structure.kind is None and self.traced.results[0] is None:
            return ""
        leaves = (written(outputs[x.output]) if isinstance(x, Place) else literal_text(x) for x in self.traced.results)
        found = tree_text(self.traced.structure, leaves)
        bare = issubclass(self.traced.structure.kind or object, tuple) and len(self.traced.structure.children) > 1
        return f"return {found[1:-1] if bare else found}"

    # The text
    def text(self, guide: str = "", imports: Sequence[str] = (), closing: Sequence[str] = ()) -> str:
        """The module: the function, under `guide` in the introduction, before `closing`."""
        stores = self._stores()
        self.module.add(
            Function(
                head=f"{QUIET}\ndef {self.signature}:",
                program=self.program,
                names=self.names,
                inputs=self.inputs,
                title_of=self._title,
                original=self._original,
                named=self._named,
                closing=self._closing,
                in_order=self._in_order(),
                opening=self.opening,
                stores=stores,
                late=self._late_stores(),
                parameters=updated_parameters(self.traced, self.keys),
                late_heading="what stands in .grad at the end",
            )
        )
        return self.module.text(self._introduction(guide), imports, closing)

    @property
    def signature(self) -> str:
        """The function's name and parameters."""
        numbers = [f"{name}={value!r}" for name, value in self.numbers.items()]
        kept = self.keys or any(change.output is not None for change in self.traced.grad_writes)
        shown = [*([self.state] if kept else []), *self.parameters.values(), *(["*", *numbers] if numbers else [])]
        return f"{self.name}({', '.join(shown)})"

    def _introduction(self, guide: str) -> str:
        rows = [*self._state_rows()]
        kept = (
            [f"`{self.state}` is what lives from call to call; the function updates it:", "", *rows, ""] if rows else []
        )
        fixed = [f"    {name} = {_shortly(value)}" for name, value in self.call.fixed.items()]
        made = ["It was written for these arguments, which do not vary:", "", *fixed, ""] if fixed else []
        code = getattr(self.function, "__code__", None)
        place = f" of {Path(code.co_filename).name}:{code.co_firstlineno}" if code else ""
        first = f'"""One call of `{self.name}`{place} in plain NumPy, written out by Pullback, with the same bits.'
        backward = any(node.origin.of is not None for node in self.program.nodes)
        rest = "\n".join([*kept, *made, *([LEGEND, ""] if backward else []), guide]).strip("\n")
        return f'{first}\n\n{rest}\n"""' if rest else f'{first}"""'

    def _state_rows(self) -> Iterator[str]:
        for key, kind in self.state_types().items():
            yield f"    {key:<32} {kind.dtype.name:<8} {kind.shape}"

    def state_types(self) -> dict[str, Type]:
        """Key and type of each tensor in the state."""
        tensors = [*self.traced.state, *(write.tensor for write in self.traced.writes)]
        return {self.keys[id(x)]: x._value.type for x in tensors if id(x) in self.keys}

    def state_arrays(self) -> dict[str, Array]:
        """The present state, as arrays by key."""
        self.traced.look_up_gradients()
        tensors = [*self.traced.state, *(write.tensor for write in self.traced.writes)]
        return {self.keys[id(x)]: np.asarray(x._value.data) for x in tensors if id(x) in self.keys}


def laid_out(text: str, array: Array) -> str:
    """Code that reads an array that was stored row by row and makes it lie in memory as this one does."""
    if array.flags.c_contiguous:
        return text
    repeated = [
        axis for axis, (n, step) in enumerate(zip(array.shape, array.strides, strict=True)) if n > 1 and not step
    ]
    if repeated:
        cut = ", ".join(":1" if axis in repeated else ":" for axis in range(max(repeated) + 1))
        return f"np.broadcast_to({text}[{cut}], {array.shape})"
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    back = ", ".join(str(int(axis)) for axis in np.argsort(order))
    return f"np.ascontiguousarray({text}.transpose({', '.join(map(str, order))})).transpose({back})"


def _function_name(function: Callable[..., Any]) -> str:
    name: str = getattr(function, "__name__", "step")
    return "function" if name == "<lambda>" else name


def _shortly(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 and "\n" not in text and " at 0x" not in text else f"<{type(value).__name__}>"
