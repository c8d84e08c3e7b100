"""How a tensor prints."""

import numpy as np

from pullback.tensor.tensor import Tensor


def tensor_text(x: Tensor) -> str:
    """The numbers with four decimals, and the dtype and origin where they are not the usual ones."""
    value = x._value
    extras = []
    if value.data is None:
        return f"tensor(<in a compiled function>, {value.type})"
    data = value.data.astype(np.float64) if value.dtype.is_floating_point else value.data
    if value.dtype.name not in ("float32", "int64", "bool"):
        extras.append(f"dtype={value.dtype!r}")
    if data.size == 0 and data.shape != (0,):
        extras.insert(0, f"size={data.shape}")
    if value.requires_grad:
        extras.append("requires_grad=True" if x.is_leaf or value.node is None else f"grad_fn=<{value.node.op.name}>")
    return (
        f"{type(x).__name__.lower() if type(x) is Tensor else type(x).__name__}({', '.join([_numbers(data), *extras])})"
    )


def _numbers(data: np.ndarray) -> str:
    known = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    whole = bool(np.all((known == np.round(known)) & (np.abs(known) < 1e6)))
    with np.printoptions(precision=0 if whole else 4, floatmode="fixed", threshold=1000, edgeitems=3, linewidth=100):
        return "[]" if data.size == 0 else np.array2string(data, separator=", ", prefix="tensor(")
