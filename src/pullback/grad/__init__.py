"""The reverse pass, and the transforms built on it."""

from pullback.grad.backward import backward
from pullback.tensor.tensor import Tensor

setattr(Tensor, "backward", backward)  # noqa: B010  # the method belongs to the room below the tensor's
