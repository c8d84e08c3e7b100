"""The default dtype."""

from collections.abc import Iterator

import pytest

import pullback as pb
from pullback.base.errors import DTypeError


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = pb.get_default_dtype()
    yield
    pb.set_default_dtype(before)


def test_floats_are_made_in_the_default_dtype() -> None:
    pb.set_default_dtype(pb.float64)
    made = [
        pb.tensor(1.5),
        pb.ones(2),
        pb.rand(2),
        pb.eye(2),
        pb.linspace(0, 1, 2),
        pb.full((2,), 1.5),
        pb.arange(0.5, 2),
    ]
    assert {x.dtype for x in made} == {pb.float64}
    assert (pb.tensor([1, 2]) * 0.5).dtype is pb.float64
    assert (pb.tensor([1, 2]) / 2).dtype is pb.float64
    assert repr(pb.tensor([1.0])) == "tensor([1.])"
    assert "dtype=pullback.float32" in repr(pb.tensor([1.0], dtype=pb.float32))


def test_layers_and_compiled_functions_follow() -> None:
    compiled = pb.compile(lambda x: x * pb.ones(2))
    assert compiled(pb.tensor([1, 2])).dtype is pb.float32
    pb.set_default_dtype(pb.float64)
    assert compiled(pb.tensor([1, 2])).dtype is pb.float64
    assert pb.nn.Linear(2, 2).weight.dtype is pb.float64


def test_only_floats_may_be_the_default() -> None:
    with pytest.raises(DTypeError, match="float"):
        pb.set_default_dtype(pb.int64)
