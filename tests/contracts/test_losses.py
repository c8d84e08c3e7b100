"""Every loss: gradients against differences, compiled against eager. PyTorch's answers are in test_oracle.py."""

import pytest

from tests.contracts import layer_contracts
from tests.contracts.backends import Backend
from tests.contracts.layer_row import LayerRow
from tests.contracts.rows_losses import LOSSES

SMOOTH = [row for row in LOSSES if row.smooth and row.dtype == "float64"]


@pytest.mark.parametrize(
    "row", [row for row in LOSSES if row.smooth and row.dtype == "float64"], ids=lambda row: row.name
)
def test_gradients(row: LayerRow) -> None:
    layer_contracts.check_gradients(row)


@pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)
def test_compiled_agrees_with_eager(row: LayerRow, backend: Backend) -> None:
    layer_contracts.check_compiled_agrees_with_eager(row, backend)
