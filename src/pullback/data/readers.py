"""The readers by format: what reads a file that the user names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pullback.base.errors import DataError, suggest
from pullback.data.idx import read_idx
from pullback.data.images import ImageFolder
from pullback.data.npz import read_npz
from pullback.data.source import StrPath, existing_file
from pullback.data.table import read_csv


@dataclass(frozen=True)
class Reader:
    """A format: its name, the endings of its files (none for folders), what reads it, and what that gives."""

    name: str
    suffixes: tuple[str, ...]
    read: Callable[..., Any]
    gives: str


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader("csv", (".csv", ".tsv", ".csv.gz", ".tsv.gz"), read_csv, "a Table"),
        Reader("npz", (".npz",), read_npz, "arrays by name"),
        Reader("idx", ("-ubyte", ".idx", "-ubyte.gz", ".idx.gz"), read_idx, "an array"),
        Reader("images", (), ImageFolder, "a data set of images, one subfolder for each class"),
    )
}


def reader_for(path: StrPath) -> Reader:
    """The reader for a file, told by its ending, or for a folder.

    Raises MissingFile when there is nothing at the path, DataError when no reader knows the ending.

    >>> reader_for(".").name
    'images'
    """
    if Path(path).is_dir():
        return READERS["images"]
    name = existing_file(path).name.lower()
    for reader in READERS.values():
        if name.endswith(reader.suffixes) and reader.suffixes:
            return reader
    known = [suffix for reader in READERS.values() for suffix in reader.suffixes]
    near = suggest(Path(name).suffix, known)
    raise DataError(f"{path}: no reader knows this ending.{near} Known are {', '.join(known)}, and folders of images")
