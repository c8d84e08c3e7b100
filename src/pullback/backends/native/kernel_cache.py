"""Machine code on disk: one file for each kernel, with a checksum, shared by all processes of a user.

The cache is a convenience. Where it cannot be written it is done without, after one line that says so; a file that is
damaged is as good as none, and is written again.
"""

import functools
import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from pullback.backends.native.hardware import cache_folder
from pullback.base.atomic import atomic_write

_LIMIT = 1 << 28  # bytes in all; beyond, the files that were used longest ago go
_CHECKSUM = hashlib.sha256().digest_size


def folder() -> Path:
    """Where the kernels lie."""
    return cache_folder() / "kernels"


def _file(key: str) -> Path:
    return folder() / key[:2] / f"{key}.o"


def read(key: str) -> bytes | None:
    """The machine code that was kept under this key; None when there is none, or its file is damaged."""
    file = _file(key)
    try:
        found = file.read_bytes()
    except OSError:
        return None
    checksum, code = found[:_CHECKSUM], found[_CHECKSUM:]
    return code if code and hashlib.sha256(code).digest() == checksum else None


def write(codes: Mapping[str, bytes]) -> None:
    """Keep machine code under its keys."""
    if not codes:
        return
    try:
        for key, code in codes.items():
            file = _file(key)
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as out:
                out.write(hashlib.sha256(code).digest() + code)
        _evict_sometimes()
    except OSError as error:
        _tell_once(str(error))


@functools.cache
def _tell_once(why: str) -> None:
    warnings.warn(
        f"compiled kernels cannot be kept in {folder()} ({why}), so the next process compiles them again; "
        "PULLBACK_CACHE names another folder",
        stacklevel=2,
    )


def _files() -> Iterator[tuple[float, int, Path]]:
    for file in folder().glob("*/*.o"):
        try:
            facts = file.stat()
        except OSError:  # another process took it away
            continue
        yield max(facts.st_mtime, facts.st_atime), facts.st_size, file


def size() -> int:
    """Bytes that all kernels take."""
    return sum(nbytes for _, nbytes, _ in _files())


@functools.cache
def _evict_sometimes() -> None:
    """Once in a process that compiles something: take away what was used longest ago, beyond the limit."""
    files = sorted(_files(), reverse=True)
    total = 0
    for _, nbytes, file in files:
        total += nbytes
        if total > _LIMIT:
            try:
                os.unlink(file)
            except OSError:  # another process was faster
                continue
