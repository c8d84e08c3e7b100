"""How Python becomes a program: tensors, the functions on them, random streams, tracing."""

from pullback.tensor import methods as _methods
from pullback.tensor.tensor import Tensor

device = _methods.device
__all__ = ["Tensor", "device"]
