"""Rows of every loss: each reduction and option, usual inputs, and those where its formula changes or overflows."""

from typing import Any

from tests.contracts.calls import Given, of, spread
from tests.contracts.layer_row import LayerRow, sharp

REDUCTIONS = ("none", "mean", "sum")
HUGE = 1e4
# In float64, too, PyTorch's least divisor is float32's 1e-12.
COARSE = {"float64": (1e-8, 0.0)}


def fixed(given: Given) -> Given:
    """The same numbers, which require no gradient."""
    return Given(given.array, given.dtype, False)


def narrow(given: Given) -> Given:
    """The same numbers in float32."""
    return Given(given.array, "float32", given.requires_grad)


def classes(*shape: int, count: int) -> Given:
    """Classes below count, all of them where there is room."""
    bits = spread(*shape, low=0.0, high=float(count), seed=11).array
    return of(bits.astype(int), "int64")


def signs(*shape: int) -> Given:
    """1 and −1."""
    return of(1 - 2 * classes(*shape, count=2).array, "float64", requires_grad=False)


def probabilities(*shape: int) -> Given:
    """Positive numbers that add up to 1 along dim 1 (or the only one)."""
    positive = spread(*shape, low=0.1, high=1.0, seed=13).array
    return of(positive / positive.sum(min(len(shape) - 1, 1), keepdims=True), "float64", requires_grad=False)


X, Y = spread(4, 3), fixed(spread(4, 3, seed=2))
# Distances of 0, of exactly 1 and 0.5, and so far away that no square can be had.
EDGES = of([0.0, 1.0, -1.0, 0.5, -0.5, 1e200, float("-inf")])
ZEROS = of([0.0] * 7, requires_grad=False)
# A loss of NaN must not hide behind a gradient of 0.
NOT_FINITE = of([float("nan"), float("inf"), float("-inf"), 0.5, -3.0])
NOT_FINITE_ROW = of([NOT_FINITE.array.tolist(), [float("nan"), 0.0, 1.0, 2.0, 3.0]])
TARGETS_NEAR = of([1.0] * 5, requires_grad=False)
VARIANCES = of([float("nan"), float("inf"), 2.0, 0.5, 1e-9])
LOGITS = spread(6, 5, seed=4)
CLASSES = classes(6, count=5)
SKIPPED = of([0, -100, 4, 2, -100, 1], "int64")
SOME_ZERO = of([0, 2, 0, 4, 1, 3], "int64")
WEIGHT = of([0.5, 1.0, 2.0, 0.25, 1.5], requires_grad=False)
SCORES = of(LOGITS.array / 4.0 - 1.5)  # stand for log-probabilities
DEEP, DEEP_CLASSES = spread(2, 5, 2, 2, seed=6), classes(2, 2, 2, count=5)
FAR = of([[HUGE, -HUGE, 0.0], [-HUGE, HUGE, HUGE], [0.0, 0.0, -HUGE]])
FAR_NARROW = narrow(FAR)
CHANCE = spread(4, 3, low=0.05, high=0.95, seed=7)
TARGET = fixed(spread(4, 3, low=0.0, high=1.0, seed=8))
CERTAIN, TRUTH = of([0.0, 0.0, 1.0, 1.0, 0.5]), of([0.0, 1.0, 0.0, 1.0, 1.0], requires_grad=False)
NEARLY = of([1e-9, 1.0 - 1e-9, 1e-14])
FAR_LOGITS = of([HUGE, -HUGE, HUGE, -HUGE, 0.0, 0.0])
FAR_TRUTH = of([1.0, 1.0, 0.0, 0.0, 1.0, 0.5], requires_grad=False)


def each_reduction(loss: str, *inputs: Given, label: str = "", **options: Any) -> list[LayerRow]:
    """The same row with each reduction."""
    return [LayerRow(loss, inputs, options={**options, "reduction": how}, label=label) for how in REDUCTIONS]


REGRESSION = [
    *each_reduction("MSELoss", X, Y),
    LayerRow("MSELoss", (X, spread(4, 3, seed=2)), label="gradient at the target, too"),
    LayerRow("MSELoss", (of(2.0), of(3.0))),
    *each_reduction("L1Loss", X, Y),
    sharp("L1Loss", EDGES, ZEROS, label="edges"),
    *each_reduction("SmoothL1Loss", X, Y),
    *each_reduction("SmoothL1Loss", X, Y, beta=0.5),
    LayerRow("SmoothL1Loss", (X, Y), options={"beta": 0.0}),
    sharp("SmoothL1Loss", EDGES, ZEROS, label="edges"),
    sharp("SmoothL1Loss", EDGES, ZEROS, label="edges", beta=0.5),
    *each_reduction("HuberLoss", X, Y),
    *each_reduction("HuberLoss", X, Y, delta=0.5),
    sharp("HuberLoss", EDGES, ZEROS, label="edges"),
    sharp("HuberLoss", EDGES, ZEROS, label="edges", delta=0.5),
    *(
        sharp(loss, NOT_FINITE, TARGETS_NEAR, label="not finite", **options)
        for loss in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss")
        for options in ({}, {"reduction": "none"})
    ),
    sharp("GaussianNLLLoss", NOT_FINITE, TARGETS_NEAR, fixed(TARGETS_NEAR), label="not finite", reduction="none"),
    sharp("GaussianNLLLoss", TARGETS_NEAR, TARGETS_NEAR, VARIANCES, label="variance not finite", reduction="none"),
    *each_reduction("PoissonNLLLoss", X, fixed(spread(4, 3, low=0.0, high=5.0))),
    *each_reduction("PoissonNLLLoss", CHANCE, fixed(spread(4, 3, low=0.0, high=5.0)), log_input=False, full=True),
    *each_reduction("GaussianNLLLoss", X, Y, CHANCE),
    *each_reduction("GaussianNLLLoss", X, Y, spread(4, low=0.1, high=1.0), full=True),
    LayerRow("GaussianNLLLoss", (X, Y, spread(4, 1, low=0.1, high=1.0)), options={"eps": 0.01}),
    sharp("GaussianNLLLoss", of([1.0, 2.0]), of([0.0, 0.0]), of([0.0, 1e-9]), label="tiny variance"),
]

FROM_CLASSES = [
    *each_reduction("CrossEntropyLoss", LOGITS, CLASSES),
    *each_reduction("CrossEntropyLoss", LOGITS, SKIPPED, label="some skipped"),
    *each_reduction("CrossEntropyLoss", LOGITS, SKIPPED, weight=WEIGHT, label_smoothing=0.1),
    *each_reduction("CrossEntropyLoss", LOGITS, SOME_ZERO, weight=WEIGHT, ignore_index=0),
    *each_reduction("CrossEntropyLoss", LOGITS, SOME_ZERO, label_smoothing=0.2, ignore_index=0),
    *each_reduction("CrossEntropyLoss", DEEP, DEEP_CLASSES, weight=WEIGHT),
    *each_reduction("CrossEntropyLoss", DEEP, DEEP_CLASSES, ignore_index=2, label_smoothing=0.3),
    *each_reduction("CrossEntropyLoss", spread(5), of(3, "int64")),
    *each_reduction("CrossEntropyLoss", spread(5), of(3, "int64"), weight=WEIGHT, label_smoothing=0.1),
    LayerRow("CrossEntropyLoss", (LOGITS, of([-100] * 6, "int64")), label="none counts", smooth=False, twice=False),
    LayerRow("CrossEntropyLoss", (spread(0, 5), of([], "int64")), label="empty", smooth=False, twice=False),
    LayerRow("CrossEntropyLoss", (spread(6, 5, dtype="float32"), CLASSES), label="float32", dtype="float32"),
    *(
        sharp("CrossEntropyLoss", FAR, of([a, b, c], "int64"), label=f"far {a}{b}{c}")
        for a, b, c in ((0, 1, 2), (1, 0, 0))
    ),
    sharp("CrossEntropyLoss", FAR, of([1, 0, 0], "int64"), label="far", label_smoothing=0.1),
    sharp("CrossEntropyLoss", NOT_FINITE_ROW, of([3, 1], "int64"), label="not finite", reduction="none"),
    sharp("NLLLoss", NOT_FINITE_ROW, of([0, 1], "int64"), label="not finite", reduction="none"),
    sharp("BCEWithLogitsLoss", NOT_FINITE, TARGETS_NEAR, label="not finite", reduction="none"),
    sharp("KLDivLoss", NOT_FINITE, TARGETS_NEAR, label="not finite", reduction="none"),
    *each_reduction("NLLLoss", SCORES, CLASSES),
    *each_reduction("NLLLoss", SCORES, SKIPPED, weight=WEIGHT),
    *each_reduction("NLLLoss", SCORES, SOME_ZERO, ignore_index=0),
    *each_reduction("NLLLoss", DEEP, DEEP_CLASSES, weight=WEIGHT),
    *each_reduction("NLLLoss", spread(5), of(3, "int64")),
    *each_reduction("MultiMarginLoss", LOGITS, CLASSES),
    *each_reduction("MultiMarginLoss", LOGITS, CLASSES, p=2, margin=0.5, weight=WEIGHT),
    LayerRow("MultiMarginLoss", (spread(5), of(3, "int64"))),
    sharp("MultiMarginLoss", of([[1.0, 0.0, 2.0]]), of([0], "int64"), label="at the margin"),
]

FROM_PROBABILITIES = [
    *each_reduction("CrossEntropyLoss", LOGITS, probabilities(6, 5)),
    *each_reduction("CrossEntropyLoss", LOGITS, probabilities(6, 5), weight=WEIGHT, label_smoothing=0.1),
    *each_reduction("CrossEntropyLoss", DEEP, probabilities(2, 5, 2, 2), weight=WEIGHT),
    *each_reduction("CrossEntropyLoss", spread(5), probabilities(5)),
    LayerRow("CrossEntropyLoss", (LOGITS, of(probabilities(6, 5).array)), label="gradient at the target, too"),
    sharp("CrossEntropyLoss", FAR, of([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.5, 0.0]]), label="far"),
    *each_reduction("BCELoss", CHANCE, TARGET),
    *each_reduction("BCELoss", CHANCE, TARGET, weight=of([0.5, 1.0, 2.0], requires_grad=False)),
    sharp("BCELoss", CERTAIN, TRUTH, label="certain", reduction="none", tolerance=COARSE),
    sharp(
        "BCELoss",
        of([1e-9, 1.0 - 1e-9, 1e-14]),
        of([0.0, 1.0, 1.0]),
        label="nearly certain",
        reduction="none",
        tolerance=COARSE,
    ),
    *each_reduction("BCEWithLogitsLoss", X, TARGET),
    *each_reduction("BCEWithLogitsLoss", X, TARGET, weight=of([0.5, 1.0, 2.0], requires_grad=False)),
    *each_reduction("BCEWithLogitsLoss", X, TARGET, pos_weight=of([0.5, 1.0, 2.0], requires_grad=False)),
    sharp("BCEWithLogitsLoss", FAR_LOGITS, FAR_TRUTH, label="far", reduction="none"),
    sharp(
        "BCEWithLogitsLoss",
        of(FAR_LOGITS.array, "float32"),
        of(FAR_TRUTH.array, "float32", False),
        label="far, float32",
    ),
    LayerRow("BCEWithLogitsLoss", (of([0.0, 0.0]), of([0.0, 1.0], requires_grad=False)), label="at 0"),
    *each_reduction("KLDivLoss", SCORES, probabilities(6, 5)),
    LayerRow("KLDivLoss", (SCORES, probabilities(6, 5)), options={"reduction": "batchmean"}),
    *each_reduction("KLDivLoss", SCORES, fixed(spread(6, 5, low=-3.0, high=-0.5)), log_target=True),
    LayerRow("KLDivLoss", (SCORES, fixed(spread(6, 5))), options={"reduction": "batchmean", "log_target": True}),
    sharp("KLDivLoss", of([[-1.0, -2.0]]), of([[0.0, 1.0]], requires_grad=False), label="zero", reduction="sum"),
    *each_reduction("SoftMarginLoss", X, signs(4, 3)),
    LayerRow("SoftMarginLoss", (of([-50.0, 50.0, 0.0]), signs(3))),
    *each_reduction("MultiLabelSoftMarginLoss", X, TARGET),
    *each_reduction("MultiLabelSoftMarginLoss", X, TARGET, weight=of([0.5, 1.0, 2.0], requires_grad=False)),
]

RANKING = [
    *each_reduction("HingeEmbeddingLoss", X, signs(4, 3)),
    *each_reduction("HingeEmbeddingLoss", X, signs(4, 3), margin=0.5),
    sharp("HingeEmbeddingLoss", of([1.0, 1.0, 0.0]), of([1.0, -1.0, -1.0], requires_grad=False), label="at the margin"),
    *each_reduction("MarginRankingLoss", spread(6), spread(6, seed=3), signs(6)),
    *each_reduction("MarginRankingLoss", spread(6), spread(6, seed=3), signs(6), margin=0.5),
    sharp("MarginRankingLoss", of([1.0, 1.0]), of([1.0, 0.0]), of([1.0, -1.0], requires_grad=False), label="ties"),
    *each_reduction("CosineEmbeddingLoss", X, spread(4, 3, seed=3), signs(4)),
    *each_reduction("CosineEmbeddingLoss", X, spread(4, 3, seed=3), signs(4), margin=0.25),
    LayerRow("CosineEmbeddingLoss", (spread(3), spread(3, seed=3), of(-1.0, requires_grad=False))),
    LayerRow("CosineEmbeddingLoss", (X, spread(4, 3, seed=3), of([1, -1, 1, -1], "int64"))),
    *each_reduction("TripletMarginLoss", X, spread(4, 3, seed=3), spread(4, 3, seed=4)),
    *each_reduction("TripletMarginLoss", X, spread(4, 3, seed=3), spread(4, 3, seed=4), margin=0.5, p=1.0),
    *each_reduction("TripletMarginLoss", X, spread(4, 3, seed=3), spread(4, 3, seed=4), swap=True, margin=2.0),
    LayerRow("TripletMarginLoss", (spread(3), spread(3, seed=3), spread(3, seed=4))),
]

LOSSES = [*REGRESSION, *FROM_CLASSES, *FROM_PROBABILITIES, *RANKING]
ORACLE_ROWS = LOSSES
