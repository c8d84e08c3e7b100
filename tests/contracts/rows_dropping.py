"""Rows of the layers that drop whole channels, where nothing is left to chance; the rest is in tests/nn."""

from tests.contracts.calls import calls, spread
from tests.contracts.layer_row import LayerRow

SERIES = spread(2, 3, 2, seed=81)
IMAGE = spread(1, 2, 2, 2, seed=82)
VOLUME = spread(1, 2, 1, 2, 2, seed=83)

LAYERS: list[LayerRow] = [
    LayerRow(layer, (x,), (p,), train=train, label="" if train else "in evaluation")
    for layer, x in (("Dropout1d", SERIES), ("Dropout2d", IMAGE), ("Dropout3d", VOLUME), ("FeatureAlphaDropout", IMAGE))
    for p, train in ((0.0, True), (1.0, True), (0.5, False))
]

FUNCTIONS = calls(
    """
    lib.nn.functional.dropout1d(series, 0.0)
    lib.nn.functional.dropout1d(series[0], 1.0)
    lib.nn.functional.dropout1d(image)
    lib.nn.functional.dropout1d(series, 1.5)
    lib.nn.functional.dropout2d(image, training=False)
    lib.nn.functional.dropout2d(series[0, 0])
    lib.nn.functional.dropout3d(image, 1.0)
    lib.nn.functional.feature_alpha_dropout(series)
    lib.nn.functional.feature_alpha_dropout(series[0, 0], training=True)
    """,
    series=SERIES,
    image=IMAGE,
)

ORACLE_ROWS = [*LAYERS, *FUNCTIONS]
