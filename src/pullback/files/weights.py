"""`pb.save` and `pb.load`: tensors, and trees of them, in files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pullback.base.atomic import atomic_write
from pullback.base.errors import ArgumentError, DataError, DTypeError, suggest
from pullback.data.npz import read_npz
from pullback.data.source import StrPath, existing_file
from pullback.files.safetensors_file import read_safetensors, write_safetensors
from pullback.files.tree_text import from_arrays, to_arrays
from pullback.tensor.creation import check_device, from_numpy
from pullback.tensor.tensor import Tensor

# Scripts written for PyTorch call their files .pt and .pth. Here these hold safetensors, too: never pickle.
SAFETENSORS = (".safetensors", ".pt", ".pth")
SUFFIXES = (*SAFETENSORS, ".npz", ".npy")
_TREE = "pullback.tree"
_NPY = b"\x93NUMPY"


def save(obj: Any, f: StrPath, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a file, whole or not at all; its ending says how.

    | ending | holds |
    |---|---|
    | .safetensors, .pt, .pth | a state dict, or any tree of dicts, lists, tuples, tensors, numbers and text |
    | .npz | a dict of tensors |
    | .npy | one tensor |

    A state dict becomes a plain safetensors file that every reader of the format reads. `metadata` is text by name
    that a safetensors file carries along (see `load_metadata`).

    Raises ArgumentError for another ending and for what a file cannot hold, DTypeError for a dtype that the format
    does not know and for a path that is none, FileNotFoundError when the folder does not exist.

    >>> import pullback as pb, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pb.save({"weight": pb.ones(2), "epoch": 3}, f"{folder}/model.safetensors")
    ...     pb.load(f"{folder}/model.safetensors")
    {'weight': tensor([1., 1.]), 'epoch': 3}

    Source: torch.save, without pickle.
    """
    suffix = _suffix(f)
    if metadata and suffix not in SAFETENSORS:
        raise ArgumentError(f"only safetensors files carry metadata; {f} would be {suffix}")
    if suffix == ".npy":
        _save_npy(obj, f)
    elif suffix == ".npz":
        _save_npz(obj, f)
    else:
        arrays, tree = to_arrays(obj)
        write_safetensors(f, arrays, {**(metadata or {}), _TREE: tree})


def load(f: StrPath, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """What `save` wrote, or what others wrote as safetensors, npz or npy; arrays come as tensors.

    `map_location` may only name the CPU; `weights_only` changes nothing, for a file holds nothing else.

    Raises MissingFile when there is no such file; DataError when it is cut short, damaged or pickled;
    ArgumentError for another ending.

    Source: torch.load, without pickle.
    """
    check_device(map_location)
    suffix = _suffix(f)
    if suffix == ".npy":
        return _load_npy(f)
    if suffix == ".npz":
        return {name: from_numpy(array) for name, array in read_npz(f).items()}
    arrays, metadata = read_safetensors(f)
    if _TREE in metadata:
        return from_arrays(arrays, metadata[_TREE])
    return {name: from_numpy(array) for name, array in arrays.items()}


def load_metadata(f: StrPath) -> dict[str, str]:
    """The text that a safetensors file carries beside its tensors, by name.

    Raises MissingFile when there is no such file, DataError when it is no safetensors file.
    """
    return {name: text for name, text in read_safetensors(f)[1].items() if name != _TREE}


def _suffix(path: StrPath) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise DTypeError(
            f"the file is named by a path, as text or a Path, after what is saved: save(obj, path); "
            f"got {type(path).__name__}"
        )
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        near = suggest(suffix, SUFFIXES)
        raise ArgumentError(
            f"{path}: the ending must be one of {', '.join(SUFFIXES)}; got {repr(suffix) if suffix else 'none'}.{near}"
        )
    return suffix


def _save_npy(obj: Any, path: StrPath) -> None:
    if not isinstance(obj, (Tensor, np.ndarray)):
        raise ArgumentError(f"an .npy file holds one tensor; got a {type(obj).__name__}. Use .safetensors or .npz")
    arrays, _ = to_arrays(obj)
    with atomic_write(path) as file:
        np.save(file, _known_to_numpy("the tensor", arrays["tensor"]), allow_pickle=False)


def _save_npz(obj: Any, path: StrPath) -> None:
    if not isinstance(obj, Mapping) or not all(isinstance(x, (Tensor, np.ndarray)) for x in obj.values()):
        raise ArgumentError("an .npz file holds a dict of tensors and nothing else; use .safetensors for other trees")
    from zipfile import ZipFile  # here, for it would add several milliseconds to `import pullback`

    arrays = {name: _known_to_numpy(repr(name), array) for name, array in to_arrays(dict(obj))[0].items()}
    # Not numpy.savez, whose own arguments "file" and "allow_pickle" would take the tensors of these names.
    with atomic_write(path) as file, ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.save(entry, array, allow_pickle=False)


def _known_to_numpy(what: str, array: Any) -> Any:
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"NumPy's formats know no {array.dtype}, which {what} has; use .safetensors")
    return array


def _reason(path: Path, error: Exception) -> str:
    if "pickle" not in str(error):
        return str(error)
    # NumPy takes whatever does not begin as its own formats do for a pickle.
    is_npy = path.read_bytes().startswith(_NPY)
    return "it holds Python objects, which would have to be unpickled" if is_npy else "it does not begin as one does"


def _load_npy(path: StrPath) -> Tensor:
    found = existing_file(path)
    try:
        with found.open("rb") as file:
            array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        reason = _reason(found, error)
        raise DataError(f"{found} is no .npy file, or it is cut short or damaged ({reason})") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{found} is an .npz archive under another name; rename it to end in .npz")
    return from_numpy(array)
