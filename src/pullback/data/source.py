"""Files as bytes: found, opened, unpacked, and named in every error."""

import gzip
import os
import zlib
from pathlib import Path

from pullback.base.errors import DataError, suggest

StrPath = str | os.PathLike[str]
_GZIP = b"\x1f\x8b"


class MissingFile(DataError, FileNotFoundError):
    """A file or folder that is not there; also a FileNotFoundError."""


def existing_file(path: StrPath) -> Path:
    """The path, when a file is there.

    Raises MissingFile, with the nearest name in the folder, or DataError when it is a folder.
    """
    found = _existing(path)
    if found.is_dir():
        raise DataError(f"{found} is a folder; a file is needed")
    return found


def existing_folder(path: StrPath) -> Path:
    """The path, when a folder is there.

    Raises MissingFile, with the nearest name beside it, or DataError when it is a file.
    """
    found = _existing(path)
    if not found.is_dir():
        raise DataError(f"{found} is a file; a folder is needed")
    return found


def _existing(path: StrPath) -> Path:
    wanted = Path(path)
    if not wanted.exists():
        beside = [each.name for each in wanted.parent.iterdir()] if wanted.parent.is_dir() else []
        raise MissingFile(f"{wanted} does not exist.{suggest(wanted.name, beside)}")
    return wanted


def read_bytes(path: StrPath) -> bytes:
    """The content of a file, unpacked when it is gzip's, whatever the file is called.

    Raises MissingFile when there is no such file, DataError when it cannot be read or unpacked.
    """
    found = existing_file(path)
    try:
        raw = found.read_bytes()
        return gzip.decompress(raw) if raw.startswith(_GZIP) else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{found} is a damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{found} cannot be read: {error.strerror or error}") from error
