"""The tensor: a box that holds a value. In-place methods refill the box; values never change."""

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pullback.base.dtypes import Array, DType, from_numpy_dtype
from pullback.base.errors import DTypeError, GradientError, ShapeError, TraceError
from pullback.base.shapes import Shape
from pullback.ir.mode import edits, mode
from pullback.ir.node import Value, leaked
from pullback.ir.origin import user_frame
from pullback.ir.types import Type
from pullback.ops import detach


class Tensor:
    """An n-dimensional array that knows how its gradient is found.

    Made by `pb.tensor`, `pb.zeros` and the like rather than by this class. Names, arguments and meaning are
    PyTorch's; the differences are in docs/differences.md (a tensor is a value: views do not share memory).

    >>> import pullback as pb
    >>> w = pb.tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    tensor([2., 4.])

    Source: torch.Tensor.
    """

    __slots__ = ("__dict__", "__weakref__", "_alias_of", "_grad", "_value", "is_number", "is_view", "label")
    __array_priority__ = 1000  # so that NumPy arrays on the left leave the operator to us

    def __init__(self, value: Value) -> None:
        self._value = value
        self._grad: Tensor | None = None
        self._alias_of: Tensor | None = None
        self.is_view = False  # made by indexing or reshaping another tensor
        self.is_number = False  # stands for a Python number, which gives way in dtype promotion
        self.label = ""  # the name in programs and emitted code, when something better than a guess is known

    # What the box holds
    @property
    def value(self) -> Value:
        """The value in the box; inside a compiled function, its place in the program."""
        recorder = mode.recorder
        if recorder is not None and self._value.scope is not recorder:
            recorder.lift(self)
        return self._value

    def assign(self, value: Value) -> None:
        """Put another value of the same shape and dtype into the box."""
        if value.type != self._value.type:
            raise ShapeError(f"a tensor {self._value.type} cannot be overwritten in place with {value.type}")
        self.refill(value)

    def refill(self, value: Value) -> None:
        """Put any value into the box."""
        edits.count += 1
        if mode.recorder is not None:
            mode.recorder.before_write(self)
        if self.is_leaf and not value.requires_grad:
            value = as_leaf(value, self, self.requires_grad)
        self._value = value
        if self._alias_of is not None:
            self._alias_of.refill(value)

    @property
    def data(self) -> "Tensor":
        """The same numbers without a gradient; what is written into it in place is written into this tensor."""
        alias = Tensor(without_gradient(self.value))
        alias._alias_of = self
        return alias

    @data.setter
    def data(self, other: "Tensor") -> None:
        self.refill(without_gradient(other.value))

    # Gradients
    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is computed for this tensor."""
        if mode.recorder is not None:
            mode.recorder.watch_requires_grad(self)
        return self._value.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Say whether gradients are collected in `.grad` of this leaf; the tensor itself.

        Raises GradientError for integer tensors and for tensors that are results.
        """
        if requires_grad and not self.dtype.is_floating_point:
            raise DTypeError(f"only tensors of floats can require gradients; this one is {self.dtype.name}")
        if not self.is_leaf and not requires_grad:
            raise GradientError("requires_grad can be switched off on leaves alone; use detach() on a result")
        if self.is_leaf and requires_grad != self._value.requires_grad:
            if mode.recorder is not None:
                raise TraceError("requires_grad is switched outside compiled functions, not within")
            edits.count += 1
            self._value = as_leaf(self._value, self, requires_grad)
        return self

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that `backward()` left here, or None. Each call of `backward()` adds to it."""
        if mode.recorder is not None:
            mode.recorder.watch_grad(self)
        return self._grad

    @grad.setter
    def grad(self, gradient: "Tensor | None") -> None:
        if not isinstance(gradient, Tensor | None):
            raise DTypeError(f"a gradient is a tensor or None; got {type(gradient).__name__}")
        if gradient is not None and (gradient.shape != self.shape or gradient.dtype is not self.dtype):
            raise ShapeError(f"the gradient of {self._value.type} has that type too; got {gradient._value.type}")
        if mode.recorder is not None:
            mode.recorder.before_grad_write(self)
        edits.count += 1
        self._grad = gradient

    @property
    def is_leaf(self) -> bool:
        """True unless the tensor is the result of differentiable operations."""
        return self._value.is_leaf

    @property
    def grad_fn(self) -> Any:
        """The node that made this tensor, or None for a leaf. It knows the op, the inputs and the user's line."""
        return None if self.is_leaf else self._value.node

    def retain_grad(self) -> None:
        """Collect the gradient of this result in `.grad` as for a leaf."""
        if not self.requires_grad:
            raise GradientError("retain_grad() needs a tensor that requires a gradient")
        self._value.owner = weakref.ref(self)

    def register_hook(self, hook: Callable[["Tensor"], "Tensor | None"]) -> "HookHandle":
        """Call `hook(gradient)` when the gradient of this tensor is complete; what it returns replaces the gradient.

        The handle that comes back has `remove()`.

        Source: torch.Tensor.register_hook.
        """
        if not self.requires_grad:
            raise GradientError("a hook needs a tensor that requires a gradient")

        def on_value(g: Value) -> Value | None:
            replaced = hook(Tensor(g))
            return None if replaced is None else replaced.value

        edits.count += 1
        if self._value.hooks is None:
            self._value.hooks = []
        self._value.hooks.append(on_value)
        return HookHandle(self._value.hooks, on_value)

    def detach(self) -> "Tensor":
        """The same numbers in a tensor through which no gradient flows."""
        return Tensor(without_gradient(self.value))

    # What it is
    @property
    def type_(self) -> Type:
        """Shape and dtype together."""
        return self._value.type

    @property
    def shape(self) -> Shape:
        """The shape."""
        return self._value.type.shape

    @property
    def dtype(self) -> DType:
        """The dtype."""
        return self._value.type.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    # Out to Python and NumPy
    def array(self, purpose: str = "its numbers are read") -> Array:
        """The numbers themselves, not to be written to; TraceError inside a compiled function."""
        data = self._value.data
        if data is None and mode.recorder is None:
            raise leaked(self._value)
        if data is None or mode.recorder is not None:
            frame = user_frame()
            place = f" at {frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
            raise TraceError(
                f"inside a compiled function a tensor has no numbers yet, but {purpose}{place}. Choose by value with "
                "pb.where(condition, a, b), return the tensor and look at it outside, or leave this function uncompiled"
            )
        return data

    def numpy(self) -> Array:
        """A NumPy array with a copy of the numbers.

        Raises GradientError when the tensor requires a gradient (write `.detach().numpy()`).
        """
        if self.requires_grad:
            raise GradientError("this tensor requires a gradient; write .detach().numpy()")
        return self.array("numpy() was called").copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        data = self.array("NumPy asked for them")
        return data.astype(dtype or data.dtype, copy=True)

    def item(self) -> Any:
        """The one number of a tensor with one element, as a Python number."""
        data = self.array("item() was called")
        if data.size != 1:
            raise ShapeError(f"item() needs one element; this tensor has the shape {self.shape}")
        return data.reshape(()).astype(np.float64).item() if self.dtype.name == "bfloat16" else data.item()

    def tolist(self) -> Any:
        """The numbers as nested lists."""
        data = self.array("tolist() was called")
        return (data.astype(np.float64) if self.dtype.name == "bfloat16" else data).tolist()

    def __bool__(self) -> bool:
        data = self.array("its truth decides a branch")
        if data.size != 1:
            raise ShapeError(f"the truth of a tensor with {data.size} elements is unclear; use .any() or .all()")
        return bool(data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.is_floating_point:
            raise DTypeError(f"an index must be an integer; got a tensor of {self.dtype.name}")
        return int(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("a tensor without dimensions has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return iter([self[i] for i in range(len(self))])

    def __hash__(self) -> int:
        return id(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tensor":
        if not self.is_leaf:
            raise GradientError("only leaves can be copied deeply; use detach() or clone()")
        twin = type(self).__new__(type(self))
        Tensor.__init__(twin, self.value)
        twin.__dict__.update(self.__dict__)
        twin._value = as_leaf(self._value, twin, self._value.requires_grad)
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> Any:
        raise TypeError("tensors are not pickled; save them with pb.save (safetensors) or numpy.savez")

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The functions of this room, attached as methods by `tensor.methods`."""

        def __getitem__(self, key: Any) -> "Tensor": ...
        def __setitem__(self, key: Any, new: Any) -> None: ...
        def __neg__(self) -> "Tensor": ...
        def __invert__(self) -> "Tensor": ...
        def _operator(self, other: Any) -> "Tensor": ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __floordiv__ = __mod__ = __pow__ = __rpow__ = __matmul__ = __and__ = __or__ = __xor__ = _operator
        __lt__ = __le__ = __gt__ = __ge__ = _operator
        __eq__ = __ne__ = _operator  # type: ignore[assignment]  # gives a tensor, not a bool


class HookHandle:
    """Takes a hook away again."""

    def __init__(self, hooks: list[Callable[[Value], Value | None]], hook: Callable[[Value], Value | None]) -> None:
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Take the hook away; it is not called any more."""
        if self._hook in self._hooks:
            edits.count += 1
            self._hooks.remove(self._hook)


def as_leaf(value: Value, tensor: Tensor, requires_grad: bool) -> Value:
    """A value with these numbers and no past, whose gradient goes to the tensor."""
    if value.data is None:  # part of a program: its past is the program's
        leaf = without_gradient(value)
    else:
        leaf = Value(value.type, np.ascontiguousarray(value.data) if value.data.ndim else value.data)
    leaf.requires_grad = requires_grad
    leaf.owner = weakref.ref(tensor) if requires_grad else None
    leaf.hooks = tensor._value.hooks if tensor.is_leaf else None  # a leaf keeps its hooks when it is written to
    return leaf


def without_gradient(value: Value) -> Value:
    """The value as a constant."""
    if value.data is not None:
        return Value(value.type, value.data)
    return detach(value)


def from_array(array: Array) -> Tensor:
    """A tensor that holds this array itself, which must not be written to afterwards."""
    return Tensor(Value(Type(array.shape, from_numpy_dtype(array.dtype)), array))
