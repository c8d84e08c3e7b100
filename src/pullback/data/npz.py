"""NPZ, NumPy's archive of named arrays. Arrays of Python objects, which NumPy would unpickle, are refused."""

import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DataError, suggest
from pullback.data.source import StrPath, read_bytes


def read_npz(path: StrPath, names: Sequence[str] | None = None) -> dict[str, Array]:
    """The arrays of an .npz file by name: all of them, or those asked for, in the order asked for.

    Raises MissingFile when there is no such file; DataError when it is not NPZ, is damaged, has no array of a
    name asked for, or holds Python objects.

    >>> import tempfile, pathlib
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "points.npz")
    >>> np.savez(path, x=np.arange(3), y=np.ones(3))
    >>> read_npz(path, ["y"])
    {'y': array([1., 1., 1.])}
    >>> folder.cleanup()

    Source: numpy.lib.format.
    """
    with _open(read_bytes(path), path) as archive:
        wanted = archive.files if names is None else list(names)
        for name in wanted:
            _check_name(name, archive.files, path)
        return {name: _read_array(archive, name, path) for name in wanted}


def _open(raw: bytes, path: StrPath) -> Any:
    from zipfile import BadZipFile  # here, for it would add several milliseconds to `import pullback`

    try:
        archive = np.load(BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise DataError(f"{path} is no .npz archive") from error
    if isinstance(archive, np.ndarray):
        raise DataError(f"{path} is no .npz archive; it is a single .npy array, which numpy.load reads")
    return archive


def _check_name(name: str, present: list[str], path: StrPath) -> None:
    if name not in present:
        listed = ", ".join(present) or "nothing"
        raise DataError(f"{path} has no array {name!r}.{suggest(name, present)} It holds {listed}")


def _read_array(archive: Any, name: str, path: StrPath) -> Array:
    from zipfile import BadZipFile

    try:
        array = archive[name]
    except (ValueError, EOFError, OSError, BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: array {name!r} holds Python objects, which would have to be unpickled; "
                "save it as numbers or as text of fixed width"
            ) from error
        raise DataError(f"{path}: array {name!r} is damaged: {error}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: {name!r} is no .npy array")
    return array
