"""Gradients of tensors, under the names of torch.autograd."""

from pullback.grad.backward import grad
from pullback.grad.custom import Function
from pullback.lens.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["Function", "GradcheckError", "grad", "gradcheck", "gradgradcheck"]
