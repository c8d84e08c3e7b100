"""Settings of the process: the default float dtype."""

from dataclasses import dataclass

from pullback.base.dtypes import DType, as_dtype, float32
from pullback.base.errors import DTypeError


@dataclass
class _Settings:
    default_dtype: DType = float32


_settings = _Settings()


def get_default_dtype() -> DType:
    """The float dtype that new tensors of Python floats get; float32 unless set otherwise."""
    return _settings.default_dtype


def set_default_dtype(dtype: DType) -> None:
    """Set the float dtype that new tensors of Python floats get.

    Raises DTypeError for a dtype that is no float.

    Source: torch.set_default_dtype.
    """
    wanted = as_dtype(dtype)
    if not wanted.is_floating_point:
        raise DTypeError(f"the default dtype must be a float; got {wanted.name}")
    _settings.default_dtype = wanted
