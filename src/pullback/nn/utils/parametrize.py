"""PyTorch's `torch.nn.utils.parametrize`: parameters that are derived from others each time they are read."""

from pullback.nn.derived_parameters import (
    ParametrizationList,
    is_parametrized,
    register_parametrization,
    remove_parametrizations,
    type_before_parametrizations,
)

__all__ = [
    "ParametrizationList",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]
