"""The type of a value: its shape and its dtype."""

from dataclasses import dataclass

from pullback.base.dtypes import DType
from pullback.base.shapes import Shape, size_of


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """Shape and dtype of a value; prints as `float32[10, 30]`."""

    shape: Shape
    dtype: DType

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.dtype is other.dtype and self.shape == other.shape

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return size_of(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.size * self.dtype.itemsize

    def with_shape(self, shape: Shape) -> "Type":
        """The same dtype in another shape."""
        return Type(shape, self.dtype)

    def with_dtype(self, dtype: DType) -> "Type":
        """The same shape with another dtype."""
        return Type(self.shape, dtype)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"
