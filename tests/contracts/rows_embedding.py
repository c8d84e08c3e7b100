"""Rows of embeddings: words of every shape, padding, tables kept short, gradients by frequency, bags of all kinds."""

from typing import Any

from tests.contracts.calls import Given, calls, of, spread
from tests.contracts.layer_row import LayerRow

WORDS = of([[1, 4, 0], [4, 2, 4]], "int64")
SHORT = of([3, 1], "int32")
ONE = of(2, "int64")
NONE = of([], "int64")
BAGS, OFFSETS = of([1, 4, 0, 4, 2, 4], "int64"), of([0, 2, 2, 5], "int64")
ENDS = of([0, 1, 6], "int64")
FACTORS, FLAT_FACTORS = spread(2, 3, seed=4), spread(6, seed=5)
TABLE = spread(5, 3, seed=6)


def kinked(layer: str, inputs: tuple[Given, ...], **options: Any) -> LayerRow:
    """A row whose gradient is by design not the derivative: a row that stays, a table that is kept short."""
    return LayerRow(layer, inputs, (5, 3), options, smooth=False, twice=False)


EMBEDDINGS = [
    *(LayerRow("Embedding", (x,), (5, 3)) for x in (WORDS, SHORT, ONE, NONE)),
    LayerRow("Embedding", (WORDS,), (5, 3), label="float32", dtype="float32"),
    kinked("Embedding", (WORDS,), padding_idx=4),
    kinked("Embedding", (WORDS,), padding_idx=-5),
    kinked("Embedding", (WORDS,), max_norm=0.75),
    kinked("Embedding", (WORDS,), max_norm=0.5, norm_type=1.0, padding_idx=1),
    kinked("Embedding", (WORDS,), max_norm=0.5, norm_type=float("inf")),
    kinked("Embedding", (WORDS,), scale_grad_by_freq=True),
    kinked("Embedding", (WORDS,), scale_grad_by_freq=True, padding_idx=2),
]


def bag_rows(mode: str) -> list[LayerRow]:
    """Bags of one size, bags with offsets, empty bags, padding."""
    rows = [
        LayerRow("EmbeddingBag", inputs, (5, 3), {"mode": mode, **options})
        for inputs in ((WORDS,), (BAGS, OFFSETS))
        for options in ({}, {"padding_idx": 4}, {"padding_idx": -4})
    ]
    return [
        *rows,
        LayerRow("EmbeddingBag", (BAGS, ENDS), (5, 3), {"mode": mode, "include_last_offset": True}),
        LayerRow("EmbeddingBag", (of([[2], [2]], "int64"),), (5, 3), {"mode": mode, "padding_idx": 2}),
        LayerRow("EmbeddingBag", (BAGS, of([0, 6], "int64")), (5, 3), {"mode": mode}),
        LayerRow("EmbeddingBag", (SHORT, of([0], "int32")), (5, 3), {"mode": mode}),
        LayerRow("EmbeddingBag", (BAGS, OFFSETS), (5, 3), {"mode": mode}, label="float32", dtype="float32"),
        kinked("EmbeddingBag", (WORDS,), mode=mode, max_norm=0.75),
    ]


EMBEDDING_BAGS = [
    LayerRow("EmbeddingBag", (WORDS,), (5, 3)),
    *(row for mode in ("sum", "mean", "max") for row in bag_rows(mode)),
    kinked("EmbeddingBag", (WORDS,), scale_grad_by_freq=True),
    kinked("EmbeddingBag", (BAGS, OFFSETS), scale_grad_by_freq=True, mode="sum", padding_idx=2),
]

LAYERS: list[LayerRow] = [*EMBEDDINGS, *EMBEDDING_BAGS]

ORACLE_ROWS = [
    *LAYERS,
    kinked("Embedding", (ONE,), max_norm=1, norm_type=2, sparse=False, _weight=TABLE, padding_idx=1),
    *calls(
        """
        lib.nn.functional.embedding(x, w)
        lib.nn.functional.embedding(x, w * 2, 4)
        lib.nn.functional.embedding(x, w, padding_idx=-1, scale_grad_by_freq=True)
        w = w.detach(); lib.nn.functional.embedding(x, w, max_norm=1.0), w
        w = w.detach(); lib.nn.functional.embedding(x, w, max_norm=1.0, norm_type=1), w
        lib.nn.functional.embedding(x - 3, w)
        lib.nn.functional.embedding(x + 1, w)
        lib.nn.functional.embedding(x.to(lib.int16), w)
        lib.nn.functional.embedding(w, x)
        lib.nn.functional.embedding(x, w[0])
        lib.nn.functional.embedding_bag(x, w, per_sample_weights=f, mode="sum")
        lib.nn.functional.embedding_bag(x, w, per_sample_weights=f, mode="sum", padding_idx=4)
        lib.nn.functional.embedding_bag(b, w, o, per_sample_weights=g, mode="sum")
        lib.nn.functional.embedding_bag(b, w, o, per_sample_weights=g, mode="sum", padding_idx=4)
        lib.nn.functional.embedding_bag(b, w, e, per_sample_weights=g, mode="sum", include_last_offset=True)
        lib.nn.functional.embedding_bag(b, w, o.to(lib.int32))
        lib.nn.functional.embedding_bag(b[:0], w, o[:2] * 0, mode="max")
        lib.nn.functional.embedding_bag(b[:0], w, o[:2] * 0)
        lib.nn.functional.embedding_bag(b[:0], w, o[:0])
        lib.nn.functional.embedding_bag(b, w)
        lib.nn.functional.embedding_bag(x, w, o)
        lib.nn.functional.embedding_bag(x[None], w)
        lib.nn.functional.embedding_bag(b, w, o + 1)
        lib.nn.functional.embedding_bag(b, w, o * 2)
        lib.nn.functional.embedding_bag(b, w, o[:0], include_last_offset=True)
        lib.nn.functional.embedding_bag(x, w, mode="median")
        lib.nn.functional.embedding_bag(x, w, mode="max", scale_grad_by_freq=True)
        lib.nn.functional.embedding_bag(x, w, mode="max", sparse=True)
        lib.nn.functional.embedding_bag(x, w, mode="mean", per_sample_weights=f)
        lib.nn.functional.embedding_bag(x, w, mode="sum", per_sample_weights=g)
        lib.nn.functional.embedding_bag(x, w, mode="sum", per_sample_weights=f.float())
        lib.nn.functional.embedding_bag(x, w, padding_idx=5)
        layer = lib.nn.Embedding.from_pretrained(w.detach(), padding_idx=1); layer(x), layer.weight, layer.padding_idx
        layer = lib.nn.Embedding.from_pretrained(w.detach(), freeze=False); layer(x)
        layer = lib.nn.EmbeddingBag.from_pretrained(w.detach(), mode="sum"); layer(x), layer(b, o, g.detach())
        lib.nn.EmbeddingBag.from_pretrained(w.detach(), freeze=False, padding_idx=4)(b, o)
        lib.nn.Embedding(5, 3, padding_idx=2).weight.detach()[2]
        lib.nn.EmbeddingBag(5, 3, padding_idx=-1).weight.detach()[4]
        """,
        x=WORDS,
        w=TABLE,
        f=FACTORS,
        b=BAGS,
        o=OFFSETS,
        e=ENDS,
        g=FLAT_FACTORS,
    ),
]
