"""PyTorch's `torch.cuda`, for scripts that ask whether there is a GPU: Pullback runs on the CPU."""

__all__ = ["device_count", "is_available"]


def is_available() -> bool:
    """Whether a GPU can be used: never.

    Source: torch.cuda.is_available.
    """
    return False


def device_count() -> int:
    """How many GPUs can be used: none.

    Source: torch.cuda.device_count.
    """
    return 0
