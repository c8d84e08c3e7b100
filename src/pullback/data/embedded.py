"""What comes with Pullback: 10,000 digits of MNIST, split once and for all, and six novels."""

import bz2
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pullback.base.dtypes import Array
from pullback.data.datasets import TensorDataset
from pullback.data.npz import read_npz

DIGITS = Path(__file__).with_name("digits.npz")
AUSTEN = Path(__file__).with_name("austen.txt.bz2")


@dataclass(frozen=True, eq=False)
class Digits:
    """The three parts of `digits()`: 8,000 for training, 1,000 for validation, 1,000 for the test.

    Each is a TensorDataset of images (n, 1, 28, 28) float32, from 0 for paper to 1 for ink, and labels (n,)
    int64.
    """

    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset
    class_names: tuple[str, ...] = tuple("0123456789")


def digits() -> Digits:
    """10,000 handwritten digits from MNIST, 28 x 28 pixels, the same three parts every time.

    Each part has the ten classes in the same proportions. Pixels are k/255, k from 0 to 255, as MNIST stores
    them: not shifted, not scaled to unit deviation (see `StandardScaler`). Where they come from and their
    licence stands in digits_origin.txt beside this file.

    >>> data = digits()
    >>> len(data.train), len(data.validation), len(data.test)
    (8000, 1000, 1000)
    >>> image, label = data.test[0]
    >>> image.shape, label.dtype
    ((1, 28, 28), pullback.int64)

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
    """
    arrays = read_npz(DIGITS)
    return Digits(_part(arrays, "train"), _part(arrays, "validation"), _part(arrays, "test"))


def _part(arrays: dict[str, Array], name: str) -> TensorDataset:
    pixels, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
    images = pixels[:, None].astype(np.float32) / np.float32(255)  # (n, 1, 28, 28)
    return TensorDataset(images, labels.astype(np.int64))


def austen() -> str:
    """Six novels by Jane Austen one after another, by their first publication: 4.0 million characters.

    Sense and Sensibility, Pride and Prejudice, Mansfield Park, Emma, Northanger Abbey, Persuasion; lines as they were
    printed, which end in a line feed. Where they come from and their licence stands in austen_origin.txt beside this
    file.

    >>> text = austen()
    >>> len(text), len(set(text)), text[62:107]
    (4024605, 81, 'The family of Dashwood had long been settled ')
    """
    return bz2.decompress(AUSTEN.read_bytes()).decode("utf-8")
