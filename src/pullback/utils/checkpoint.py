"""PyTorch's `torch.utils.checkpoint`."""

from pullback.grad.checkpoint import checkpoint

__all__ = ["checkpoint"]
