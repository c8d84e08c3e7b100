"""Rows of layers that PyTorch has not: places, and SwiGLU. Their formulas are in tests/nn/test_positions.py."""

from tests.contracts.calls import spread
from tests.contracts.layer_row import LayerRow

X = spread(2, 3, 4, seed=61)

LAYERS = [
    LayerRow("RotaryEmbedding", (X,), (4,)),
    LayerRow("RotaryEmbedding", (X,), (4,), {"base": 100.0, "interleaved": True}),
    LayerRow("SinusoidalPositionalEmbedding", (X,), (4,)),
    LayerRow("LearnedPositionalEmbedding", (X,), (5, 4)),
    LayerRow("SwiGLU", (X,), (4, 3)),
    LayerRow("SwiGLU", (X,), options={"in_features": 4, "hidden_features": 3, "out_features": 2, "bias": True}),
]
