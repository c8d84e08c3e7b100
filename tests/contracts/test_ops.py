"""Walks the registry of ops: every op has a row, and every row keeps every contract."""

from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ShapeError
from pullback.ir.node import OPS, Value
from pullback.ir.types import Type
from pullback.tensor.tensor import Tensor, from_array
from tests.contracts.rows_ops import ROWS, Case, OpRow

EACH_OP = pytest.mark.parametrize("name", list(OPS))
EACH_ROW = pytest.mark.parametrize("row", list(ROWS.values()), ids=list(ROWS))


def test_every_op_has_a_row() -> None:
    assert not OPS.keys() - ROWS.keys(), "add a row for each new op to tests/contracts/rows_ops.py"
    assert not ROWS.keys() - OPS.keys(), "rows for ops that are gone"


@EACH_OP
def test_is_documented(name: str) -> None:
    op = OPS[name]
    assert op.doc.strip().endswith((".", ")")), "the docstring of the meaning is the op's documentation"
    assert op.formula.count("=") >= 1
    assert op.name == name


@EACH_OP
def test_declares_a_gradient_or_none(name: str) -> None:
    op = OPS[name]
    if op.gradient is None:
        assert op.backward == (), "formulas of gradients that do not exist"
    elif isinstance(op.gradient, tuple):
        assert len(op.backward) == len(op.gradient)
        assert [rule is None for rule in op.gradient] == [text == "" for text in op.backward]
    else:
        assert callable(op.gradient)
        assert len(op.backward) >= 1


@EACH_ROW
def test_shape_rule_agrees_with_the_meaning(row: OpRow) -> None:
    op = OPS[row.name]
    for case in row.every_case() or row.cases:
        types = op.infer(case.types(), case.params)
        arrays = op.run(case.arrays(), case.params)
        assert [Type(a.shape, pb.tensor(a).dtype) for a in arrays] == list(types), case.label


@EACH_ROW
def test_meaning_leaves_its_inputs_alone(row: OpRow) -> None:
    for case in row.every_case() or row.cases:
        arrays = case.arrays()
        before = [a.tobytes() for a in arrays]
        OPS[row.name].run(arrays, case.params)
        assert [a.tobytes() for a in arrays] == before, case.label


def applied(row: OpRow, case: Case) -> Any:
    """The op as a function of tensors."""
    return lambda *xs: [Tensor(y) for y in OPS[row.name].apply([x.value for x in xs], case.params)]


@EACH_ROW
def test_gradients_of_first_and_second_order(row: OpRow) -> None:
    op = OPS[row.name]
    if op.gradient is None or not row.smooth:
        return
    for case in row.cases:
        inputs = [from_array(a) for a in case.arrays()]
        outputs = op.infer(case.types(), case.params)
        if all(y.dtype is pb.float64 for y in outputs) and any(x.dtype.is_floating_point for x in inputs):
            assert pb.gradcheck(applied(row, case), inputs, eps=1e-4, atol=1e-8, rtol=1e-6, second_order=True), (
                case.label
            )


@EACH_ROW
def test_gradients_have_the_types_of_the_inputs(row: OpRow) -> None:
    for case in row.every_case():
        inputs = [
            from_array(a).requires_grad_(x.dtype.is_floating_point)
            for a, x in zip(case.arrays(), case.types(), strict=True)
        ]
        outputs = [y for y in applied(row, case)(*inputs) if y.requires_grad]
        variables = [x for x in inputs if x.requires_grad]
        assert bool(outputs) == _has_gradient(row, case), case.label
        if outputs:
            found = pb.autograd.grad(outputs, variables, [pb.ones_like(y) for y in outputs], allow_unused=True)
            assert all(g is None or g.type_ == x.type_ for g, x in zip(found, variables, strict=True)), case.label


def _has_gradient(row: OpRow, case: Case) -> bool:
    op = OPS[row.name]
    outputs = op.infer(case.types(), case.params)
    floats = any(x.dtype.is_floating_point for x in case.types())
    return op.gradient is not None and floats and any(y.dtype.is_floating_point for y in outputs)


@EACH_ROW
def test_costs_are_sane(row: OpRow) -> None:
    op = OPS[row.name]
    for case in row.every_case() or row.cases:
        types = case.types()
        flops, moved = op.count_flops(types, case.params), op.count_bytes(types, case.params)
        outputs = op.infer(types, case.params)
        work = sum(t.size for t in (*types, *outputs))
        assert isinstance(flops, int), case.label
        assert 0 <= flops <= 100 * work * max((t.shape[-1] for t in types if t.shape), default=1), case.label
        assert moved == sum(t.size * t.dtype.itemsize for t in (*types, *outputs)), case.label
        assert flops == 0 or work > 0, case.label


@EACH_ROW
def test_compiled_gives_the_same_bits(row: OpRow) -> None:
    """By the reference; tests/backends/native holds the native backend against it, case by case."""
    for case in row.every_case() or row.cases:
        function = applied(row, case)
        inputs = [from_array(a) for a in case.arrays()]
        eager, compiled = function(*inputs), pb.compile(function, backend="reference")(*inputs)
        assert [y.array().tobytes() for y in compiled] == [y.array().tobytes() for y in eager], case.label
        assert [y.type_ for y in compiled] == [y.type_ for y in eager], case.label


# NumPy adds in another order, and takes another routine, where numbers do not lie side by side.
OTHER_LOOPS = "sum matmul cumsum exp expm1 log log1p sin cos atan tanh sigmoid erf pow".split()


@EACH_ROW
def test_how_numbers_lie_in_memory_changes_nothing(row: OpRow) -> None:
    for case in row.every_case():
        plain = OPS[row.name].run(case.arrays(), case.params)
        other = OPS[row.name].run([spaced(a) for a in case.arrays()], case.params)
        for a, b in zip(plain, other, strict=True):
            if row.name in OTHER_LOOPS:
                rtol = {"float64": 1e-14, "float32": 1e-6}.get(str(a.dtype), 1e-2)
                np.testing.assert_allclose(b.astype(float), a.astype(float), rtol, rtol)
            else:
                assert a.tobytes() == b.tobytes(), case.label


def spaced(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers with gaps between them, the last axis running backwards in memory."""
    if not array.ndim:
        return array
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array[..., ::-1]
    return wide[..., ::2][..., ::-1]


@EACH_ROW
def test_refuses_with_a_clear_error(row: OpRow) -> None:
    """Shapes and dtypes that do not fit are refused by the rule, in words, before the meaning sees them."""
    op = OPS[row.name]
    for case in row.cases[:3]:
        types = case.types()
        if len(types) > 1 and row.name not in ("attach_gradient", "gather"):
            wrong = [types[0].with_shape((*types[0].shape, 97)), *types[1:]]
            with pytest.raises(ShapeError, match="got"):
                op.infer(wrong, case.params)


def test_numbers_become_constants_of_the_other_inputs_type() -> None:
    x = Value(Type((2,), pb.float32), np.ones(2, np.float32))
    assert (x + 2.5).type == x.type
    assert (2.5 - x).data.tolist() == [1.5, 1.5]
