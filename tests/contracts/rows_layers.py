"""Rows of every layer: each with its options, usual inputs, and those at which its formula changes."""

import pullback as pb
from tests.contracts.calls import Given, of, spread
from tests.contracts.layer_row import LayerRow, SignatureRow, sharp

X = spread(4, 6, low=-4.0, high=4.0)
IMAGE = spread(2, 3, 2, 2, low=-3.0, high=3.0, seed=3)
NUMBER = of(0.75)
EMPTY = spread(0, 6)
NARROW = spread(4, 6, dtype="float32", low=-4.0, high=4.0)
HUGE = of([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4])
HUGE_NARROW = of([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4], "float32")
SEAMS = of([-6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0])
BROKEN = of([float("nan"), 1.0], requires_grad=False)
PLAIN = of([-6.0, 0.5, 6.0], requires_grad=False)

# In float64, too, PyTorch multiplies by float32's 1/6, and in CELU by float32's 1/alpha.
COARSE = {"float64": (1e-7, 1e-7)}

POINTWISE: list[tuple[str, dict[str, float | str]]] = [
    ("ReLU", {}),
    ("ReLU6", {}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.3}),
    ("ELU", {}),
    ("ELU", {"alpha": 0.7}),
    ("SELU", {}),
    ("CELU", {}),
    ("CELU", {"alpha": 0.7}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("Mish", {}),
    ("Sigmoid", {}),
    ("LogSigmoid", {}),
    ("Hardsigmoid", {}),
    ("Hardswish", {}),
    ("Hardtanh", {}),
    ("Hardtanh", {"min_val": -0.5, "max_val": 2.0}),
    ("Tanh", {}),
    ("Tanhshrink", {}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 3.0}),
    ("Softsign", {}),
    ("Softshrink", {}),
    ("Softshrink", {"lambd": 1.0}),
    ("Hardshrink", {}),
    ("Hardshrink", {"lambd": 1.0}),
    ("Threshold", {"threshold": 0.5, "value": -9.0}),
]


def _pointwise_rows() -> list[LayerRow]:
    rows = []
    for layer, options in POINTWISE:
        coarse = COARSE if layer in ("Hardsigmoid", "Hardswish", "CELU") else None
        rows += [LayerRow(layer, (x,), options=options, tolerance=coarse) for x in (X, IMAGE, NUMBER, EMPTY)]
        rows.append(LayerRow(layer, (NARROW,), options=options, label="float32", dtype="float32"))
        rows += [
            sharp(layer, HUGE, label="huge", tolerance=coarse, **options),
            sharp(layer, HUGE_NARROW, label="huge float32", **options),
            sharp(layer, SEAMS, label="seams", tolerance=coarse, **options),
            sharp(layer, BROKEN, label="NaN", tolerance=coarse, **options),
        ]
    return rows


def _along_a_dim(layer: str) -> list[LayerRow]:
    """Rows of the layers that share one total along a dim."""
    return [
        LayerRow(layer, (X,), options={"dim": 1}),
        LayerRow(layer, (IMAGE,), options={"dim": -3}),
        LayerRow(layer, (spread(5),), options={"dim": 0}),
        LayerRow(layer, (HUGE,), options={"dim": 0}, label="huge", smooth=False, twice=False),
        LayerRow(
            layer, (HUGE_NARROW,), options={"dim": 0}, label="huge float32", smooth=False, twice=False, dtype="float32"
        ),
        LayerRow(layer, (BROKEN,), options={"dim": 0}, label="NaN", smooth=False, twice=False),
    ]


def _inputs(*shapes: tuple[int, ...]) -> tuple[Given, ...]:
    return tuple(spread(*shape, seed=5 + i) for i, shape in enumerate(shapes))


LAYERS: list[LayerRow] = [
    *_pointwise_rows(),
    *_along_a_dim("Softmax"),
    *_along_a_dim("Softmin"),
    *_along_a_dim("LogSoftmax"),
    LayerRow("PReLU", (X,)),
    LayerRow("PReLU", (IMAGE,), (3,)),
    LayerRow("PReLU", (spread(4, 3),), options={"num_parameters": 3, "init": 0.5}),
    LayerRow("PReLU", (spread(5),), label="without a batch"),
    sharp("PReLU", SEAMS, label="seams"),
    LayerRow("GLU", (X,)),
    LayerRow("GLU", (IMAGE,), options={"dim": 2}),
    LayerRow("GLU", (spread(4),), (0,)),
    LayerRow("Linear", _inputs((4, 3)), (3, 5)),
    LayerRow("Linear", _inputs((3,)), (3, 5)),
    LayerRow("Linear", _inputs((2, 4, 3)), (3, 5)),
    LayerRow("Linear", _inputs((4, 3)), (3, 5), {"bias": False}),
    LayerRow("Linear", _inputs((0, 3)), (3, 5)),
    LayerRow("Linear", _inputs((4, 3)), (3, 1)),
    LayerRow("Linear", (spread(4, 3, dtype="float32"),), (3, 5), label="float32", dtype="float32"),
    LayerRow("Bilinear", _inputs((4, 3), (4, 2)), (3, 2, 5)),
    LayerRow("Bilinear", _inputs((2, 4, 3), (2, 4, 2)), (3, 2, 5), {"bias": False}),
    LayerRow("Bilinear", _inputs((3,), (2,)), (3, 2, 5)),
    LayerRow("Identity", (X,)),
    LayerRow("Identity", (X,), (54,), label="with arguments"),
    LayerRow("Flatten", (IMAGE,)),
    LayerRow("Flatten", (IMAGE,), (0, 1)),
    LayerRow("Flatten", (IMAGE,), options={"start_dim": -2}),
    LayerRow("Unflatten", (X,), (1, (2, 3))),
    LayerRow("Unflatten", (X,), (-1, (3, -1))),
    LayerRow("Dropout", (X,), train=False, label="in evaluation"),
    LayerRow("Dropout", (X,), (0.0,)),
    LayerRow("Dropout", (X,), (1.0,)),
    LayerRow("AlphaDropout", (X,), train=False, label="in evaluation"),
    LayerRow("AlphaDropout", (X,), (0.0,)),
    LayerRow("CosineSimilarity", _inputs((4, 3), (4, 3))),
    LayerRow("CosineSimilarity", _inputs((2, 3, 4), (3, 4)), options={"dim": -1, "eps": 0.5}),
    sharp("CosineSimilarity", of([[0.0, 0.0]]), of([[1.0, 2.0]]), label="zero"),
    LayerRow("PairwiseDistance", _inputs((4, 3), (4, 3))),
    LayerRow("PairwiseDistance", _inputs((4, 3), (4, 3)), options={"p": 1.0, "keepdim": True}),
    LayerRow("PairwiseDistance", _inputs((4, 3), (4, 3)), options={"p": 3.0}),
    LayerRow("PairwiseDistance", _inputs((3,), (3,)), options={"p": float("inf")}, twice=False),
]

# The layers that print whether they were asked to work in place.
REPRS = ["ReLU", "ReLU6", "ELU", "SELU", "CELU", "SiLU", "Mish", "Hardtanh", "LeakyReLU"]

MODULES = {
    name: thing for name, thing in vars(pb.nn).items() if isinstance(thing, type) and issubclass(thing, pb.nn.Module)
}
CONTAINERS = {"Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList"}
# PyTorch writes these in C, chooses between two, or takes anything, so that their parameters cannot be looked up.
WITHOUT_SIGNATURE = set(
    "GRU LSTM RNN adaptive_avg_pool1d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d avg_pool1d "
    "avg_pool2d avg_pool3d bilinear channel_shuffle conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
    "conv_transpose3d cosine_similarity gelu hardshrink linear logsigmoid max_pool1d max_pool2d max_pool3d one_hot "
    "pairwise_distance pixel_shuffle pixel_unshuffle prelu scaled_dot_product_attention softplus softshrink".split()
)
# PyTorch has none of these.
OWN = set(
    "LearnedPositionalEmbedding RotaryEmbedding SinusoidalPositionalEmbedding SwiGLU "
    "alibi_bias alibi_slopes rotary_embedding sinusoidal_positions swiglu".split()
)

SIGNATURES = [SignatureRow("nn", name) for name in sorted(MODULES.keys() - OWN - WITHOUT_SIGNATURE)] + [
    SignatureRow("nn.functional", name) for name in pb.nn.functional.__all__ if name not in WITHOUT_SIGNATURE | OWN
]

ORACLE_ROWS = [
    *LAYERS,
    *(LayerRow(layer, (PLAIN,), options={"inplace": True}, tolerance=COARSE) for layer in REPRS),
    *SIGNATURES,
]
