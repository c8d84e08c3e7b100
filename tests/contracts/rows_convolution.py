"""Rows of convolutions, their transposes, and folding."""

from tests.contracts.calls import HALVES, calls, spread
from tests.contracts.layer_row import LayerRow

SERIES = spread(2, 4, 7, seed=61)
IMAGE = spread(2, 2, 4, 5, seed=62)
WIDE = spread(1, 4, 3, 4, seed=63)
VOLUME = spread(1, 2, 3, 2, 3, seed=64)
NARROW = spread(2, 2, 4, 3, dtype="float32", seed=65)

LAYERS: list[LayerRow] = [
    LayerRow("Conv1d", (SERIES,), (4, 3, 3)),
    LayerRow("Conv1d", (SERIES,), (4, 6, 2), {"stride": 2, "groups": 2, "bias": False}),
    LayerRow("Conv1d", (SERIES,), (4, 4, 3), {"groups": 4, "padding": "same", "dilation": 2}),
    LayerRow("Conv1d", (SERIES,), (4, 2, 2), {"padding": (2,), "padding_mode": "reflect"}),
    LayerRow("Conv1d", (spread(4, 7),), (4, 3, 1)),
    LayerRow("Conv1d", (spread(2, 1, 5),), (1, 2, 5)),
    LayerRow("Conv2d", (IMAGE,), (2, 3, (2, 3))),
    LayerRow("Conv2d", (IMAGE,), (2, 4, 3), {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}),
    LayerRow("Conv2d", (IMAGE,), (2, 2, 2), {"padding": "same"}),
    LayerRow("Conv2d", (IMAGE,), (2, 2, 2), {"padding": "valid", "bias": False}),
    LayerRow("Conv2d", (IMAGE,), (2, 2, 3), {"padding": "same", "padding_mode": "circular"}),
    LayerRow("Conv2d", (IMAGE,), (2, 2, 3), {"padding": (1, 2), "padding_mode": "replicate", "stride": 2}),
    LayerRow("Conv2d", (WIDE,), (4, 4, 2), {"groups": 2}),
    LayerRow("Conv2d", (WIDE,), (4, 8, 2), {"groups": 4, "padding": 1}),
    LayerRow("Conv2d", (WIDE,), (4, 3, 1)),
    LayerRow("Conv2d", (WIDE,), (4, 2, 1), {"stride": 2, "padding": 1}),
    LayerRow("Conv2d", (spread(2, 1, 4, 4),), (1, 3, 3)),
    LayerRow("Conv2d", (spread(2, 2, 3, 3),), (2, 6, 2), label="more outputs than windows"),
    LayerRow("Conv2d", (spread(2, 4, 3),), (2, 2, 2), label="without a batch"),
    LayerRow("Conv2d", (spread(0, 2, 3, 3),), (2, 2, 2), label="an empty batch"),
    LayerRow("Conv2d", (NARROW,), (2, 3, 2), label="float32", dtype="float32"),
    LayerRow("Conv3d", (VOLUME,), (2, 2, 2), {"padding": 1, "stride": (1, 2, 2)}),
    LayerRow("Conv3d", (spread(2, 3, 2, 2),), (2, 2, (1, 2, 2)), {"groups": 2}),
    LayerRow("ConvTranspose1d", (SERIES,), (4, 3, 3)),
    LayerRow("ConvTranspose1d", (SERIES,), (4, 2, 2), {"stride": 3, "output_padding": 2, "groups": 2, "bias": False}),
    LayerRow("ConvTranspose1d", (spread(4, 3),), (4, 4, 3), {"groups": 4, "dilation": 3, "output_padding": 2}),
    LayerRow("ConvTranspose2d", (IMAGE,), (2, 3, (2, 3)), {"padding": (1, 0)}),
    LayerRow("ConvTranspose2d", (IMAGE,), (2, 2, 3), {"stride": 2, "padding": 1, "output_padding": (1, 0)}),
    LayerRow("ConvTranspose2d", (spread(2, 3, 2),), (2, 4, 2), {"groups": 2, "padding": 1}),
    LayerRow("ConvTranspose2d", (NARROW,), (2, 2, 2), {"stride": 2}, "float32", dtype="float32"),
    LayerRow("ConvTranspose3d", (VOLUME,), (2, 1, 2), {"stride": 2, "padding": 1}),
]

FUNCTIONS = [
    *calls(
        """
        lib.nn.functional.conv2d(x, w)
        lib.nn.functional.conv2d(x, w, b, 2, (0, 1), [1, 2])
        lib.nn.functional.conv2d(x, w, stride=[2])
        lib.nn.functional.conv2d(x, w, padding="same")
        lib.nn.functional.conv2d(x, w[:, :1], groups=2)
        lib.nn.functional.conv2d(x[0], w, b)
        lib.nn.functional.conv2d(x, w, w[0, 0, 0])
        lib.nn.functional.conv2d(x[:, :1], w)
        lib.nn.functional.conv2d(x, w, groups=2)
        lib.nn.functional.conv2d(x, w, padding="sane")
        lib.nn.functional.conv2d(x, w, padding="same", stride=2)
        lib.nn.functional.conv2d(x, w, stride=0)
        lib.nn.functional.conv2d(x, w, padding=-1)
        lib.nn.functional.conv2d(x, w, padding=(1, 2, 3))
        lib.nn.functional.conv2d(x, w, dilation=4)
        lib.nn.functional.conv2d(x[0, 0], w)
        lib.nn.functional.conv2d(x, w[0])
        lib.nn.functional.conv2d(x, w.float())
        lib.nn.functional.conv2d(x, w, b.float())
        lib.nn.functional.conv1d(x[0], w[:, :, 0], b)
        lib.nn.functional.conv3d(x[None], w[None].transpose(0, 1), b)
        lib.nn.functional.conv2d((4 * x).long(), (4 * w).long())
        lib.nn.functional.conv_transpose2d(x, w[:2])
        lib.nn.functional.conv_transpose2d(x, w[:2], b[:2], 2, 1, 1)
        lib.nn.functional.conv_transpose2d(x, w[:2], None, 2, 0, 1, 2, 1)
        lib.nn.functional.conv_transpose2d(x, w[:2], stride=2, output_padding=2)
        lib.nn.functional.conv_transpose2d(x, w[:2], output_padding=1, dilation=2)
        lib.nn.functional.conv_transpose2d(x, w)
        lib.nn.functional.conv_transpose2d(x, w[:2], padding=4)
        lib.nn.functional.conv_transpose1d(x[0], w[:2, :, 0])
        lib.nn.functional.conv_transpose3d(x[None].transpose(0, 1), w[:, :1])
        """,
        x=spread(2, 2, 4, 3, seed=66),
        w=spread(4, 2, 2, 2, seed=67),
        b=spread(4, seed=68),
    ),
    *calls(
        """
        lib.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1).double()(x, output_size=(8, 5)).shape
        lib.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1).double()(x, output_size=[2, 3, 7, 6]).shape
        lib.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1).double()(x, output_size=(9, 5)).shape
        lib.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1).double()(x, output_size=(6, 5)).shape
        lib.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1).double()(x, output_size=(8,)).shape
        lib.nn.ConvTranspose2d(2, 3, 3, padding_mode="reflect")
        lib.nn.Conv2d(3, 4, 2, groups=2)
        lib.nn.Conv2d(4, 3, 2, groups=2)
        lib.nn.Conv2d(4, 4, 2, groups=0)
        lib.nn.Conv2d(4, 4, 2, padding_mode="mirror")
        lib.nn.Conv2d(4, 4, 2, padding="equal")
        lib.nn.Conv2d(4, 4, 2, padding="same", stride=2)
        lib.nn.Conv2d(2, 4, 3).double()(x[:, :, :2])
        """,
        x=spread(2, 2, 4, 3, seed=66),
    ),
    *calls(
        """
        lib.nn.functional.conv2d(h, v, c)
        lib.nn.functional.conv2d(h, v[:, :1], c, padding=1, groups=2)
        lib.nn.functional.conv_transpose2d(h, v[:2], c[:2])
        """,
        label="bfloat16",
        tolerance=HALVES,
        h=spread(1, 2, 3, 3, dtype="bfloat16", seed=69),
        v=spread(4, 2, 2, 2, dtype="bfloat16", seed=70),
        c=spread(4, dtype="bfloat16", seed=71),
    ),
    *calls(
        """
        lib.nn.functional.conv2d(h, v, c)
        """,
        label="float16",
        tolerance=HALVES,
        h=spread(1, 2, 3, 3, dtype="float16", seed=69),
        v=spread(4, 2, 2, 2, dtype="float16", seed=70),
        c=spread(4, dtype="float16", seed=71),
    ),
]

ORACLE_ROWS = [*LAYERS, *FUNCTIONS]
