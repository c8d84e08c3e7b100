"""Products lie as they are wanted, stacks that share a matrix are one product, and the numbers stay."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

import pullback as pb
from pullback import ops
from pullback.base.dtypes import bfloat16, float32
from pullback.ir.node import Node, Value
from pullback.ir.program import Program, check_program, record
from pullback.ir.types import Type
from pullback.ops.matmul import swap_last
from pullback.passes import run_native_passes
from pullback.passes.lay_out_products import PRODUCT_RULES, lay_out_products
from tests.passes.steps import Block, assert_agrees, digits_step, training_program


def typed(*shapes: tuple[int, ...]) -> list[Type]:
    return [Type(shape, float32) for shape in shapes]


def summed(x: Value, *axes: int, keepdims: bool = False) -> Value:
    return ops.sum_(x, axes=axes, keepdims=keepdims)


def half(x: Value) -> Value:
    return ops.cast(x, dtype=bfloat16)


# rule, program, shapes, ops that are left
ROWS: list[tuple[str, Callable[..., Sequence[Value]], list[Type], list[str]]] = [
    (
        "transpose_factors",
        lambda x, g: [swap_last(ops.matmul(swap_last(x), g))],
        typed((6, 3), (6, 4)),
        ["permute", "matmul"],
    ),
    (
        "transpose_factors",
        lambda x, y: [swap_last(ops.matmul(x, swap_last(y)))],
        typed((2, 6, 3), (2, 4, 3)),
        ["permute", "matmul"],
    ),
    (
        "transpose_factors",
        lambda x, y: [swap_last(half(ops.matmul(x, y)))],
        typed((6, 3), (3, 4)),
        ["permute", "permute", "matmul", "cast"],
    ),
    (
        "multiply_rows_at_once",
        lambda x, w: [ops.matmul(x, ops.broadcast(w, shape=(5, 3, 4)))],
        typed((5, 6, 3), (3, 4)),
        ["reshape", "matmul", "reshape"],
    ),
    (
        "multiply_rows_at_once",
        lambda g, w: [ops.matmul(g, swap_last(ops.broadcast(w, shape=(2, 5, 3, 4))))],
        typed((2, 5, 6, 4), (1, 3, 4)),
        ["permute", "reshape", "reshape", "matmul", "reshape"],
    ),
    (
        "multiply_columns_at_once",
        lambda w, x: [ops.matmul(ops.broadcast(w, shape=(5, 4, 3)), swap_last(x))],
        typed((4, 3), (5, 6, 3)),
        ["reshape", "permute", "matmul", "reshape", "permute"],
    ),
    (
        "sum_within_product",
        lambda x, g: [summed(ops.matmul(swap_last(x), g), 0)],
        typed((5, 6, 3), (5, 6, 4)),
        ["reshape", "reshape", "permute", "matmul"],
    ),
    (
        "sum_within_product",
        lambda x, g: [summed(ops.matmul(swap_last(x), g), 0, 1, keepdims=True)],
        typed((2, 5, 6, 3), (2, 5, 6, 4)),
        ["reshape", "reshape", "permute", "matmul", "reshape"],
    ),
]


def case(function: Callable[..., Sequence[Value]], types: Sequence[Type]) -> tuple[Program, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return record(function, types), [rng.normal(size=t.shape).astype(t.dtype.numpy) for t in types]


def names(program: Program) -> list[str]:
    return [node.op.name for node in program.nodes]


@pytest.mark.parametrize(("rule", "function", "types", "after"), ROWS)
def test_rules(rule: str, function: Callable[..., Sequence[Value]], types: list[Type], after: list[str]) -> None:
    program, arrays = case(function, types)
    result = lay_out_products(program)
    check_program(result)
    assert names(result) == after
    assert_agrees(program, result, arrays, 0 if "cast" in after else 1e-5)
    assert lay_out_products(result) is result


def test_every_rule_has_a_row() -> None:
    assert {rule.name for rule in PRODUCT_RULES} == {row[0] for row in ROWS}


def test_infinity_and_nan_stay_in_their_rows() -> None:
    for _, function, types, _ in ROWS[:-2]:  # sums over stacks mix the rows
        program, arrays = case(function, types)
        arrays[0][..., 0, 0], arrays[0][..., 1, 1] = np.inf, np.nan
        assert_agrees(program, lay_out_products(program), arrays, 1e-2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: [swap_last(ops.matmul(x, y)), ops.matmul(x, y)],  # recorded twice, read once each
        lambda x, y: (lambda z: [swap_last(z), z])(ops.matmul(x, y)),
        lambda x, y: (lambda z: [swap_last(z) + swap_last(ops.exp(z))])(ops.matmul(x, y)),
    ],
)
def test_a_product_that_others_want_is_not_computed_twice(function: Callable[..., Sequence[Value]]) -> None:
    program, arrays = case(function, typed((4, 3), (3, 4)))
    result = lay_out_products(program)
    assert names(result).count("matmul") == names(program).count("matmul")
    assert_agrees(program, result, arrays)


def test_stacks_of_different_matrices_stay_stacks() -> None:
    program, _ = case(
        lambda x, w: [ops.matmul(x, ops.broadcast(w, shape=(2, 5, 3, 4)))], typed((2, 5, 6, 3), (5, 3, 4))
    )
    assert lay_out_products(program) is program
    program, _ = case(lambda x, w: [ops.matmul(x, ops.broadcast(w, shape=(5, 3, 4)))], typed((5, 6, 3), (1, 4)))
    assert lay_out_products(program) is program
    program, _ = case(lambda x, g: [summed(ops.matmul(swap_last(x), g), 1)], typed((5, 6, 3), (5, 6, 4)))
    assert lay_out_products(program) is program


# Real training steps
def products(program: Program) -> list[Node]:
    return [node for node in program.nodes if node.op.name == "matmul"]


def readers(program: Program, value: Value) -> list[str]:
    return [node.op.name for node in program.nodes if value in node.inputs]


@pytest.mark.parametrize("adam", [False, True])
def test_weight_gradients_are_written_as_the_weights_lie(adam: bool) -> None:
    program, arrays = digits_step(adam=adam)
    result = run_native_passes(program)
    assert_agrees(program, result, arrays)
    shapes = [node.types[0].shape for node in products(result)]
    assert sorted(shapes) == sorted([(32, 128), (32, 10), (32, 128), (10, 128), (128, 784)])
    for node in products(result):
        assert "permute" not in readers(result, node.output)
    assert names(result).count("permute") == names(program).count("permute") - 3


def test_a_linear_layer_on_three_axes_is_one_product_each_way() -> None:
    model = pb.nn.Linear(5, 6)
    optimizer = pb.optim.SGD(model.parameters(), lr=0.1)
    program, arrays = training_program(model, optimizer, lambda m, x: m(x).square().mean(), pb.randn(3, 4, 5))
    result = run_native_passes(program)
    assert_agrees(program, result, arrays)
    assert [node.types[0].shape for node in products(result)] == [(12, 6), (6, 5)]


def test_a_shared_matrix_in_a_stack_is_one_product_each_way() -> None:
    weight = pb.randn(5, 6, requires_grad=True)
    model = pb.nn.Linear(4, 5)
    optimizer = pb.optim.SGD([weight, *model.parameters()], lr=0.1)

    def loss(model: pb.nn.Module, x: pb.Tensor) -> pb.Tensor:
        return (model(x) @ weight.expand(3, 5, 6)).square().mean()

    program, arrays = training_program(model, optimizer, loss, pb.randn(3, 7, 4))
    assert any(len(node.types[0].shape) == 3 for node in products(program))
    result = run_native_passes(program)
    assert_agrees(program, result, arrays)
    shapes = [node.types[0].shape for node in products(result)]
    assert sorted(shapes) == sorted([(21, 5), (21, 6), (21, 5), (5, 6), (5, 4)])


def test_a_transformer_block_has_stacks_only_in_its_attention() -> None:
    pb.manual_seed(0)
    model = Block(8, 2)
    optimizer = pb.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    program, arrays = training_program(model, optimizer, lambda m, x: m(x).square().mean(), pb.randn(2, 5, 8))
    result = run_native_passes(program)
    assert_agrees(program, result, arrays, 1e-4)
    assert len(products(result)) == len(products(program))
    ranks = [len(node.types[0].shape) for node in products(result)]
    assert ranks.count(4) == 6  # two products and the gradients of their four factors
    assert ranks.count(2) == len(ranks) - 6
    weights = {node.types[0].shape for node in products(result) if node.origin.phase == "backward"}
    assert weights >= {v.shape for v in program.inputs if len(v.shape) == 2}
