"""PyTorch's `torch.nn.utils.parametrizations`: weights learnt in another form."""

from pullback.nn.weight_norms import spectral_norm, weight_norm

__all__ = ["spectral_norm", "weight_norm"]
