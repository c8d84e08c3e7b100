"""Rows of the layers that pad, and of padding as a function where its widths are unusual."""

from tests.contracts.calls import calls, of, spread
from tests.contracts.layer_row import LayerRow

ROW = spread(2, 4, seed=61)
SERIES = spread(2, 1, 3, seed=62)
IMAGE = spread(1, 2, 3, 2, seed=63)
ALONE = spread(1, 2, 3, seed=64)
VOLUME = spread(1, 1, 2, 2, 2, seed=65)

LAYERS: list[LayerRow] = [
    LayerRow("ConstantPad1d", (SERIES,), (2, 3.5)),
    LayerRow("ConstantPad1d", (ROW,), ((1, -2), -1.0)),
    LayerRow("ConstantPad2d", (IMAGE,), ((1, 0, 2, 1), 0.5)),
    LayerRow("ConstantPad3d", (VOLUME,), (1, 7.0)),
    LayerRow("ZeroPad1d", (SERIES,), ((0, 2),)),
    LayerRow("ZeroPad2d", (IMAGE,), (1,)),
    LayerRow("ZeroPad2d", (ALONE,), ((-1, 1, 0, -1),)),
    LayerRow("ZeroPad3d", (VOLUME,), ((1, 0, 0, 1, 0, 0),)),
    LayerRow("ReflectionPad1d", (SERIES,), (2,)),
    LayerRow("ReflectionPad1d", (ROW,), ((3, -1),)),
    LayerRow("ReflectionPad2d", (IMAGE,), ((1, 0, 2, 1),)),
    LayerRow("ReflectionPad3d", (VOLUME,), (1,)),
    LayerRow("ReplicationPad1d", (ROW,), ((0, 3),)),
    LayerRow("ReplicationPad2d", (ALONE,), (2,)),
    LayerRow("ReplicationPad3d", (VOLUME,), ((1, 2, 0, 0, 1, 1),)),
    LayerRow("CircularPad1d", (SERIES,), (3,)),
    LayerRow("CircularPad1d", (ROW,), ((-1, 3),)),
    LayerRow("CircularPad2d", (IMAGE,), ((1, 0, 2, 1),)),
    LayerRow("CircularPad3d", (VOLUME,), (1,)),
    LayerRow("ReflectionPad1d", (spread(2, 3, dtype="float32"),), (1,), label="float32", dtype="float32"),
]

FUNCTIONS = calls(
    """
    lib.nn.functional.pad(x, (-1, 2), mode="replicate")
    lib.nn.functional.pad(x, (-2, 3), mode="reflect")
    lib.nn.functional.pad(x, (1, -2), mode="circular")
    lib.nn.functional.pad(x, (2, -2), mode="circular")
    lib.nn.functional.pad(x, (5, 0), mode="circular")
    lib.nn.functional.pad(x, (-3, -2), mode="replicate")
    lib.nn.ZeroPad1d(1)(x[0])
    lib.nn.ConstantPad1d(1, 7)(whole)
    lib.nn.ReflectionPad1d(4)(x)
    lib.nn.ReflectionPad1d(1)(x[0])
    lib.nn.ReflectionPad2d(1)(x)
    lib.nn.ReplicationPad1d(1)(x[None, None])
    lib.nn.CircularPad1d(5)(x)
    lib.nn.CircularPad2d(1)(x)
    lib.nn.ZeroPad2d((1, 2, 3))(x)
    lib.nn.ZeroPad2d([1, 2, 3, 4]).padding
    """,
    x=ROW,
    whole=of([[1, -2, 3]], "int64"),
)

ORACLE_ROWS = [*LAYERS, *FUNCTIONS]
