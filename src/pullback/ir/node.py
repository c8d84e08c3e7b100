"""Values, the nodes that make them, and the record that says everything about an op."""

import itertools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, DType
from pullback.base.errors import GradientError, TraceError
from pullback.base.shapes import Shape
from pullback.ir.mode import mode
from pullback.ir.origin import Origin, capture
from pullback.ir.types import Type

_serials = itertools.count()


class Value:
    """One immutable array: known (`data`) when ops run at once, or to be computed by a program.

    A value that depends on a differentiable one keeps the `node` that made it. `requires_grad` says that a
    gradient may be asked for.
    """

    __slots__ = (
        "__weakref__", "beside", "data", "gradient_of", "hooks", "index", "is_leaf", "name", "node", "owner",
        "requires_grad", "scope", "type",
    )  # fmt: skip

    def __init__(self, type: Type, data: Array | None = None, requires_grad: bool = False) -> None:
        self.type = type
        self.data = data
        self.requires_grad = requires_grad
        self.is_leaf = True
        self.scope: Any = None  # the recorder whose program the value belongs to
        self.node: Node | None = None
        self.index = 0
        self.name = ""
        self.gradient_of: tuple[Value, ...] = ()  # in a program: the values whose gradient (or part of it) this is
        self.beside: tuple[Value, ...] = ()  # outputs of the same node that its gradient needs: alive as long as this
        self.owner: Any = None  # weak reference to the leaf tensor that collects the gradient
        self.hooks: list[Callable[[Value], Value | None]] | None = None

    @property
    def shape(self) -> Shape:
        """The shape."""
        return self.type.shape

    @property
    def dtype(self) -> DType:
        """The dtype."""
        return self.type.dtype

    # Operators, so that the gradient of an op reads like its formula.
    def __add__(self, other: "Operand") -> "Value":
        return OPS["add"](self, other)

    def __sub__(self, other: "Operand") -> "Value":
        return OPS["sub"](self, other)

    def __rsub__(self, other: "Operand") -> "Value":
        return OPS["sub"](other, self)

    def __mul__(self, other: "Operand") -> "Value":
        return OPS["mul"](self, other)

    def __truediv__(self, other: "Operand") -> "Value":
        return OPS["div"](self, other)

    def __neg__(self) -> "Value":
        return OPS["neg"](self)

    __radd__ = __add__
    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"Value({self.name or hex(id(self))}: {self.type})"


Operand = Value | float | int | bool


class Node:
    """One application of an op. It knows its outputs weakly: an output that nobody holds is dead."""

    __slots__ = ("__weakref__", "_outputs", "inputs", "op", "origin", "params", "released", "serial", "types")

    def __init__(
        self, op: "Op", inputs: tuple[Value, ...], params: dict[str, Any], outputs: Sequence[Value], origin: Origin
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.params = params
        self.origin = origin
        self.released = False
        self.serial = next(_serials)
        self.types = tuple(value.type for value in outputs)
        self._outputs = tuple(weakref.ref(value) for value in outputs)
        for index, value in enumerate(outputs):
            value.node, value.index = self, index

    @property
    def outputs(self) -> tuple[Value | None, ...]:
        """The outputs, with None for each that nobody holds any more."""
        return tuple(ref() for ref in self._outputs)

    @property
    def output(self) -> Value:
        """The output of an op that has one."""
        (value,) = self.outputs
        if value is None:
            raise GradientError(f"the output of {self.op.name} from {self.origin} is gone")
        return value

    def release(self) -> None:
        """Let go of the inputs, after the backward pass has used them."""
        self.inputs = ()
        self.released = True

    def __repr__(self) -> str:
        return f"Node({self.op.name} from {self.origin})"


# Values some of which nobody needs, or has.
Values = Sequence[Value | None]
# The gradient of one input: from g (the gradient at the output), the output and the inputs.
InputGradient = Callable[..., Value | None]
# The gradients of all inputs of an op with many inputs or outputs, from gs, outputs, inputs and params.
JointGradient = Callable[..., Values]


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """Everything that is known about an op.

    name:     as it stands in programs and emitted code.
    rule:     types and params -> the type of the output (a tuple of types when there are several). Errors about
              shapes and dtypes are born here.
    meaning:  arrays and params -> the array, in NumPy. This is the definition; emitted code is made from it.
    gradient: one function per input, `(g, y, *inputs, **params) -> value`, written in ops (None for an input
              that has no gradient), or one function for all of them, or None for an op that has no gradient.
    formula:  the op in the notation of the docs; `backward` is the same for the gradient of each input.
    flops:    floating-point operations per element of the output, or a function of types and params.
    """

    name: str
    rule: Callable[..., Type | tuple[Type, ...]]
    meaning: Callable[..., Any]
    gradient: tuple[InputGradient | None, ...] | JointGradient | None
    formula: str
    backward: tuple[str, ...] = ()
    flops: int | Callable[..., int] = 1
    doc: str = field(default="", repr=False)

    def __call__(self, *inputs: Operand, **params: Any) -> Value:
        """Apply the op; its output."""
        return self.apply(inputs, params)[0]

    def apply(self, inputs: Sequence[Operand], params: dict[str, Any]) -> tuple[Value, ...]:
        """Apply the op; all its outputs. Numbers become constants of the other inputs' shape and dtype."""
        return bind(self, _as_values(inputs), params)

    def infer(self, inputs: Sequence[Type], params: dict[str, Any]) -> tuple[Type, ...]:
        """The types of the outputs."""
        types = self.rule(*inputs, **params)
        return types if isinstance(types, tuple) else (types,)

    def run(self, arrays: Sequence[Array], params: dict[str, Any]) -> tuple[Array, ...]:
        """The outputs as arrays, computed by the meaning. The caller silences NumPy, once for many."""
        if "dtype" in params:
            params = params | {"dtype": params["dtype"].numpy}
        results = self.meaning(*arrays, **params)
        return tuple(map(np.asarray, results)) if isinstance(results, tuple) else (np.asarray(results),)

    def pull(self, node: Node, gs: Values) -> Values:
        """The gradients at the inputs of `node`, given those at its outputs."""
        if self.gradient is None:
            raise GradientError(f"{self.name} has no gradient")
        if not isinstance(self.gradient, tuple):
            return self.gradient(gs, node.outputs, node.inputs, node.params)
        (g,) = gs
        return [
            rule(g, node.output, *node.inputs, **node.params) if rule is not None and x.requires_grad else None
            for rule, x in zip(self.gradient, node.inputs, strict=True)
        ]

    def count_flops(self, inputs: Sequence[Type], params: dict[str, Any]) -> int:
        """Floating-point operations of one application."""
        if isinstance(self.flops, int):
            return self.flops * sum(t.size for t in self.infer(inputs, params))
        return self.flops(*inputs, **params)

    def count_bytes(self, inputs: Sequence[Type], params: dict[str, Any]) -> int:
        """Bytes read and written by one application."""
        return sum(t.nbytes for t in (*inputs, *self.infer(inputs, params)))

    def __repr__(self) -> str:
        return f"Op({self.name})"


OPS: dict[str, Op] = {}


def _as_values(inputs: Sequence[Operand]) -> tuple[Value, ...]:
    if all(isinstance(x, Value) for x in inputs):
        return tuple(inputs)  # type: ignore[arg-type]  # just checked
    like = next(x for x in inputs if isinstance(x, Value))
    full = OPS["full"]
    return tuple(x if isinstance(x, Value) else full(value=x, shape=like.shape, dtype=like.dtype) for x in inputs)


def bind(op: Op, inputs: tuple[Value, ...], params: dict[str, Any]) -> tuple[Value, ...]:
    """Apply `op`: run it at once, or write it to the program that is being recorded."""
    recorder = mode.recorder
    if recorder is not None:
        inputs = tuple([x if x.scope is recorder else recorder.admit(x) for x in inputs])
    types = op.infer([x.type for x in inputs], params)
    tracked = mode.grad and op.gradient is not None and any(x.requires_grad for x in inputs)
    if recorder is None:
        with np.errstate(all="ignore"):  # NaN and infinity are results, not accidents
            arrays = op.run(_arrays(inputs), params)
        outputs = [Value(t, a) for t, a in zip(types, arrays, strict=True)]
    else:
        outputs = [Value(t) for t in types]
    if tracked:
        beside = tuple(outputs[len(outputs) - params.get("saved", 0) :])
        for value in outputs:
            value.requires_grad = value.dtype.is_floating_point
            value.is_leaf = not value.requires_grad
            value.beside = beside if value not in beside else ()
    if recorder is not None:
        recorder.write(Node(op, inputs, params, outputs, capture()), outputs)
    elif tracked:
        Node(op, inputs, params, outputs, capture())
    return tuple(outputs)


def _arrays(values: Sequence[Value]) -> list[Array]:
    arrays = [value.data for value in values]
    for value, array in zip(values, arrays, strict=True):
        if array is None:
            raise leaked(value)
    return arrays  # type: ignore[return-value]  # none is None here


def leaked(value: Value) -> TraceError:
    """The error for a value that was made inside a compiled function and is used outside of it."""
    made_at = f" (at {value.node.origin})" if value.node is not None else ""
    return TraceError(
        f"a tensor made inside a compiled function{made_at} was kept and used outside of it, where it has no numbers; "
        "return it from the function instead"
    )
