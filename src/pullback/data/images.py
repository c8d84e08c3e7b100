"""Folders of images: one folder for each class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DataError, PullbackError
from pullback.data.convert import fresh_tensor
from pullback.data.datasets import Dataset, TensorDataset
from pullback.data.source import StrPath, existing_folder
from pullback.tensor.tensor import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
CHANNELS = {"L": 1, "RGB": 3}


class MissingPillow(PullbackError, ImportError):
    """Pillow, which reads images, is not installed; also an ImportError."""


class ImageFolder(Dataset[tuple[Tensor, int]]):
    """The images under a folder, one subfolder for each class: item i is (image, class number).

    Classes are the subfolders in alphabetic order, images the files in and below them with one of the usual
    endings, also in alphabetic order. An image is float32 (c, h, w) from 0 to 1, read when it is asked for:
    `mode` "RGB" gives 3 channels, "L" grey in 1. `size` (height, width) brings all to one size; without it
    every image keeps its own. Photographs are turned as their EXIF data says. `transform` is applied to each
    image.

    `classes`, `class_to_idx`, `samples` (path, class) and `targets` are PyTorch's.

    Raises MissingFile when there is no such folder, DataError when it has no subfolders or one without
    images, ArgumentError for another mode or size, MissingPillow when Pillow is not installed.

    >>> import tempfile
    >>> from PIL import Image
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ("dark", "light"):
    ...     Path(folder.name, name).mkdir()
    ...     Image.new("L", (3, 2), 255 * (name == "light")).save(Path(folder.name, name, "1.png"))
    >>> images = ImageFolder(folder.name, mode="L")
    >>> images.classes, images[1]
    (['dark', 'light'], (tensor([[[1., 1., 1.],
             [1., 1., 1.]]]), 1))
    >>> folder.cleanup()

    Source: torchvision.datasets.ImageFolder with transforms.ToTensor.
    """

    def __init__(
        self,
        root: StrPath,
        transform: Callable[[Tensor], Any] | None = None,
        *,
        mode: str = "RGB",
        size: tuple[int, int] | None = None,
    ) -> None:
        if mode not in CHANNELS:
            raise ArgumentError(f"mode must be one of {', '.join(CHANNELS)}; got {mode!r}")
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ArgumentError(f"size must be (height, width) in pixels; got {size!r}")
        _pillow()
        self.root, self.mode, self.size, self.transform = existing_folder(root), mode, size, transform
        self.classes = _class_folders(self.root)
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.samples = [(path, i) for name, i in self.class_to_idx.items() for path in _image_files(self.root / name)]
        self.targets = [label for _, label in self.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        image = fresh_tensor(_as_floats(read_image(path, self.mode, self.size)))
        return (image if self.transform is None else self.transform(image)), label

    def load(self) -> TensorDataset:
        """All images, without `transform`, in memory: (n, c, h, w) float32 and labels (n,) int64.

        Raises DataError, naming the file, when the images are not of one size.
        """
        images = []
        for path, _ in self.samples:
            images.append(read_image(path, self.mode, self.size))
            if images[-1].shape != images[0].shape:
                first, here = (f"{array.shape[1]} x {array.shape[2]} pixels" for array in (images[0], images[-1]))
                raise DataError(f"{path} has {here}, {self.samples[0][0]} has {first}; pass size=(height, width)")
        return TensorDataset(_as_floats(np.stack(images)), np.array(self.targets, dtype=np.int64))


def read_image(path: StrPath, mode: str = "RGB", size: tuple[int, int] | None = None) -> Array:
    """The pixels of an image file, (c, h, w) uint8, turned as its EXIF data says, brought to `size` (height,
    width).

    Raises DataError, naming the file, when it is no image or a damaged one; MissingPillow without Pillow.
    """
    image_module, image_ops = _pillow()
    try:
        with image_module.open(path) as opened:
            image = image_ops.exif_transpose(opened).convert(mode)
    except (OSError, SyntaxError, ValueError, image_module.DecompressionBombError) as error:
        # Pillow raises all four for damaged files, by format.
        raise DataError(f"{path} cannot be read as an image: {error}") from error
    if size is not None:
        image = image.resize((size[1], size[0]), image_module.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _as_floats(pixels: Array) -> Array:
    return pixels.astype(np.float32) / np.float32(255)


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise MissingPillow("images are read by Pillow: install it with `pip install 'pullback[plots]'`") from error
    return Image, ImageOps


def _class_folders(root: Path) -> list[str]:
    names = sorted(each.name for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not names:
        raise DataError(f"{root} has no subfolders; put the images of each class into a folder with its name")
    return names


def _image_files(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    found = sorted(path for path in files if path.is_file() and not path.name.startswith("."))
    if not found:
        raise DataError(f"{folder} holds no images (looked for {', '.join(SUFFIXES)})")
    return found
