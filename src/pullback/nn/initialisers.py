"""Initialisers: functions that fill a parameter in place."""
from pullback.grad.backward import no_grad
from pullback.tensor.tensor import Tensor
import math

def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator=None) -> Tensor:
    """."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)
