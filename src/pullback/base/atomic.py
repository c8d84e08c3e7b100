"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pullback.base.errors import ArgumentError

_MODES = ("wb", "w")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb", encoding: str = "utf-8") -> Iterator[IO[Any]]:
    """Open a file for writing that takes the place of `path` only when the block ends without an error.

    The bytes go to a hidden file in the same folder, are flushed to the disk, and then the hidden file is
    renamed and the folder flushed: whoever opens `path` at any moment, a power cut included, finds the old
    content or the new, never a part. After an error nothing is left behind and the old content stands. A link
    is followed; a file that is replaced passes on its permissions. `mode` is "wb" for bytes or "w" for text,
    which is written with the encoding given and with "\\n" as the end of a line.

    Raises FileNotFoundError when the folder does not exist, IsADirectoryError when `path` is a folder and
    ArgumentError for another mode.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "note.txt"
    >>> with atomic_write(path, "w") as file:
    ...     _ = file.write("whole")
    >>> path.read_text(), os.listdir(folder.name)
    ('whole', ['note.txt'])
    >>> folder.cleanup()
    """
    if mode not in _MODES:
        raise ArgumentError(f"atomic_write takes mode 'wb' or 'w'; got {mode!r}")
    target = Path(os.path.realpath(path))
    _check_place(target)
    # A short name of its own: the target's name may already be as long as names get.
    draft = target.parent / f".{os.urandom(8).hex()}.tmp"
    try:
        with _open_new(draft, mode, encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _keep_permissions(draft, target)
        os.replace(draft, target)
    except BaseException:  # Ctrl-C too must leave nothing behind
        draft.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _check_place(target: Path) -> None:
    """Fail before anything is written, with the caller's path and not the draft's in the message."""
    if not target.parent.is_dir():
        problem = "the folder to write into does not exist; create it first"
        raise FileNotFoundError(errno.ENOENT, problem, str(target.parent))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a file is needed here, but this is a folder", str(target))


def _open_new(draft: Path, mode: str, encoding: str) -> IO[Any]:
    if mode == "wb":
        return draft.open("xb")  # "x": never write into a file that someone else made
    return draft.open("x", encoding=encoding, newline="\n")


def _keep_permissions(draft: Path, target: Path) -> None:
    if target.exists():
        draft.chmod(stat.S_IMODE(target.stat().st_mode))


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    if os.name == "nt":  # Windows opens no folders, and orders renames in its journal
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
