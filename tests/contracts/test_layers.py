"""Every layer: gradients against differences, compiled against eager. PyTorch's answers are in test_oracle.py."""

import pytest

from tests.contracts import layer_contracts
from tests.contracts.backends import Backend
from tests.contracts.layer_row import LayerRow, every_layer_row, spread_out
from tests.contracts.rows_layers import CONTAINERS, IMAGE, MODULES, X
from tests.contracts.rows_losses import LOSSES

LAYERS = every_layer_row()
DROPPING = [LayerRow(layer, (x,), (0.5,)) for layer in ("Dropout", "AlphaDropout") for x in (X, IMAGE)]
DROPPING += [LayerRow(layer, (IMAGE,), (0.5,)) for layer in ("Dropout2d", "FeatureAlphaDropout")]


def test_every_layer_and_loss_has_a_row() -> None:
    assert {row.layer for row in (*LAYERS, *LOSSES)} == MODULES.keys() - CONTAINERS


@pytest.mark.parametrize(
    "row", [row for row in LAYERS if row.smooth and row.dtype == "float64"], ids=lambda row: row.name
)
def test_gradients(row: LayerRow) -> None:
    layer_contracts.check_gradients(row)


@pytest.mark.parametrize("row", spread_out([*LAYERS, *DROPPING], each=2))
def test_compiled_agrees_with_eager(row: LayerRow, backend: Backend) -> None:
    layer_contracts.check_compiled_agrees_with_eager(row, backend)
