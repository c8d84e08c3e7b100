"""Tables of vectors, one for each word of a vocabulary."""

from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.base.errors import ShapeError
from pullback.grad.backward import no_grad
from pullback.nn.functional.embedding import padding_row
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty
from pullback.tensor.tensor import Tensor


class _Table(Module):
    """A layer with a table (num_embeddings, embedding_dim), and how its rows are looked up."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    sparse: bool

    def _make_table(self, padding_idx: int | None, _weight: Tensor | None, freeze: bool, **made: Any) -> None:
        shape = (self.num_embeddings, self.embedding_dim)
        if _weight is not None and _weight.shape != shape:
            raise ShapeError(f"the weight of {shape[0]} rows of {shape[1]} has the shape {shape}; got {_weight.shape}")
        table = empty(*shape, **made) if _weight is None else _weight
        self.weight = Parameter(table, requires_grad=not freeze)
        self.padding_idx = padding_row(type(self).__name__, padding_idx, table)
        if _weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew; the padding row is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def _options(self) -> dict[str, Any]:
        """What differs from the usual, by name."""
        usual = {"max_norm": None, "norm_type": 2, "scale_grad_by_freq": False}
        return {name: getattr(self, name) for name, default in usual.items() if getattr(self, name) != default}

    def _described(self, **more: Any) -> str:
        named = {name: value for name, value in more.items() if value is not None}
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *(f"{k}={v!r}" for k, v in named.items())])


class Embedding(_Table):
    """y = weight[x]: the row of a table that each integer names; x of any shape (...), y (..., embedding_dim).

    weight is (num_embeddings, embedding_dim) and starts normally distributed, N(0, 1).

    padding_idx: this row starts as zeros and receives no gradient.
    max_norm: rows that are looked up and whose `norm_type`-norm is larger are first scaled down to it, in the table.
    scale_grad_by_freq: the gradient of a row is divided by how often it is looked up.
    sparse: let `SGD` (without momentum), `Adagrad` and `SparseAdam` update only the rows that a compiled step looks
        up, when the step ends with `zero_grad()`. Numbers stay the same, and so does all that other optimisers do.

    Raises IndexOutOfRange for an integer that names no row, ArgumentError for such a padding_idx.

    >>> import pullback as pb
    >>> words = pb.nn.Embedding(10, 3, padding_idx=0)
    >>> words(pb.tensor([[1, 2, 0, 0]])).shape
    (1, 4, 3)
    >>> words(pb.tensor(0))
    tensor([0., 0., 0.], grad_fn=<where>)

    Source: torch.nn.Embedding.
    """

    __constants__ = (
        "num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse",
    )  # fmt: skip

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._make_table(padding_idx, _weight, _freeze, device=device, dtype=dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> "Embedding":
        """A layer with this table (rows, size), which does not train unless freeze is False.

        >>> import pullback as pb
        >>> pb.nn.Embedding.from_pretrained(pb.tensor([[1.0, 2.0], [3.0, 4.0]]))(pb.tensor([1]))
        tensor([[3., 4.]])

        Source: torch.nn.Embedding.from_pretrained.
        """
        rows, size = _sizes_of(embeddings)
        return cls(
            rows, size, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight=embeddings, _freeze=freeze
        )

    def forward(self, input: Tensor) -> Tensor:
        """The rows named."""
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self) -> str:
        """Sizes, and the options that differ from the usual."""
        return self._described(padding_idx=self.padding_idx, **self._options(), sparse=self.sparse or None)


class EmbeddingBag(_Table):
    """The sum, mean or largest of the rows of a table that each bag of integers names.

    The input is (bags, size), or (m,) with offsets, the places where the bags begin; the output (bags, embedding_dim).
    weight is (num_embeddings, embedding_dim) and starts normally distributed, N(0, 1).

    mode: "sum", "mean" or "max"; an empty bag gives zeros. padding_idx: this row starts as zeros and is left out of
    its bags. include_last_offset: offsets ends with the place where the last bag ends. Others as in `Embedding`.

    Raises IndexOutOfRange for an integer that names no row, ArgumentError for an unknown mode and wrong offsets,
    ShapeError for inputs with more dims.

    >>> import pullback as pb
    >>> bags = pb.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bags(pb.tensor([1, 2, 4, 5, 4]), pb.tensor([0, 3])).shape
    (2, 3)

    Source: torch.nn.EmbeddingBag.
    """

    __constants__ = (
        "num_embeddings", "embedding_dim", "max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse",
        "include_last_offset", "padding_idx",
    )  # fmt: skip

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        self._make_table(padding_idx, _weight, False, device=device, dtype=dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> "EmbeddingBag":
        """A layer with this table (rows, size), which does not train unless freeze is False.

        >>> import pullback as pb
        >>> table = pb.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> pb.nn.EmbeddingBag.from_pretrained(table)(pb.tensor([[0, 1]]))
        tensor([[2., 3.]])

        Source: torch.nn.EmbeddingBag.from_pretrained.
        """
        rows, size = _sizes_of(embeddings)
        layer = cls(
            rows,
            size,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            _weight=embeddings,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )
        layer.weight.requires_grad_(not freeze)
        return layer

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """The sum, mean or largest of each bag."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Sizes, the mode, and the options that differ from the usual."""
        return self._described(**self._options(), mode=self.mode, padding_idx=self.padding_idx)


def _sizes_of(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise ShapeError(f"a table of embeddings is (rows, size); got the shape {embeddings.shape}")
    return embeddings.shape[0], embeddings.shape[1]
