"""Pullback gives what PyTorch gives: against the recorded answers always, live where PyTorch is installed."""

import warnings
from typing import Any

import pytest

import pullback as pb
from tests.contracts import oracle

FAMILIES = oracle.families()
CASES = [pytest.param(family, row, id=f"{family}: {row.name}") for family in FAMILIES for row in oracle.rows_of(family)]


@pytest.mark.parametrize(("family", "row"), CASES)
def test_answers_as_recorded(family: str, row: Any) -> None:
    oracle.check(family, row, pb)


@pytest.mark.parametrize("family", FAMILIES)
def test_fixture_holds_no_rows_that_are_gone(family: str) -> None:
    gone = oracle.load(family).answers.keys() - {row.name for row in oracle.rows_of(family)}
    assert not gone, f"{family}.npz holds answers to rows that are gone; run `make fixtures`"


@pytest.mark.oracle
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_live(family: str) -> None:
    torch = pytest.importorskip("torch")
    stale, wrong = [], []
    for row in oracle.rows_of(family):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch warns of is not ours to mend
            theirs = oracle.ask(row, torch)
        tolerance = getattr(row, "tolerance", None)
        stale += _problem(row, theirs, oracle.recorded(family, row), tolerance)
        wrong += _problem(row, oracle.ask(row, pb), theirs, tolerance)
    assert not stale, f"tests/fixtures/{family}.npz is stale; run `make fixtures`"
    assert not wrong


def _problem(row: Any, ours: oracle.Answer, theirs: oracle.Answer, tolerance: Any) -> list[str]:
    try:
        oracle.compare(ours, theirs, tolerance)
    except oracle.Disagreement as error:
        return [f"{row.name}: {error}"]
    return []
