"""PyTorch's `torch.utils`, so that scripts find `utils.data` and `utils.checkpoint` where they look for them."""

from pullback.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
