"""einsum costs what it says, compiles, and chooses the order in which several operands are multiplied."""

import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, ShapeError
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import trace
from tests.contracts.backends import Backend
from tests.contracts.calls import spread


def numbers(*shape: int, seed: int = 1) -> Tensor:
    return spread(*shape, seed=seed).tensor(pb).detach()


def ops_of(equation: str, *operands: Tensor) -> list[str]:
    return [node.op.name for node in trace(lambda: pb.einsum(equation, *operands)).program.nodes]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bthd,bshd->bhts", [(2, 3, 2, 4), (2, 5, 2, 4)]),
        ("...ij,jk->...ik", [(2, 5, 3), (3, 4)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ],
)
def test_one_matmul_for_each_pair(equation: str, shapes: list[tuple[int, ...]]) -> None:
    found = ops_of(equation, *[numbers(*shape) for shape in shapes])
    assert found.count("matmul") == len(shapes) - 1
    assert set(found) <= {"matmul", "permute", "reshape"}


def test_nothing_to_sum_is_a_product_in_place() -> None:
    assert set(ops_of("i,j->ij", numbers(2), numbers(3))) == {"reshape", "broadcast", "mul"}


def test_what_leaves_least_is_multiplied_first() -> None:
    """(100 × 2)(2 × 100) first would leave 10,000 numbers."""
    operands = [numbers(100, 2), numbers(2, 100), numbers(100, 1)]
    program = trace(lambda: pb.einsum("ij,jk,kl->il", *operands)).program
    assert max(t.size for node in program.nodes for t in node.types) == 200


def test_compiled_gives_the_same(backend: Backend) -> None:
    def step(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return pb.einsum("bij,bjk,kk->bi", a, b, c)

    given = numbers(2, 3, 4), numbers(2, 4, 5, seed=2), numbers(5, 5, seed=3)
    backend.assert_agrees(backend.compile(step)(*given), step(*given))


def test_errors_say_what_was_wrong() -> None:
    x = numbers(2, 3)
    with pytest.raises(ArgumentError, match="'ij,jk' names 2 operands; got 1"):
        pb.einsum("ij,jk", x)
    with pytest.raises(ShapeError, match="'j' has the sizes 3 and 2"):
        pb.einsum("ij,jk", x, x)
    with pytest.raises(ShapeError, match="'ijk' in einsum's equation names 3 dims; the operand has 2"):
        pb.einsum("ijk", x)
    with pytest.raises(ArgumentError, match="letters of the operands, each once; got 'ik'"):
        pb.einsum("ij->ik", x)
    with pytest.raises(ArgumentError, match=r"made of letters, commas, ... and ->; got 'i1'"):
        pb.einsum("i1", x)
