"""What a trained network says about rows that come later: tables and pictures of digits."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DataError
from pullback.data.csv_file import read_records
from pullback.data.datasets import TensorDataset
from pullback.data.encoder import TableEncoder
from pullback.data.idx import read_idx
from pullback.data.images import ImageFolder
from pullback.data.npz import read_npz
from pullback.data.readers import reader_for
from pullback.data.source import existing_file
from pullback.data.table import Unknown
from pullback.files.weights import load
from pullback.nn.module import Module
from pullback.train.digit_images import as_digits, is_picture, read_digit
from pullback.train.problem import read_rows
from pullback.train.report import probabilities
from pullback.train.validate import outputs_of

_PLACES = 4  # of a probability


@dataclass(frozen=True)
class Predictions:
    """A table of text: what was given, and beside it what the network says."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def to_csv(self) -> str:
        """The table as CSV (RFC 4180, with plain line ends)."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return text.getvalue()


def predict_table(model: Module, encoder: TableEncoder, path: Path, unknown: Unknown = "error") -> Predictions:
    """The rows of a CSV file with the prediction for each, and for classes the probability of every one.

    The column to predict may be missing; where it is there it is not read. A category that training did not
    know is an error, or with `unknown="missing"` a missing value.

    Raises MissingFile and DataError when the file does not fit the network's columns.
    """
    table = read_rows(encoder, path, unknown, with_target=False)
    records = read_records(path)
    outputs = _outputs(model, encoder.features(table))
    names, said = _said(outputs, encoder)
    header = [*records.names]
    for name in names:
        header.append(name if name not in header else f"{name} (new)")
    rows = [(*given, *new) for given, new in zip(records.rows, said, strict=True)]
    return Predictions(tuple(header), rows)


def _said(outputs: Array, encoder: TableEncoder) -> tuple[list[str], list[list[str]]]:
    """The names of the new columns, and what stands in them for each row."""
    predicted = f"predicted {encoder.target.name}"
    decoded = encoder.target.decode(outputs)
    if encoder.target.task == "regression":
        return [predicted], [[_shortest(number)] for number in decoded]
    classes = [f"P({name})" for name in encoder.target.classes]  # type: ignore[union-attr]  # a class has its names
    chances = probabilities(outputs)
    rows = [[name, *_rounded(row)] for name, row in zip(decoded, chances, strict=True)]
    return [predicted, *classes], rows


def _shortest(number: Any) -> str:
    """A number with as many digits as float32 tells apart, and no more."""
    return np.format_float_positional(np.float32(number), unique=True, trim="0")


def _rounded(chances: Array) -> list[str]:
    return [f"{chance:.{_PLACES}f}" for chance in chances]


def predict_digits(model: Module, paths: Sequence[Path], names: Sequence[str]) -> Predictions:
    """What each picture, or each digit in an array of them, is read as, with the probability of every digit.

    Raises MissingFile and DataError for files that hold no digits.
    """
    labels, digits = [], []
    for path in paths:
        found = read_digits(path)[0]
        digits.append(found)
        labels += [str(path)] if len(found) == 1 else [f"{path}[{i}]" for i in range(len(found))]
    chances = probabilities(_outputs(model, np.concatenate(digits)))
    header = ("file", "digit", *(f"P({name})" for name in names))
    best = chances.argmax(axis=1)
    rows = [(label, names[i], *_rounded(row)) for label, i, row in zip(labels, best, chances, strict=True)]
    return Predictions(header, rows)


def read_digits(path: Path) -> tuple[Array, Array | None]:
    """The digits (n, 1, 28, 28) in a picture, an .npy, .npz or IDX file, or a folder with a subfolder for each class;
    and their classes (n,) where the file has them.

    An .npz file holds "images" and may hold "labels"; with a single array that one is taken.

    Raises MissingFile and DataError for anything else.
    """
    if path.is_dir():
        return _digits_in_folder(path)
    existing_file(path)
    if is_picture(path):
        return read_digit(path)[None], None
    if path.suffix.lower() == ".npy":
        return as_digits(load(path).numpy(), str(path)), None
    reader = reader_for(path)
    if reader.name == "idx":
        return as_digits(read_idx(path), str(path)), None
    if reader.name == "npz":
        return _digits_in_npz(path)
    raise DataError(f"{path} is {reader.name}; digits are pictures (.png), arrays (.npz, .npy) or IDX files")


def _digits_in_npz(path: Path) -> tuple[Array, Array | None]:
    arrays = read_npz(path)
    name = "images" if "images" in arrays or len(arrays) != 1 else next(iter(arrays))
    images = as_digits(read_npz(path, [name])[name], f"{path}, array {name!r}")
    labels = arrays.get("labels")
    if labels is not None and (labels.shape != (len(images),) or labels.dtype.kind not in "iu"):
        raise DataError(f"{path}: 'labels' must be a whole number for each of the {len(images)} images")
    return images, None if labels is None else labels.astype(np.int64)


def _digits_in_folder(path: Path) -> tuple[Array, Array | None]:
    folder = ImageFolder(path)
    digits = np.stack([read_digit(file) for file, _ in folder.samples])
    wrong = [name for name in folder.classes if name not in "0123456789"]
    if wrong:
        raise DataError(f"{path}: the subfolders must be called 0 to 9, after the digits in them; got {wrong[0]!r}")
    return digits, np.array([int(folder.classes[label]) for label in folder.targets])


def _outputs(model: Module, rows: Array) -> Array:
    if not len(rows):
        raise DataError("there are no rows to predict")
    placeholder = np.zeros(len(rows), np.int64)  # no targets are needed
    return outputs_of(model, TensorDataset(rows, placeholder))[0]
