"""Parameters: the tensors of a module that training changes."""

from typing import Any

from pullback.base.errors import DTypeError
from pullback.tensor.creation import empty, tensor
from pullback.tensor.printing import tensor_text
from pullback.tensor.tensor import Tensor, as_leaf


class Parameter(Tensor):
    """A tensor that becomes a parameter of the module it is assigned to.

    It holds the numbers of `data` (a tensor, an array or nested lists) and requires a gradient unless told otherwise.

    Raises DTypeError for integers, unless requires_grad is False.

    >>> import pullback as pb
    >>> pb.nn.Parameter(pb.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)

    Source: torch.nn.Parameter.
    """

    __slots__ = ()

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        source = empty(0) if data is None else data if isinstance(data, Tensor) else tensor(data)
        if requires_grad and not source.dtype.is_floating_point:
            raise DTypeError(
                f"a parameter that requires a gradient holds floats; got {source.dtype.name}: "
                "cast it with .float(), or pass requires_grad=False"
            )
        super().__init__(source.value)
        self._value = as_leaf(source.value, self, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + tensor_text(Tensor(self._value))
