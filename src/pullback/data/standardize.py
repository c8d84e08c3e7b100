"""Standardisation: mean 0 and standard deviation 1, as measured on the training part alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DataError, ShapeError, StateError
from pullback.data.convert import as_array, like

Axis = int | tuple[int, ...] | None


def mean_and_scale(values: Any, axis: Axis = 0) -> tuple[Array, Array]:
    """Mean and standard deviation along the axes, which stay with size 1, in float64; a constant's scale is
    1.

    The standard deviation is that of the values themselves, the root of sum (x - mean)^2 / n. NaN counts as
    missing and is left out; where all is missing, the mean is 0 and the scale 1.

    Raises DataError for no values, and for infinite ones.
    """
    values = np.asarray(values, dtype=np.float64)
    if not values.size:
        raise DataError(f"there is nothing to standardise: the data has the shape {values.shape}")
    if np.isinf(values).any():
        raise DataError("infinite values have no mean: take them out, or mark them as missing (NaN)")
    there = ~np.isnan(values)
    # Near the ends of float64's range squares leave it; divided by a power of two, which rounds nothing, none does.
    largest = np.abs(values).max(axis=axis, keepdims=True, where=there, initial=0.0)
    unit = np.ldexp(1.0, np.frexp(largest)[1] - 1)
    mean, scale = _moments(np.where(there, values / unit, 0.0), there, axis)
    return mean * unit, np.where(scale * unit == 0, 1.0, scale * unit)


def _moments(values: Array, there: Array, axis: Axis) -> tuple[Array, Array]:
    """Mean and standard deviation of values in (-2, 2) that are 0 where not there."""
    count = np.maximum(there.sum(axis=axis, keepdims=True), 1)
    low = values.min(axis=axis, keepdims=True, where=there, initial=2.0)
    high = values.max(axis=axis, keepdims=True, where=there, initial=-2.0)
    # A constant is its own mean; a sum would round, and leave the constant a spread a little above zero.
    mean = np.where(low == high, low, values.sum(axis=axis, keepdims=True) / count)
    squares = np.where(there, values - mean, 0.0) ** 2
    return mean, np.sqrt(squares.sum(axis=axis, keepdims=True) / count)


class StandardScaler:
    """Shifts and scales data so that what it was fitted on has mean 0 and standard deviation 1.

    z = (x - mean) / scale. `axis` says over which axes mean and scale are taken: 0 gives every column its
    own, None one for all, (0, 2, 3) one for every channel of images (n, c, h, w). A constant column has the
    scale 1, so it becomes 0. NaN is left out of the fit and stays NaN. Fit it on the training part and apply
    it to all parts: what it knows of the others would make them look better than they are.

    `transform` gives back what it gets, an array or a tensor; floats keep their dtype, integers become
    float32.

    >>> scaler = StandardScaler().fit([[1.0, 5.0], [3.0, 5.0]])
    >>> scaler.transform(np.array([[1.0, 5.0], [5.0, 6.0]])).tolist()
    [[-1.0, 0.0], [3.0, 1.0]]

    Source: scikit-learn, StandardScaler.
    """

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = axis
        self.mean: Array | None = None
        self.scale: Array | None = None

    def fit(self, data: Any) -> "StandardScaler":
        """Measure mean and scale; the scaler itself.

        Raises DataError for no rows and for infinite values, ShapeError for an axis that is not there.
        """
        array = as_array(data)
        try:
            self.mean, self.scale = mean_and_scale(array, self.axis)
        except np.exceptions.AxisError:
            raise ShapeError(f"the data of shape {array.shape} has no axis {self.axis}") from None
        return self

    def transform(self, data: Any) -> Any:
        """(x - mean) / scale, in the data's own shape.

        Raises DataError before `fit`, ShapeError when the shape differs from the fitted one's.
        """
        array = as_array(data)
        mean, scale = self._fitted(array)
        return like(((array - mean) / scale).astype(_float_of(array)), data)

    def inverse_transform(self, data: Any) -> Any:
        """z * scale + mean: the way back.

        Raises DataError before `fit`, ShapeError when the shape differs from the fitted one's.
        """
        array = as_array(data)
        mean, scale = self._fitted(array)
        return like((array * scale + mean).astype(_float_of(array)), data)

    def fit_transform(self, data: Any) -> Any:
        """Fit, and transform the same data: for the training part."""
        return self.fit(data).transform(data)

    def state_dict(self) -> dict[str, Array]:
        """Mean and scale, float64 with the reduced axes of size 1.

        Raises DataError before `fit`.
        """
        if self.mean is None or self.scale is None:
            raise DataError(_NOT_FITTED)
        return {"mean": self.mean, "scale": self.scale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over mean and scale from `state_dict`.

        Raises StateError when either is missing.
        """
        for key in ("mean", "scale"):
            if key not in state:
                came = ", ".join(state) or "nothing"
                raise StateError(f"the state of a StandardScaler has mean and scale; got {came}")
        self.mean, self.scale = (np.array(state[key], dtype=np.float64) for key in ("mean", "scale"))

    def _fitted(self, array: Array) -> tuple[Array, Array]:
        """Mean and scale, when they fit the array: a single number does, else all sizes but 1 must agree."""
        if self.mean is None or self.scale is None:
            raise DataError(_NOT_FITTED)
        if self.mean.size == 1:
            return self.mean.reshape(()), self.scale.reshape(())
        sizes = self.mean.shape
        if len(sizes) != array.ndim or any(n not in (1, m) for n, m in zip(sizes, array.shape, strict=True)):
            raise ShapeError(f"mean and scale were fitted with the shape {sizes}; {array.shape} does not fit")
        return self.mean, self.scale


_NOT_FITTED = "this StandardScaler has not been fitted: call fit(training_data) first"


def _float_of(array: Array) -> Any:
    return np.float32 if array.dtype.kind in "iub" else array.dtype
