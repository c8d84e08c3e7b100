"""Gradients of tensors, under the names of torch.autograd."""

from pullback.grad.backward import grad
from pullback.grad.custom import Function

__all__ = ["Function", "grad"]
