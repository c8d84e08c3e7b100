"""Safetensors files: named arrays and text beside them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from pullback.base.atomic import atomic_write
from pullback.base.dtypes import Array, from_numpy_dtype
from pullback.base.errors import ArgumentError, DataError
from pullback.data.source import StrPath, existing_file

_DTYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "U32": np.uint32,
    "BOOL": np.bool_,
}
_METADATA = "__metadata__"
_ZIP, _PICKLE = b"PK", b"\x80"


def write_safetensors(path: StrPath, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays, and text by name, as a safetensors file: whole or not at all.

    Raises DTypeError for an array that no tensor can hold, ArgumentError for the one name that the format keeps for
    itself, FileNotFoundError when the folder does not exist.
    """
    from safetensors.numpy import save

    if _METADATA in arrays:
        raise ArgumentError(
            f"a safetensors file keeps the name {_METADATA!r} for itself; call the tensor something else"
        )
    for array in arrays.values():
        from_numpy_dtype(array.dtype)  # raises for what no tensor can hold
    ready = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    content = save(ready, dict(metadata) if metadata else None)
    with atomic_write(path) as file:
        file.write(_with_sorted_metadata(content) if metadata else content)


def read_safetensors(path: StrPath) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the text of a safetensors file, each by name.

    Raises MissingFile when there is no such file; DataError when it is cut short, damaged, of another format, or
    holds a dtype that has no twin here.
    """
    from safetensors import SafetensorError, deserialize

    found = existing_file(path)
    content = found.read_bytes()
    try:
        entries = deserialize(content)  # type: ignore[no-untyped-call]  # the library has no types
    except SafetensorError as error:
        # Asked only now: a good file, too, may begin with these bytes, which hold the length of its header.
        _refuse_pickles(found, content)
        raise DataError(f"{found} is no safetensors file, or it is cut short or damaged ({error})") from error
    arrays = {name: _as_array(found, name, entry) for name, entry in entries}
    return arrays, _metadata(content)


def _as_array(path: Path, name: str, entry: Mapping[str, Any]) -> Array:
    if entry["dtype"] not in _DTYPES:
        known = ", ".join(_DTYPES)
        raise DataError(f"{path}: {name!r} has the dtype {entry['dtype']}, which has no twin here; known are {known}")
    return np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    """The file's header, which is JSON behind eight bytes that hold its length, and where it ends."""
    end = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:end])
    return header, end


def _metadata(content: bytes) -> dict[str, str]:
    found: dict[str, str] = _header(content)[0].get(_METADATA, {})
    return found


def _with_sorted_metadata(content: bytes) -> bytes:
    """The same file with its text in order: the library writes it in another order each time, and the same weights
    should give the same bytes."""
    header, end = _header(content)
    header[_METADATA] = dict(sorted(header[_METADATA].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the numbers to eight bytes
    return len(text).to_bytes(8, "little") + text + content[end:]


def _refuse_pickles(path: Path, content: bytes) -> None:
    if content.startswith((_ZIP, _PICKLE)):
        raise DataError(
            f"{path} was pickled (by torch.save, or as .npz under another name). Pickle can run any code and is "
            "never read here; in PyTorch write the weights with safetensors.torch.save_file(model.state_dict(), path)"
        )
