"""Every public function of tensors and every method of Tensor has rows, and results never share their box."""

import types
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.tensor.tensor import from_array
from tests.contracts import rows_creation, rows_einsum, rows_indexing, rows_pointwise, rows_reductions, rows_shaping
from tests.contracts.calls import REFUSALS, Call, names_called, spread, tensors_in

FAMILIES = (rows_pointwise, rows_reductions, rows_shaping, rows_creation, rows_indexing, rows_einsum)
ROWS: list[Call] = [row for family in FAMILIES for row in family.ORACLE_ROWS]
FUNCTIONS, METHODS = names_called(ROWS)

# Public, but nothing that PyTorch could be asked in one line; and where it is tested.
FUNCTIONS_ELSEWHERE = {
    "tests/tensor/test_random.py": """
        bernoulli get_rng_state initial_seed manual_seed multinomial normal rand rand_like randint randn randn_like
        randperm seed set_rng_state
    """,
    "tests/grad": """
        checkpoint enable_grad grad gradcheck gradgradcheck hessian hvp inference_mode is_grad_enabled jacobian jvp
        no_grad scan set_grad_enabled value_and_grad vjp vmap
    """,
    "tests/backends": "compile",
    "tests/emit": "source eject",
    "tests/files": "load save",
    "tests/tensor/test_settings.py": "set_default_dtype",
}
METHODS_ELSEWHERE = {
    "tests/tensor/test_random.py": "bernoulli_ normal_ uniform_",
    "tests/grad": "backward grad register_hook requires_grad_ retain_grad grad_fn is_leaf",
    "tests/tensor/test_tensor.py": "array assign refill value type_ is_number is_view label",
}


def names_in(table: dict[str, str]) -> set[str]:
    """The names of a table of exemptions."""
    return {name for names in table.values() for name in names.split()}


@pytest.mark.parametrize("name", [n for n in pb.__all__ if isinstance(getattr(pb, n), types.FunctionType)])
def test_function_has_a_row(name: str) -> None:
    known = FUNCTIONS | names_in(FUNCTIONS_ELSEWHERE)
    assert name in known, f"add a line that calls lib.{name} to its room's tests/contracts/rows_*.py"


@pytest.mark.parametrize("name", [n for n in dir(pb.Tensor) if not n.startswith("_")])
def test_method_has_a_row(name: str) -> None:
    known = METHODS | names_in(METHODS_ELSEWHERE)
    assert name in known, f"add a line that calls x.{name} to its room's tests/contracts/rows_*.py"


# Lines that give a tensor itself, or one that shares its box, as PyTorch does.
ITSELF = {"contiguous", "cpu", "to", "double", "type_as", "as_tensor", "requires_grad_", "data"}
SAME = {"+x", "x.t()", "x.T"}
READS = [
    row
    for row in ROWS
    if row.label != "in place"
    and ";" not in row.line
    and row.line not in SAME
    and ITSELF.isdisjoint(set.union(*names_called([row])))
]


# These run over thousands of rows, a group of rows in a test.
GROUPS = sorted({row.label for row in READS})
EACH_GROUP = pytest.mark.parametrize("group", GROUPS)


@EACH_GROUP
def test_writing_to_a_result_leaves_the_inputs_alone(group: str) -> None:
    wrong = [row.name for row in READS if row.label == group and not leaves_inputs_alone(row)]
    assert not wrong, "these give an input itself"


def leaves_inputs_alone(row: Call) -> bool:
    """Whether zeros written into the results do not reach the inputs."""
    tensors = row.tensors(pb)
    with pb.no_grad():
        try:
            results = tensors_in(row.value(pb, tensors))
        except REFUSALS:
            return True
        for y in results:
            if not y.is_view:
                y.zero_()
    fresh = row.tensors(pb)
    return all(np.array_equal(x.tolist(), fresh[name].tolist(), equal_nan=True) for name, x in tensors.items())


def strided(x: Any) -> Any:
    """The same tensor with gaps between its numbers, and the last axis reversed in memory."""
    array = x.detach().array()
    if array.ndim:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array[..., ::-1]
        array = wide[..., ::2][..., ::-1]
    return from_array(array)


@EACH_GROUP
def test_how_numbers_lie_in_memory_changes_nothing(group: str) -> None:
    wrong = [row.name for row in READS if row.label == group and not is_the_same_when_strided(row)]
    assert not wrong


def is_the_same_when_strided(row: Call) -> bool:
    """Whether the results are the same for inputs that lie otherwise in memory."""
    tensors = {name: x.detach() for name, x in row.tensors(pb).items()}
    try:
        results = tensors_in(row.value(pb, tensors))
    except REFUSALS:
        return True
    others = tensors_in(row.value(pb, {name: strided(x) for name, x in tensors.items()}))
    return all(same_but_for_order(a, b) for a, b in zip(results, others, strict=True))


def same_but_for_order(a: Any, b: Any) -> bool:
    """Equal, but for the last places: sums and products of matrices may run in another order."""
    rtol = 1e-13 if a.dtype is pb.float64 else 1e-6 if a.dtype is pb.float32 else 0.0
    return a.type_ == b.type_ and np.allclose(b.tolist(), a.tolist(), rtol, rtol / 10, equal_nan=True)


SMOOTH = {
    "",
    "float64",
    "broadcast",
    "both ways",
    "(2, 3, 2)",
    "0-d",
    "one",
    "linear",
    "einsum",
    "by index",
    "far apart",
    "zeros",
}
# Infinite before they are mended; and written twice to one place, where the gradient goes to both as in PyTorch.
KINKED = {"lib.nan_to_num(x / 0)", "(x / 0).nan_to_num(nan=1.0, posinf=2.0, neginf=3.0)", "lib.scatter(x, 0, j, y)"}
DIFFERENTIABLE = [
    row
    for row in READS
    if row.label in SMOOTH
    and row.line not in KINKED
    and ".detach()" not in row.line
    and any(g.requires_grad for g in row.inputs.values())
    and all(g.dtype in ("float64", "int64", "bool") for g in row.inputs.values())
]


def along_a_line(row: Call, direction: int) -> Any:
    """A row as a function of one number: where it stands on a line through its inputs, weighed to one number."""

    def function(t: Any) -> Any:
        given = {name: g.tensor(pb).detach() for name, g in row.inputs.items()}
        slopes = {
            n: spread(*x.shape, seed=20 + direction + i).tensor(pb).detach() for i, (n, x) in enumerate(given.items())
        }
        moved = {name: x + t * slopes[name] if x.dtype is pb.float64 else x for name, x in given.items()}
        results = [y for y in tensors_in(row.value(pb, moved)) if y.dtype is pb.float64]
        return sum(((y * spread(*y.shape, low=0.5, seed=40).tensor(pb).detach()).sum() for y in results), start=t * 0)

    return function


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_gradients_of_first_and_second_order(row: Call) -> None:
    t = pb.tensor(0.0, dtype=pb.float64)
    for direction in (0, 7):
        function = along_a_line(row, direction)
        try:
            if not function(t).isfinite():  # a variance of one number
                return
        except REFUSALS:
            return
        assert pb.gradcheck(function, t, eps=1e-4, atol=1e-7, rtol=1e-6, second_order=True, samples=1)
