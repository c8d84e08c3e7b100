"""Rows of the layers and functions that resize, and of those that move pixels and channels about."""

from tests.contracts.calls import HALVES, calls, of, spread
from tests.contracts.layer_row import LayerRow

SERIES = spread(2, 1, 3, seed=71)
IMAGE = spread(1, 2, 3, 2, seed=72)
VOLUME = spread(1, 1, 2, 2, 2, seed=73)
CHANNELS = spread(1, 4, 2, 3, seed=74)

LAYERS: list[LayerRow] = [
    LayerRow("Upsample", (SERIES,), options={"scale_factor": 2}),
    LayerRow("Upsample", (SERIES,), options={"size": 2, "mode": "nearest-exact"}),
    LayerRow("Upsample", (SERIES,), options={"size": 5, "mode": "linear"}),
    LayerRow("Upsample", (IMAGE,), options={"scale_factor": (2, 1.5), "mode": "bilinear"}),
    LayerRow("Upsample", (IMAGE,), options={"size": (2, 5), "mode": "bilinear", "align_corners": True}),
    LayerRow("Upsample", (IMAGE,), options={"scale_factor": 1.7, "mode": "bilinear", "recompute_scale_factor": True}),
    LayerRow("Upsample", (IMAGE,), options={"size": 4, "mode": "bicubic"}),
    LayerRow("Upsample", (VOLUME,), options={"size": (3, 2, 1), "mode": "trilinear"}),
    LayerRow(
        "Upsample", (spread(1, 2, 3, 2, dtype="float32"),), options={"size": 4, "mode": "bilinear"}, dtype="float32"
    ),
    LayerRow("UpsamplingNearest2d", (IMAGE,), options={"scale_factor": 2}),
    LayerRow("UpsamplingBilinear2d", (IMAGE,), options={"size": (4, 3)}),
    LayerRow("PixelShuffle", (CHANNELS,), (2,)),
    LayerRow("PixelShuffle", (spread(9, 1, 2),), (3,)),
    LayerRow("PixelUnshuffle", (spread(2, 1, 4, 2),), (2,)),
    LayerRow("ChannelShuffle", (CHANNELS,), (2,)),
    LayerRow("ChannelShuffle", (spread(1, 6, 2),), (3,)),
]

FUNCTIONS = [
    *calls(
        """
        lib.nn.functional.interpolate(line, 7)
        lib.nn.functional.interpolate(line, 3)
        lib.nn.functional.interpolate(line, scale_factor=2.5)
        lib.nn.functional.interpolate(line, scale_factor=0.7)
        lib.nn.functional.interpolate(line, scale_factor=0.7, recompute_scale_factor=True)
        lib.nn.functional.interpolate(line, 7, mode="nearest-exact")
        lib.nn.functional.interpolate(line, scale_factor=1.3, mode="nearest-exact")
        lib.nn.functional.interpolate(line, 7, mode="linear")
        lib.nn.functional.interpolate(line, 3, mode="linear")
        lib.nn.functional.interpolate(line, 1, mode="linear", align_corners=True)
        lib.nn.functional.interpolate(line, 5, mode="linear")
        lib.nn.functional.interpolate(line, scale_factor=1.3, mode="linear")
        lib.nn.functional.interpolate(line, scale_factor=1.3, mode="linear", align_corners=True)
        lib.nn.functional.interpolate(line, scale_factor=1.3, mode="linear", recompute_scale_factor=True)
        lib.nn.functional.interpolate(line, scale_factor=[1.3], mode="linear")
        lib.nn.functional.interpolate(image, 5)
        lib.nn.functional.interpolate(image, (1, 5), mode="nearest-exact")
        lib.nn.functional.interpolate(image, (1, 5), mode="bilinear")
        lib.nn.functional.interpolate(image, (5, 4), mode="bicubic", align_corners=True)
        lib.nn.functional.interpolate(image, scale_factor=1.6, mode="bicubic")
        lib.nn.functional.interpolate(volume, (1, 3, 2))
        lib.nn.functional.interpolate(volume, 3, mode="trilinear", align_corners=True)
        lib.nn.functional.interpolate(line, 3, mode="area")
        lib.nn.functional.interpolate(image, scale_factor=(0.7, 1.0), mode="area")
        lib.nn.functional.interpolate(volume, 1, mode="area")
        lib.nn.functional.interpolate(image, 2, mode="area", align_corners=False)
        lib.nn.functional.interpolate(wild, 4, mode="linear")
        lib.nn.functional.interpolate(small, 3)
        lib.nn.functional.upsample(image, scale_factor=2, mode="bilinear", align_corners=True)
        lib.nn.functional.interpolate(image)
        lib.nn.functional.interpolate(image, 3, 2.0)
        lib.nn.functional.interpolate(image, (3, 2, 2))
        lib.nn.functional.interpolate(image, 3, mode="linear")
        lib.nn.functional.interpolate(image, 3, mode="bilineer")
        lib.nn.functional.interpolate(image, 3, align_corners=True)
        lib.nn.functional.interpolate(image, 3, recompute_scale_factor=True)
        lib.nn.functional.interpolate(image, scale_factor=0.1)
        lib.nn.functional.interpolate(whole, 3, mode="linear")
        lib.nn.functional.pixel_shuffle(image, 2)
        lib.nn.functional.pixel_shuffle(image[0, 0], 1)
        lib.nn.functional.pixel_shuffle(image, 0)
        lib.nn.functional.pixel_shuffle(volume.reshape(2, 1, 4, 1, 1), 2)
        lib.nn.functional.pixel_unshuffle(image, 2)
        lib.nn.functional.pixel_unshuffle(volume[0], 2)
        lib.nn.functional.channel_shuffle(image, 3)
        lib.nn.functional.channel_shuffle(image, 1)
        """,
        line=spread(1, 2, 5, seed=75),
        image=IMAGE,
        volume=VOLUME,
        wild=of([[[1.0, float("inf"), 2.0, 3.0, 4.0, float("nan"), 5.0, 6.0]]]),
        small=of([[[1, 2, 3, 4, 5]]], "uint8"),
        whole=of([[[1, 2, 3]]], "int64"),
    ),
    *calls(
        """
        lib.nn.functional.interpolate(h, 4, mode="bilinear")
        lib.nn.functional.interpolate(h, scale_factor=2)
        """,
        label="bfloat16",
        tolerance=HALVES,
        h=spread(1, 2, 3, 2, dtype="bfloat16", seed=76),
    ),
]

ORACLE_ROWS = [*LAYERS, *FUNCTIONS]
