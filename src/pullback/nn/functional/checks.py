"""What every loss checks at its beginning."""

from pullback.base.dtypes import bool_
from pullback.base.errors import DTypeError, ShapeError
from pullback.ir.mode import mode
from pullback.tensor.tensor import Tensor


def numbers_are_known() -> bool:
    """Whether tensors hold numbers that can be checked: not while a program is being recorded."""
    return mode.recorder is None


def check_tensor(name: str, role: str, x: object) -> None:
    """Raise DTypeError for what is no tensor."""
    if not isinstance(x, Tensor):
        raise DTypeError(f"{name} needs a tensor as {role}; got {type(x).__name__}: write pb.tensor(...)")


def check_pair(name: str, input: Tensor, target: Tensor, shapes: bool = True, promotes: bool = False) -> None:
    """Raise DTypeError unless both are floats of one dtype, ShapeError unless both have one shape.

    Where a loss promotes, its target may be of any dtype but bool.
    """
    check_tensor(name, "input", input)
    check_tensor(name, "target", target)
    if not input.dtype.is_floating_point:
        raise DTypeError(f"{name} needs an input of floats; got {input.dtype.name}: write input.float()")
    if target.dtype is not input.dtype and (not promotes or target.dtype is bool_):
        raise DTypeError(
            f"{name} needs a target of the input's dtype, {input.dtype.name}; got {target.dtype.name}: "
            "write target.to(input.dtype)"
        )
    if shapes and input.shape != target.shape:
        raise ShapeError(
            f"{name} needs input and target of one shape; got {input.shape} and {target.shape}. "
            f"{_remedy(input, target)}"
        )


def _remedy(input: Tensor, target: Tensor) -> str:
    if input.numel() == target.numel():
        return "Both have as many elements: write target.reshape(input.shape), so that each meets its own"
    return "To compare every element with a repeated target, write target.expand(input.shape)"
