"""Rows of pooling, of what takes it back, and of folding."""

from tests.contracts.calls import HALVES, calls, of, spread
from tests.contracts.layer_row import LayerRow, sharp

SERIES = spread(2, 2, 7, seed=81)
IMAGE = spread(1, 2, 4, 5, seed=82)
VOLUME = spread(1, 1, 3, 4, 2, seed=83)
NARROW = spread(2, 2, 4, 3, dtype="float32", seed=84)
ABOVE = spread(1, 2, 4, 5, low=0.5, high=2.0, seed=85)
EQUAL = of([[[1.0, 1.0, 1.0, 0.0, 0.0, 2.0, 2.0]]])
BROKEN = of([[[1.0, float("nan"), 0.0, float("-inf"), float("-inf"), float("inf")]]])


def _placed(layer: str, *args: object, **options: object) -> LayerRow:
    """A row that gives places, too, which differences cannot check."""
    return LayerRow(layer, (IMAGE,), args, {"return_indices": True, **options}, smooth=False)


LAYERS: list[LayerRow] = [
    LayerRow("MaxPool1d", (SERIES,), (2,)),
    LayerRow("MaxPool1d", (SERIES,), (3,), {"stride": 2, "padding": 1, "ceil_mode": True}),
    LayerRow("MaxPool1d", (spread(2, 7),), (3,), {"stride": 1, "dilation": 2}),
    LayerRow("MaxPool2d", (IMAGE,), (2,)),
    LayerRow("MaxPool2d", (IMAGE,), ((2, 5),)),
    LayerRow("MaxPool2d", (IMAGE,), (3,), {"stride": (2, 1), "padding": 1}),
    LayerRow("MaxPool2d", (IMAGE,), (2,), {"ceil_mode": True}),
    LayerRow("MaxPool2d", (spread(2, 4, 5),), ((3, 2),), {"stride": 1, "dilation": (1, 2), "padding": (1, 0)}),
    LayerRow("MaxPool2d", (spread(0, 2, 4, 4),), (2,), label="an empty batch"),
    LayerRow("MaxPool2d", (NARROW,), (2,), label="float32", dtype="float32"),
    LayerRow("MaxPool2d", (spread(1, 1, 6, 6, seed=86),), (5,), {"stride": 1}),
    LayerRow("MaxPool3d", (VOLUME,), (2,), {"stride": 1, "padding": 1}),
    _placed("MaxPool2d", 2),
    _placed("MaxPool2d", 3, stride=2, padding=1, ceil_mode=True),
    sharp("MaxPool1d", EQUAL, label="equal", kernel_size=3, stride=2),
    sharp("MaxPool1d", BROKEN, label="NaN and infinities", kernel_size=2, stride=1, padding=1),
    sharp("MaxPool1d", BROKEN, label="NaN and infinities", kernel_size=2, return_indices=True),
    LayerRow("AvgPool1d", (SERIES,), (2,)),
    LayerRow("AvgPool1d", (SERIES,), (3,), {"stride": 2, "padding": 1, "count_include_pad": False}),
    LayerRow("AvgPool1d", (spread(2, 7),), (3,), {"stride": 3, "padding": 1, "ceil_mode": True}),
    LayerRow("AvgPool2d", (IMAGE,), (2,)),
    LayerRow("AvgPool2d", (IMAGE,), (3,), {"stride": 2, "padding": 1}),
    LayerRow("AvgPool2d", (IMAGE,), (3,), {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}),
    LayerRow("AvgPool2d", (IMAGE,), ((2, 3),), {"divisor_override": 5, "ceil_mode": True}),
    LayerRow("AvgPool2d", (spread(1, 5, 6),), (5,), {"stride": (1, 2), "padding": 2}),
    LayerRow("AvgPool2d", (NARROW,), (2,), label="float32", dtype="float32"),
    LayerRow("AvgPool3d", (VOLUME,), (2,), {"padding": (0, 1, 1), "stride": 1}),
    LayerRow("AvgPool3d", (VOLUME,), ((3, 4, 2),)),
    LayerRow("AdaptiveAvgPool1d", (SERIES,), (3,)),
    LayerRow("AdaptiveAvgPool1d", (spread(2, 4),), (2,)),
    LayerRow("AdaptiveAvgPool2d", (IMAGE,), (1,)),
    LayerRow("AdaptiveAvgPool2d", (IMAGE,), ((2, None),)),
    LayerRow("AdaptiveAvgPool2d", (IMAGE,), ((3, 2),)),
    LayerRow("AdaptiveAvgPool2d", (IMAGE,), (6,)),
    LayerRow("AdaptiveAvgPool3d", (VOLUME,), ((2, 3, 1),)),
    LayerRow("AdaptiveAvgPool3d", (VOLUME,), (1,)),
    LayerRow("AdaptiveMaxPool1d", (SERIES,), (3,)),
    LayerRow("AdaptiveMaxPool1d", (spread(2, 4),), (2,)),
    LayerRow("AdaptiveMaxPool2d", (IMAGE,), (1,)),
    LayerRow("AdaptiveMaxPool2d", (IMAGE,), ((3, None),)),
    LayerRow("AdaptiveMaxPool3d", (VOLUME,), (2,)),
    _placed("AdaptiveMaxPool2d", (3, 2)),
    _placed("AdaptiveMaxPool2d", (2, 5)),
    sharp("AdaptiveMaxPool1d", BROKEN, label="NaN and infinities", output_size=4, return_indices=True),
    LayerRow("LPPool1d", (spread(2, 2, 7, low=0.5, high=2.0),), (3, 2)),
    LayerRow("LPPool2d", (ABOVE,), (2, (2, 3)), {"stride": (1, 2)}),
    LayerRow("LPPool2d", (ABOVE,), (1.5, 3), {"ceil_mode": True}),
    LayerRow("LPPool2d", (IMAGE,), (2, 2)),
    LayerRow("LPPool3d", (spread(1, 1, 3, 4, 2, low=0.5, high=2.0),), (2.0, 2)),
    LayerRow("MaxUnpool1d", (spread(1, 2, 2), of([[[0, 2], [1, 3]]], "int64")), (2,)),
    LayerRow("MaxUnpool2d", (spread(1, 1, 2, 2), of([[[[0, 2], [9, 15]]]], "int64")), (2,)),
    LayerRow("MaxUnpool2d", (spread(1, 2, 2), of([[[0, 3], [13, 19]]], "int64")), (3, 2), {"padding": 0}),
    LayerRow("MaxUnpool3d", (spread(1, 1, 1, 1, 2), of([[[[[3, 12]]]]], "int64")), (2,)),
    LayerRow("Unfold", (IMAGE,), (2,)),
    LayerRow("Unfold", (IMAGE,), ((2, 3),), {"dilation": (2, 1), "padding": (1, 0), "stride": (1, 2)}),
    LayerRow("Unfold", (spread(2, 3, 3),), (3,), {"padding": 1, "stride": 2}),
    LayerRow("Fold", (spread(1, 8, 12),), ((4, 5), 2)),
    LayerRow("Fold", (spread(1, 12, 8),), ((4, 5), (2, 3)), {"dilation": (2, 1), "padding": (1, 0), "stride": (1, 2)}),
    LayerRow("Fold", (spread(18, 4),), (3, 3), {"padding": 1, "stride": 2}),
]

FUNCTIONS = [
    *calls(
        """
        lib.nn.functional.max_pool2d(x, (2,))
        lib.nn.functional.max_pool2d(x, [2, 3], [1, 2], [1, 0], 1, True, True)
        lib.nn.functional.max_pool2d(x, 2, padding=2)
        lib.nn.functional.max_pool2d(x, 5)
        lib.nn.functional.max_pool2d(x, 5, ceil_mode=True)
        lib.nn.functional.max_pool2d(x, 2, stride=0)
        lib.nn.functional.max_pool2d(x, (1, 2, 3))
        lib.nn.functional.max_pool2d(x[0, 0], 2)
        lib.nn.functional.max_pool2d((4 * x).long(), 3, 1, 1)
        lib.nn.functional.max_pool1d(x[0], 2, return_indices=True)
        lib.nn.functional.max_pool3d(x[None], 2, return_indices=True)
        lib.nn.functional.avg_pool2d(x, (2,), ceil_mode=True)
        lib.nn.functional.avg_pool2d(x, 2, padding=2)
        lib.nn.functional.avg_pool2d(x, 2, divisor_override=0)
        lib.nn.functional.avg_pool2d(x, 3, 2, 1, True, False, 4)
        lib.nn.functional.avg_pool2d(x, 5)
        lib.nn.functional.avg_pool1d(x[0], 2, 1)
        lib.nn.functional.avg_pool3d(x[None], 2)
        lib.nn.functional.lp_pool1d(x[0].abs(), 3, 2)
        lib.nn.functional.lp_pool2d(x, 2, 2, 1)
        lib.nn.functional.lp_pool2d(x, 3, 2, ceil_mode=True)
        lib.nn.functional.lp_pool3d(x[None].abs(), 2, 2)
        lib.nn.functional.adaptive_avg_pool1d(x[0], [2])
        lib.nn.functional.adaptive_avg_pool2d(x, (None, 2))
        lib.nn.functional.adaptive_avg_pool2d(x.detach(), 0)
        lib.nn.functional.adaptive_avg_pool2d(x, -1)
        lib.nn.functional.adaptive_avg_pool2d(x, (1, 2, 3))
        lib.nn.functional.adaptive_avg_pool2d(x[0, 0], 2)
        lib.nn.functional.adaptive_avg_pool2d(x.long(), 1)
        lib.nn.functional.adaptive_avg_pool3d(x[None], (1, 2, 2))
        lib.nn.functional.adaptive_max_pool1d(x[0], 2, return_indices=True)
        lib.nn.functional.adaptive_max_pool2d(x, (None, 2), return_indices=True)
        lib.nn.functional.adaptive_max_pool3d(x[None], (1, 2, 2), return_indices=True)
        lib.nn.functional.max_unpool2d(*lib.nn.functional.max_pool2d(x, 2, return_indices=True), 2, output_size=(4, 3))
        lib.nn.functional.max_unpool2d(*lib.nn.functional.max_pool2d(x, 2, 2, return_indices=True), 2)
        lib.nn.functional.max_unpool2d(*lib.nn.functional.max_pool2d(x, 2, return_indices=True), 2, output_size=(6, 3))
        lib.nn.functional.max_unpool1d(x[0], lib.zeros_like(x[0]).long() + 9, 2)
        lib.nn.functional.unfold(x, 2, 1, 1, 2)
        lib.nn.functional.unfold(x, 5)
        lib.nn.functional.unfold(x[0, 0], 2)
        lib.nn.functional.fold(x.reshape(1, 4, 6), (3, 4), 2)
        lib.nn.functional.fold(x.reshape(4, 6), (3, 4), 2)
        lib.nn.functional.fold(x.reshape(1, 4, 6), (4, 4), 2)
        lib.nn.functional.fold(x.reshape(1, 6, 4), (3, 3), 2)
        lib.nn.functional.max_pool1d(low, 3, padding=1, return_indices=True)
        """,
        x=spread(1, 2, 4, 3, seed=87),
        low=of([[float("-inf")] * 5]),
    ),
    *calls(
        """
        lib.nn.functional.max_pool2d(h, 2, return_indices=True)
        lib.nn.functional.avg_pool2d(h, 2, padding=1)
        lib.nn.functional.adaptive_avg_pool2d(h, 1)
        lib.nn.functional.adaptive_max_pool2d(h, (3, 2))
        lib.nn.functional.unfold(h, 2)
        lib.nn.functional.fold(lib.nn.functional.unfold(h, 2), 4, 2)
        """,
        label="bfloat16",
        tolerance=HALVES,
        h=spread(1, 2, 4, 4, dtype="bfloat16", seed=88),
    ),
]

ORACLE_ROWS = [*LAYERS, *FUNCTIONS]
