"""What an optimiser keeps for each parameter, and the form in which its rule sees it."""

from dataclasses import dataclass

from pullback.base.dtypes import DType, float32, float64
from pullback.base.settings import get_default_dtype
from pullback.optim.hyperparameters import Hyperparameters
from pullback.tensor.creation import full
from pullback.tensor.pointwise import cast_to
from pullback.tensor.promotion import convert
from pullback.tensor.shaping import reshape
from pullback.tensor.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Slot:
    """One tensor that an optimiser keeps for each parameter.

    scalar: one number for the whole parameter; otherwise of the parameter's shape and dtype.
    start: what it holds at first: a number, or the name of the hyperparameter that gives it.
    when: the switches under which it is kept; always, when there are none.

    A slot whose name begins with an underscore stays out of state dicts. It is 1 at the first step of a parameter
    and 0 where state was there before, loaded or made by earlier steps.
    """

    name: str
    scalar: bool = False
    start: float | str = 0.0
    when: tuple[str, ...] = ()

    @property
    def hidden(self) -> bool:
        """Whether it stays out of state dicts."""
        return self.name.startswith("_")

    def dtype(self, parameter: Tensor) -> DType:
        """The dtype of the tensor kept for this parameter."""
        if not self.scalar:
            return parameter.dtype
        return float64 if get_default_dtype() is float64 else float32

    def shape(self, parameter: Tensor) -> tuple[int, ...]:
        """The shape of the tensor kept for this parameter."""
        return () if self.scalar else parameter.shape

    def make(self, parameter: Tensor, h: Hyperparameters, fresh: bool) -> Tensor:
        """The tensor as it is before the first step; `fresh` when the parameter has no state at all yet."""
        start = h.at_start(self.start) if isinstance(self.start, str) else self.start
        number = float(fresh) if self.hidden else start
        return full(self.shape(parameter), number, dtype=self.dtype(parameter))


# How many steps a parameter has taken; a float, as in PyTorch.
STEP = Slot("step", scalar=True)


def roomy(x: Tensor) -> Tensor:
    """The tensor with at least 32 bits and at least one dim.

    In 16 bits an eps of 1e-8 would be 0 and a rate of 0.999 would be 1; without dims the float64 of the
    hyperparameters would decide the dtype.
    """
    wide = cast_to(x, float32) if x.dtype.is_half else x
    return wide if wide.ndim else reshape(wide, 1)


def settle(result: Tensor, box: Tensor) -> None:
    """Put a result into the tensor that keeps it, in that tensor's shape and dtype."""
    found = result if result.shape == box.shape else reshape(result, box.shape)
    box.assign(convert(found.value, box.dtype))
