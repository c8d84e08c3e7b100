"""A cell that is no number in a column of numbers: the remedies that the error names are settings."""

from pathlib import Path

import numpy as np
import pytest

from pullback.base.errors import DataError
from pullback.train.config import DataConfig
from pullback.train.problem import load_problem


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Forty flats; the size of one is `oops`."""
    path = tmp_path / "flats.csv"
    rows = [f"{'oops' if i == 20 else 50 + i % 4},{i % 7},{100 + i}" for i in range(40)]
    path.write_text("\n".join(["size,rooms,price", *rows]))
    return str(path)


def test_the_cell_is_named_with_the_options_that_help(table: str) -> None:
    with pytest.raises(DataError, match=r"line 22, column 'size': 'oops'.*--missing oops;.*--exclude size"):
        load_problem(DataConfig(table, "price"), seed=0)


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({"exclude": ("size",)}, ("rooms",)),
        ({"missing": ("oops",)}, ("size", "rooms")),
        ({"categories": ("size",)}, ("size = 50", "size = 51", "size = 52", "size = 53")),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_each_remedy_helps(table: str, settings: dict[str, tuple[str, ...]], labels: tuple[str, ...]) -> None:
    problem = load_problem(DataConfig(table, "price", **settings), seed=0)  # type: ignore[arg-type]
    assert problem.encoder is not None
    assert set(problem.encoder.labels) >= set(labels)
    assert ("size" in settings.get("exclude", ())) == ("size" in problem.encoder.ignored)
    assert np.isfinite(problem.train[0][0].numpy()).all()
