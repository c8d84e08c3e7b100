"""Pictures of digits as MNIST has them: light ink on dark ground, 20 pixels tall, centred by weight in 28 x 28."""

from pathlib import Path
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DataError
from pullback.data.images import read_image
from pullback.data.source import StrPath

SIDE, INK_SIDE = 28, 20
_INK = 0.2  # from this share of the darkest ink on, a pixel belongs to the digit


def read_digit(path: StrPath) -> Array:
    """The digit in an image file, (1, 28, 28) float32 from 0 for paper to 1 for ink.

    Dark ink on light paper is turned round, as the pixels at the border tell. A picture of another size than 28 x 28 is
    cut to the digit, scaled and centred as MNIST's were.

    Raises DataError when it cannot be read or shows nothing, MissingPillow without Pillow.

    Source: "The MNIST database of handwritten digits", on how its images were made.
    """
    grey = read_image(path, "L")[0].astype(np.float64) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    ink = paper - grey if paper > 0.5 else grey - paper
    if ink.max() < 0.1:
        raise DataError(f"{path} shows no digit: its pixels are all alike")
    if grey.shape == (SIDE, SIDE):
        return (1 - grey if paper > 0.5 else grey).astype(np.float32)[None]
    return _centred(_scaled(_cut(np.clip(ink / ink.max(), 0, 1))))[None]


def _cut(ink: Array) -> Array:
    """The smallest part that holds all of the ink."""
    rows, columns = np.nonzero(ink > _INK)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _scaled(ink: Array) -> Array:
    """The ink with its longer side brought to 20 pixels."""
    from PIL import Image

    scale = INK_SIDE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    picture = Image.fromarray((ink * 255).astype(np.uint8))
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255


def _centred(ink: Array) -> Array:
    """The ink in a square of 28 x 28, its centre of weight on pixel (14, 14), where MNIST has it."""
    square = np.zeros((SIDE, SIDE), np.float32)
    place = []
    for axis in (0, 1):
        weight = ink.sum(axis=1 - axis)
        centre = float((weight * np.arange(len(weight))).sum() / weight.sum())
        place.append(min(max(round(SIDE / 2 - centre), 0), SIDE - ink.shape[axis]))
    top, left = place
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return square


def as_digits(array: Any, source: str) -> Array:
    """Digits (n, 1, 28, 28) float32 from an array that holds them: (28, 28), (n, 28, 28), (n, 1, 28, 28) or (n, 784).

    Whole numbers are taken for pixels from 0 to 255, floats must lie in [0, 1]; ink is light.

    Raises DataError, naming the source, for another shape or range.
    """
    pixels = np.asarray(array)
    size = pixels.size // (SIDE * SIDE)
    fits = pixels.shape[-2:] == (SIDE, SIDE) or pixels.shape[-1:] == (SIDE * SIDE,)
    if not fits or pixels.shape not in _shapes(size):
        raise DataError(f"{source} has the shape {pixels.shape}; digits are (n, {SIDE}, {SIDE}) or (n, {SIDE * SIDE})")
    if pixels.dtype.kind in "iu":
        pixels = pixels.astype(np.float32) / np.float32(255)
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if not (low >= 0 and high <= 1):
        raise DataError(f"{source} has values from {low:g} to {high:g}; pixels are 0 to 255, or floats from 0 to 1")
    return pixels.astype(np.float32).reshape(size, 1, SIDE, SIDE)


def _shapes(n: int) -> list[tuple[int, ...]]:
    shapes = [(n, SIDE, SIDE), (n, 1, SIDE, SIDE), (n, SIDE * SIDE)]
    return [*shapes, (SIDE, SIDE), (1, SIDE, SIDE), (SIDE * SIDE,)] if n == 1 else shapes


def is_picture(path: StrPath) -> bool:
    """Whether the file's name ends like that of an image."""
    return Path(path).suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
