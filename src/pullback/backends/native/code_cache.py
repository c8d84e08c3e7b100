"""Machine code on disk: one object file for each kernel, shared by all processes of a user.

A file begins with a checksum over its name and its code, so one that is truncated, damaged or renamed is as good as
none: its kernel is compiled again and the file replaced. Files appear whole or not at all. Where the folder cannot be
written, the cache is done without after one warning. Nothing in a file is ever executed as Python.
"""

import contextlib
import hashlib
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from pullback.base.atomic import atomic_write

LIMIT_BYTES = 512 << 20
_CHECKSUM_BYTES = hashlib.sha256().digest_size
_SUFFIX, _DRAFT_SUFFIX = ".code", ".tmp"
_DAY, _HOUR = 86_400.0, 3_600.0  # seconds


class CodeCache:
    """Object files by name, in a folder that never grows much beyond `limit_bytes`.

    Names are made of letters, digits, `_` and `-`; which code belongs to a name never changes, so whoever makes the
    name puts into it everything that the code depends on.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._is_writable = True  # until a write fails
        self._written_since_eviction = limit_bytes  # so that the first write looks at what is there

    def path(self, name: str) -> Path:
        """Where the code of this name lies."""
        return self.folder / name[:2] / f"{name}{_SUFFIX}"

    def read(self, name: str) -> bytes | None:
        """The code kept under this name; None where there is none, or its file is damaged."""
        path = self.path(name)
        try:
            with path.open("rb") as file:
                content, last_use = file.read(), os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        code = content[_CHECKSUM_BYTES:]
        if not code or content[:_CHECKSUM_BYTES] != _checksum(name, code):
            return None
        if time.time() - last_use > _DAY:
            with contextlib.suppress(OSError):  # a folder that may only be read
                os.utime(path)
        return code

    def write(self, codes: Mapping[str, bytes]) -> None:
        """Keep code under its names. Warns, once, when the folder cannot be written."""
        if not self._is_writable:
            return
        try:
            for name, code in codes.items():
                self._write(name, code)
            if self._written_since_eviction >= self.limit_bytes // 8:
                self._evict()
        except OSError as error:
            self._is_writable = False
            warnings.warn(
                f"compiled kernels cannot be kept in {self.folder} ({error}), so the next process compiles them "
                "again; $PULLBACK_CACHE names another folder",
                stacklevel=2,
            )

    def _write(self, name: str, code: bytes) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(_checksum(name, code) + code)
        self._written_since_eviction += len(code)

    def size(self) -> int:
        """Bytes that all code takes."""
        return sum(nbytes for _, nbytes, path in self._files() if path.suffix == _SUFFIX)

    def _evict(self) -> None:
        """Remove what was used longest ago, beyond the limit, and drafts of processes that died."""
        self._written_since_eviction = 0
        total = 0
        for last_use, nbytes, path in sorted(self._files(), reverse=True):
            if path.suffix == _DRAFT_SUFFIX:
                is_unwanted = time.time() - last_use > _HOUR
            else:
                total += nbytes
                is_unwanted = total > self.limit_bytes
            if is_unwanted:
                with contextlib.suppress(OSError):  # another process was faster
                    path.unlink()

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, bytes and path of every file here."""
        for path in self.folder.glob("*/*"):
            if path.suffix in (_SUFFIX, _DRAFT_SUFFIX):
                with contextlib.suppress(OSError):  # another process took it away
                    facts = path.stat()
                    yield facts.st_mtime, facts.st_size, path


def _checksum(name: str, code: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + code).digest()
