"""How a tensor prints."""

import math
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, bool_, int64
from pullback.base.settings import get_default_dtype
from pullback.tensor.tensor import Tensor

LINE = 80  # letters
WHOLE_UP_TO = 1000  # elements; of more, the first and last few of each dim are shown
EDGE = 3


def tensor_text(x: Tensor) -> str:
    """The numbers with four decimals, and the dtype and origin where they are not the usual ones."""
    value = x._value
    if value.data is None:
        return f"tensor(<in a compiled function>, {value.type})"
    name = "tensor" if type(x) is Tensor else type(x).__name__
    data = value.data.astype(np.float64) if value.dtype.is_floating_point else value.data
    text = f"{name}({_numbers(data, len(name) + 1)}"
    for extra in _extras(x):
        room = LINE - (len(text) - text.rfind("\n") - 1) - len(extra) - 3
        text += f", {extra}" if room >= 0 else f",\n{' ' * (len(name) + 1)}{extra}"
    return text + ")"


def _extras(x: Tensor) -> list[str]:
    """What is said beside the numbers."""
    value = x._value
    extras = [f"size={value.shape}"] if not value.type.size and value.shape != (0,) else []
    usual = (get_default_dtype(), int64, bool_) if value.type.size else (get_default_dtype(),)
    if value.dtype not in usual:
        extras.append(f"dtype={value.dtype!r}")
    if value.requires_grad:
        extras.append("requires_grad=True" if x.is_leaf or value.node is None else f"grad_fn=<{value.node.op.name}>")
    return extras


def _numbers(data: Array, indent: int) -> str:
    if data.size == 0:
        return "[]"
    shown = data
    if data.size > WHOLE_UP_TO:
        for axis, n in enumerate(data.shape):
            shown = shown.take([*range(EDGE), *range(n - EDGE, n)], axis) if n > 2 * EDGE else shown
    return _nested(data, _Style(shown, cut=shown is not data), indent)


def _nested(data: Array, style: "_Style", indent: int) -> str:
    """An array as brackets within brackets."""
    if data.ndim == 0:
        return style.text(data.item())
    cut = style.cut and len(data) > 2 * EDGE
    rows = [*data[:EDGE], None, *data[-EDGE:]] if cut else list(data)
    if data.ndim > 1:
        texts = ["..." if row is None else _nested(row, style, indent + 1) for row in rows]
        return "[" + ("," + "\n" * (data.ndim - 1) + " " * (indent + 1)).join(texts) + "]"
    texts = [" ..." if n is None else style.text(n.item()) for n in rows]
    per_line = max(1, (LINE - indent) // (style.width + 2))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


class _Style:
    """How the numbers of an array are written, and how wide: chosen once for all of them."""

    def __init__(self, shown: Array, cut: bool) -> None:
        self.cut = cut
        self.form = "{}"
        self.point = ""
        counted = shown
        if shown.dtype.kind == "f":
            counted = shown[np.isfinite(shown) & (shown != 0)]
            sizes = np.abs(counted)
            whole = bool(np.all(sizes == np.floor(sizes)))
            low, high = (sizes.min(), sizes.max()) if sizes.size else (1.0, 1.0)
            wide = high / low > 1000 or high > 1e8 or (low < 1e-4 and not whole)
            self.form = "{:.4e}" if wide else "{:.0f}" if whole else "{:.4f}"
            self.point = "." if whole and not wide else ""
        self.width = max((len(self.plain(n)) for n in counted.reshape(-1).tolist()), default=1)

    def plain(self, number: Any) -> str:
        """A number as text."""
        return self.form.format(number) + (self.point if math.isfinite(number) else "")

    def text(self, number: Any) -> str:
        """A number as text, as wide as the widest."""
        return self.plain(number).rjust(self.width)
