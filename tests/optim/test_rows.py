"""Updates by rows: the same numbers as of the whole table, without anything of its size."""

from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import IndexOutOfRange
from tests.contracts.backends import Backend
from tests.contracts.rows_sparse import ORACLE_ROWS, RULES, SparseRow

EACH_ROW = pytest.mark.parametrize("row", ORACLE_ROWS, ids=lambda row: row.name)
EACH_RULE = pytest.mark.parametrize("rule", RULES[::2], ids=lambda rule: rule[0])


def everything(layer: Any, optimiser: Any) -> list[Any]:
    return [layer.weight, *optimiser.state[layer.weight].values()]


@EACH_ROW
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_compiled_steps_are_those_of_eager(row: SparseRow, dtype: str, backend: Backend) -> None:
    results = []
    for compiled in (False, True):
        layer, optimiser = row.build(pb, dtype)
        step = row.step(pb, layer, optimiser)
        step = backend.compile(step) if compiled else step
        for words, target in row.batches(pb, dtype):
            step(words, target)
        results.append(everything(layer, optimiser))
    assert step.traces == 1
    backend.assert_agrees(results[1], results[0])


def trained(rule: Any, backend: Backend | None, sparse: bool, lookups: int = 2) -> tuple[Any, Any, Any]:
    """A table of 40 words after three steps on a few of them, its optimiser, and the step."""
    pb.manual_seed(2)
    layer = pb.nn.Embedding(40, 3, sparse=sparse)
    optimiser = getattr(pb.optim, rule[0])(layer.parameters(), **rule[1])

    def step(*words: Any) -> None:
        sum((layer(w) ** 2 * (i + 1)).sum() for i, w in enumerate(words)).backward()
        optimiser.step()
        optimiser.zero_grad()

    run = backend.compile(step) if backend else step
    for k in range(3):
        run(*[pb.tensor([[i, 3, 7 + k], [3, 39, i]]) for i in range(lookups)])
    return layer, optimiser, run


@EACH_RULE
def test_several_lookups_of_one_table(rule: Any, backend: Backend) -> None:
    layer, optimiser, _ = trained(rule, backend, True)
    whole = trained(rule, None, False)
    backend.assert_agrees(everything(layer, optimiser), everything(*whole[:2]))


@EACH_RULE
def test_nothing_of_the_tables_size_is_made(rule: Any, backend: Backend) -> None:
    layer, _, step = trained(rule, backend, True, lookups=1)
    sized = [node.op.name for node in step.latest.program.nodes for t in node.types if t.size >= layer.weight.numel()]
    assert set(sized) == {"scatter"}, "into what stands there"


def test_state_is_written_where_it_stands() -> None:
    _, _, step = trained(("SparseAdam", {}), Backend("native"), True, lookups=1)
    tables = 3 * 4 * 40 * 3  # the words and two averages
    assert f"{tables / 1024:.2f} KiB written in place" in str(step.report())


@EACH_RULE
def test_who_holds_old_numbers_keeps_them(rule: Any, backend: Backend) -> None:
    layer, optimiser, step = trained(rule, backend, True, lookups=1)
    held = [x.detach() for x in everything(layer, optimiser)]
    before = [x.tolist() for x in held]
    step(pb.tensor([[0, 3, 7], [3, 39, 0]]))
    assert [x.tolist() for x in held] == before
    assert layer.weight.tolist() != before[0]


@EACH_RULE
def test_a_word_that_is_not_there_changes_nothing(rule: Any, backend: Backend) -> None:
    layer, optimiser, step = trained(rule, backend, True, lookups=1)
    before = [x.tolist() for x in everything(layer, optimiser)]
    with pytest.raises(IndexOutOfRange):
        step(pb.tensor([[0, 3, 7], [3, 40, 0]]))
    assert [x.tolist() for x in everything(layer, optimiser)] == before
    step(pb.tensor([[0, 3, 7], [3, 39, 0]]))
    assert layer.weight.tolist() != before[0]


@pytest.mark.parametrize("rule", [("SGD", {"momentum": 0.9}), ("SGD", {"weight_decay": 0.1}), ("Adam", {})])
def test_rules_that_move_every_row_move_every_row(rule: Any, backend: Backend) -> None:
    layer, optimiser, _ = trained(rule, backend, True)
    whole = trained(rule, None, False)
    backend.assert_agrees(everything(layer, optimiser), everything(*whole[:2]))


def test_a_gradient_that_is_more_than_lookups(backend: Backend) -> None:
    """A table that scores words, too, has a gradient in every row."""
    results = []
    for sparse, compiled in ((False, False), (True, True)):
        pb.manual_seed(2)
        layer = pb.nn.Embedding(40, 3, sparse=sparse)
        optimiser = pb.optim.SGD(layer.parameters(), lr=0.1)

        def step(words: Any) -> None:
            scores = layer(words) @ layer.weight.T  # noqa: B023  # called within the turn
            optimiser.zero_grad()  # noqa: B023
            pb.nn.functional.cross_entropy(scores, words).backward()
            optimiser.step()  # noqa: B023

        (backend.compile(step) if compiled else step)(pb.tensor([1, 5, 5]))
        results.append([layer.weight, layer.weight.grad])
    backend.assert_agrees(results[1], results[0])


def test_gradients_that_are_left_are_whole(backend: Backend) -> None:
    layer = pb.nn.Embedding(40, 3, sparse=True)
    optimiser = pb.optim.SGD(layer.parameters(), lr=0.1)

    def step(words: Any) -> None:
        optimiser.zero_grad()
        layer(words).sum().backward()
        optimiser.step()

    backend.compile(step)(pb.tensor([1, 5, 5]))
    np.testing.assert_array_equal(layer.weight.grad.sum(1).numpy()[[0, 1, 5]], [0.0, 3.0, 6.0])


def test_sparse_adam_leaves_rows_alone_whatever_the_gradient_is_made_of() -> None:
    w = pb.ones(3, 2).requires_grad_()
    optimiser = pb.optim.SparseAdam([w], lr=0.5)
    for k in (0, 1):
        optimiser.zero_grad()
        (w[k] * 2).sum().backward()
        optimiser.step()
    assert w.tolist()[0] == pytest.approx([0.5, 0.5])
    assert w.tolist()[2] == [1.0, 1.0]
    assert optimiser.state[w]["exp_avg"][2].tolist() == [0.0, 0.0]
