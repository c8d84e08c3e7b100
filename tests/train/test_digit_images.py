"""Pictures of digits brought to MNIST's form."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pullback.base.errors import DataError
from pullback.data.embedded import digits
from pullback.train.digit_images import as_digits, read_digit

PIXELS = (digits().test.arrays[0][:20, 0] * 255).round().astype(np.uint8)


def saved(array: np.ndarray, path: Path) -> Path:
    Image.fromarray(array).save(path)
    return path


def test_digits_of_the_right_size_stay_as_they_are(tmp_path: Path) -> None:
    for i, pixels in enumerate(PIXELS):
        light = read_digit(saved(pixels, tmp_path / f"{i}.png"))
        dark = read_digit(saved(255 - pixels, tmp_path / f"{i}-dark.png"))
        assert light.shape == (1, 28, 28)
        assert light.dtype == np.float32
        np.testing.assert_allclose(light[0], pixels / 255, atol=1e-6)
        np.testing.assert_allclose(dark[0], pixels / 255, atol=1e-6)


@pytest.mark.parametrize("paper", [0, 30, 200, 255])
@pytest.mark.parametrize(("scale", "left", "top"), [(1, 50, 9), (4, 10, 60), (9, 3, 3)])
def test_digits_of_any_size_and_place_come_out_alike(
    paper: int, scale: int, left: int, top: int, tmp_path: Path
) -> None:
    likeness = []
    for pixels in PIXELS:
        ink = np.repeat(np.repeat(pixels, scale, 0), scale, 1) / 255
        sheet = np.zeros((28 * scale + 70, 28 * scale + 60))
        sheet[top : top + 28 * scale, left : left + 28 * scale] = ink
        grey = paper + sheet * (255 - paper if paper < 128 else -paper)
        found = read_digit(saved(grey.astype(np.uint8), tmp_path / "x.png"))[0]
        likeness.append(np.corrcoef(found.ravel(), pixels.ravel())[0, 1])
    assert np.mean(likeness) > 0.95
    assert scale > 1 or min(likeness) > 0.99


def test_centre_of_weight_is_in_the_middle(tmp_path: Path) -> None:
    sheet = np.zeros((100, 200), np.uint8)
    sheet[20:60, 150:160] = 255
    found = read_digit(saved(sheet, tmp_path / "bar.png"))[0]
    rows, columns = np.nonzero(found > 0.5)
    assert rows.max() - rows.min() + 1 == 20
    assert abs(rows.mean() - 14) <= 0.5
    assert abs(columns.mean() - 14) <= 0.5


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (784,), (1, 784), (1, 1, 28, 28)])
def test_one_digit_in_any_shape(shape: tuple[int, ...]) -> None:
    assert np.array_equal(as_digits(PIXELS[0].reshape(shape), "x"), PIXELS[:1, None].astype(np.float32) / 255)


@pytest.mark.parametrize("shape", [(20, 28, 28), (20, 784), (20, 1, 28, 28)])
def test_many_digits_in_any_shape(shape: tuple[int, ...]) -> None:
    assert np.array_equal(as_digits(PIXELS.reshape(shape) / 255, "x"), (PIXELS[:, None] / 255).astype(np.float32))


WRONG = [
    (np.zeros((2, 3, 28, 28)), "shape (2, 3, 28, 28)"),
    (np.zeros((28, 27)), "shape (28, 27)"),
    (np.zeros(()), "shape ()"),
    (np.full((28, 28), 300), "from 0 to 1.17647"),
    (np.full((28, 28), -0.5), "from -0.5 to 0"),
    (np.full((28, 28), np.nan), "from nan to nan"),
]


@pytest.mark.parametrize(("array", "words"), WRONG)
def test_what_are_no_digits(array: np.ndarray, words: str) -> None:
    with pytest.raises(DataError) as caught:
        as_digits(array, "this file")
    assert "this file has" in str(caught.value)
    assert words in str(caught.value)
