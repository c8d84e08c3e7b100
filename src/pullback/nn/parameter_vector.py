"""All parameters as one vector, and back."""

from collections.abc import Iterable

from pullback.base.errors import ShapeError
from pullback.base.shapes import size_of
from pullback.tensor.shaping import cat, narrow, reshape
from pullback.tensor.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The parameters, each flattened, one after the other; gradients flow through.

    >>> import pullback as pb
    >>> pb.nn.utils.parameters_to_vector(pb.nn.Linear(3, 2).parameters()).shape
    (8,)

    Source: torch.nn.utils.parameters_to_vector.
    """
    return cat([reshape(p, (-1,)) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write a vector into parameters, in the order of `parameters_to_vector`.

    Raises ShapeError when the vector has more or fewer elements; then nothing is written.

    >>> import pullback as pb
    >>> layer = pb.nn.Linear(1, 1)
    >>> pb.nn.utils.vector_to_parameters(pb.tensor([3.0, 2.0]), layer.parameters())
    >>> layer(pb.tensor([1.0])).item()
    5.0

    Source: torch.nn.utils.vector_to_parameters.
    """
    targets = list(parameters)
    wanted = sum(size_of(p.shape) for p in targets)
    if vec.shape != (wanted,):
        raise ShapeError(f"these parameters take a vector of {wanted} numbers; got the shape {vec.shape}")
    start = 0
    for p in targets:
        size = size_of(p.shape)
        p.data = reshape(narrow(vec, 0, start, size), p.shape).to(p.dtype)
        start += size
