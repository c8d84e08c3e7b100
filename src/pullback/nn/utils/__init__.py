"""PyTorch's `torch.nn.utils`: what is done to all parameters at once, or to a model from outside; and sequences."""

from pullback.nn.clip import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from pullback.nn.parameter_vector import parameters_to_vector, vector_to_parameters
from pullback.nn.utils import parametrizations, parametrize, rnn

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "rnn",
    "vector_to_parameters",
]
