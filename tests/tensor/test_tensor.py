"""The tensor as a box: what refilling it means, what copies share, and errors in the caller's words."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, GradientError, IndexOutOfRange, PullbackError, ShapeError
from pullback.ir.types import Type


def test_values_never_change_when_boxes_are_refilled() -> None:
    x = pb.ones(2)
    y = x * 1
    z = x.detach()
    x.add_(5)
    assert (y.tolist(), z.tolist(), x.tolist()) == ([1.0, 1.0], [1.0, 1.0], [6.0, 6.0])


def test_assign_keeps_type_and_refill_does_not() -> None:
    x = pb.ones(2)
    x.assign(pb.zeros(2).value)
    assert x.tolist() == [0.0, 0.0]
    with pytest.raises(ShapeError, match=r"float32\[2\] cannot be overwritten in place with float32\[3\]"):
        x.assign(pb.zeros(3).value)
    x.refill(pb.zeros(3).value)
    assert x.shape == (3,)
    assert x.type_ == Type((3,), pb.float32)


def test_a_leaf_stays_a_leaf_when_it_is_refilled() -> None:
    w = pb.ones(2, requires_grad=True)
    with pb.no_grad():
        w.mul_(2)
    w.data = pb.zeros(2)
    assert w.is_leaf
    assert w.requires_grad
    (w * 3).sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]


def test_arrays_given_and_taken_are_copies() -> None:
    array = np.ones(2, np.float32)
    x, y = pb.from_numpy(array), pb.tensor(array)
    array[0] = 9
    assert x.tolist() == y.tolist() == [1.0, 1.0]
    taken = x.numpy()
    taken[0] = 7
    assert x.tolist() == [1.0, 1.0]
    assert np.asarray(x).sum() == 2.0
    assert (np.asarray(x, dtype=np.float64) * 2).dtype == np.float64


def test_numpy_on_the_left_leaves_the_operator_to_tensors() -> None:
    found = np.ones(2) * pb.tensor([1.0, 2.0], dtype=pb.float64)
    assert isinstance(found, pb.Tensor)
    assert found.tolist() == [1.0, 2.0]
    assert (np.float32(2) * pb.tensor([1.0])).tolist() == [2.0]


def test_numpy_of_a_variable_says_what_to_write() -> None:
    with pytest.raises(GradientError, match=r"\.detach\(\)\.numpy\(\)"):
        pb.ones(1, requires_grad=True).numpy()


def test_deep_copies() -> None:
    w = pb.ones(2, requires_grad=True)
    twin = copy.deepcopy([w, w])
    assert twin[0] is twin[1]
    assert twin[0].requires_grad
    with pb.no_grad():
        twin[0].zero_()
    assert w.tolist() == [1.0, 1.0]
    with pytest.raises(GradientError, match="only leaves"):
        copy.deepcopy(w * 2)


def test_pickle_is_refused_with_what_to_use() -> None:
    with pytest.raises(TypeError, match=r"pb\.save"):
        pickle.dumps(pb.ones(1))


def test_tensors_are_dictionary_keys_by_identity() -> None:
    x, y = pb.ones(1), pb.ones(1)
    assert len({x: 1, y: 2}) == 2
    assert {x: 1}[x] == 1


def test_views_are_known() -> None:
    x = pb.ones(2, 3)
    assert x[0].is_view
    assert x.T.is_view
    assert not (x * 1).is_view
    assert not x[[0]].is_view
    assert not x[0].clone().is_view


def test_augmented_assignment_of_a_view_binds_the_name_anew() -> None:
    x = pb.ones(2, 2)
    row = x[0]
    row += 1
    assert x.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert row.tolist() == [2.0, 2.0]


def test_comparison_with_what_is_no_number() -> None:
    x = pb.ones(1)
    assert (x == None) is False  # noqa: E711
    assert (x != "a") is True
    assert x not in [None, "a"]


def test_numbers_in_every_python_way() -> None:
    assert f"{pb.tensor(2.5).item():.2f}" == "2.50"
    assert [10, 20, 30][pb.tensor(1)] == 20
    assert round(float(pb.tensor(2.5, dtype=pb.bfloat16)), 1) == 2.5
    assert list(range(pb.tensor(3))) == [0, 1, 2]
    assert bool(pb.tensor([[True]]))


def test_a_label_names_a_tensor_in_programs() -> None:
    w = pb.ones(2)
    w.label = "weight"
    step = pb.compile(lambda x: x * w)
    step(pb.ones(2))
    assert "weight" in [value.name for value in step.latest.program.inputs]


WRONG: dict[str, tuple[Callable[[], Any], type[PullbackError], str]] = {
    "broadcast": (
        lambda: pb.ones(2, 3) + pb.ones(4),
        ShapeError,
        r"\(2, 3\) and \(4,\) do not broadcast: along axis -1",
    ),
    "matmul": (lambda: pb.ones(2, 3) @ pb.ones(4, 5), ShapeError, r"got shapes \(2, 3\) and \(4, 5\) \(3 and 4\)"),
    "matmul dtypes": (lambda: pb.ones(2, 2) @ pb.ones(2, 2).double(), DTypeError, r"float32 and float64: cast one"),
    "matmul number": (lambda: pb.ones(2, 2) @ 3, DTypeError, "two tensors; got Tensor and int"),
    "reshape": (lambda: pb.ones(6).reshape(4), ShapeError, r"6 elements do not fill the shape \(4,\)"),
    "reshape -1": (lambda: pb.ones(6).reshape(4, -1), ShapeError, r"6 is no multiple of 4"),
    "reshape 0": (lambda: pb.ones(0).reshape(0, -1), ShapeError, "cannot be laid out"),
    "dim": (lambda: pb.ones(2).sum(1), ShapeError, "dim 1 does not exist: the tensor has 1 dimensions"),
    "dim twice": (lambda: pb.ones(2, 2).sum((0, -2)), ShapeError, "a dim stands twice"),
    "cat": (lambda: pb.cat([pb.ones(2), pb.ones(2, 2)]), ShapeError, r"equally many dims; got \(2,\), \(2, 2\)"),
    "cat nothing": (lambda: pb.cat([]), ArgumentError, "at least one tensor"),
    "stack": (lambda: pb.stack([pb.ones(2), pb.ones(3)]), ShapeError, r"one shape; got \(2,\), \(3,\)"),
    "stack nothing": (lambda: pb.stack([]), ArgumentError, "at least one tensor"),
    "split": (lambda: pb.ones(3).split([1, 1]), ShapeError, r"add up to 2, but dim 0 has size 3"),
    "chunk": (lambda: pb.ones(3).chunk(0), ArgumentError, "at least 1; got 0"),
    "index": (lambda: pb.ones(2, 3)[0, 5], IndexOutOfRange, "index 5 is out of range for dim 1 with size 3"),
    "index tensor": (lambda: pb.ones(3)[pb.tensor([0, -4])], IndexOutOfRange, "index -4 is out of range for dim 0"),
    "index of floats": (lambda: pb.ones(3)[pb.tensor([0.5])], DTypeError, "integers or bools; got float32"),
    "index of bytes": (
        lambda: pb.ones(3)[pb.tensor([1, 0, 1], dtype=pb.uint8)],
        DTypeError,
        r"write .bool\(\) or .long",
    ),
    "two ellipses": (lambda: pb.ones(3)[..., ...], IndexOutOfRange, "at most one ..."),
    "index by range": (lambda: pb.ones(3)[range(2)], IndexOutOfRange, r"got range\(0, 2\)"),
    "too many indices": (lambda: pb.ones(3)[0, 0], IndexOutOfRange, "2 indices for a tensor with 1 dims"),
    "step back": (lambda: pb.ones(3)[::-1], IndexOutOfRange, r"got step -1: use flip"),
    "index by text": (lambda: pb.ones(3)["a"], IndexOutOfRange, "got 'a'"),
    "mask": (lambda: pb.ones(3)[pb.tensor([True])], IndexOutOfRange, r"mask bool\[1\] does not fit the sizes \(3,\)"),
    "gather": (lambda: pb.ones(2, 3).gather(1, pb.tensor([[3]])), IndexOutOfRange, "index 3 .* dim 1 with size 3"),
    "gather floats": (lambda: pb.ones(2).gather(0, pb.ones(2)), DTypeError, "integers; got float32"),
    "gather dims": (lambda: pb.ones(2, 3).gather(1, pb.tensor([0])), ShapeError, "as many dims"),
    "index_select": (lambda: pb.ones(2).index_select(0, pb.tensor([2])), IndexOutOfRange, "index 2 .* size 2"),
    "where": (lambda: pb.where(pb.ones(2), 1.0, 2.0), DTypeError, "condition of bools, such as x > 0"),
    "mean of integers": (lambda: pb.tensor([1, 2]).mean(), DTypeError, r"mean needs floats; got int64: write x\.float"),
    "max of nothing": (lambda: pb.ones(0).max(), ShapeError, "no elements"),
    "item": (lambda: pb.ones(2).item(), ShapeError, r"one element; this tensor has the shape \(2,\)"),
    "bool": (lambda: bool(pb.ones(2)), ShapeError, r"unclear; use \.any\(\) or \.all\(\)"),
    "len": (lambda: len(pb.tensor(1.0)), ShapeError, "has no length"),
    "ragged": (lambda: pb.tensor([[1, 2], [3]]), ArgumentError, "unequal lengths .* pad them"),
    "text": (lambda: pb.tensor("abc"), DTypeError, "numbers or bools; got str"),
    "complex": (lambda: pb.tensor(1j), DTypeError, "numbers or bools"),
    "dtype name": (lambda: pb.ones(2, dtype="flaot32"), DTypeError, "Did you mean 'float32'"),
    "device": (lambda: pb.ones(2, device="cuda"), ArgumentError, "runs on the CPU; device 'cuda' does not exist"),
    "negative size": (lambda: pb.zeros(2, -1), ShapeError, "no negative sizes"),
    "size of floats": (lambda: pb.zeros(2.5), ArgumentError, "made of integers"),
    "integer by zero": (lambda: pb.tensor([1]) // 0, ArgumentError, "integers by 0"),
    "integer to -1": (lambda: pb.tensor([2]) ** -1, ArgumentError, "negative power -1; cast to float"),
    "out of range": (
        lambda: pb.tensor([300], dtype=pb.uint8),
        ArgumentError,
        "uint8 holds 0 to 255; got numbers from 300",
    ),
    "full out of range": (lambda: pb.full((2,), -200, dtype=pb.int8), ArgumentError, "int8 holds -128 to 127"),
    "float into integers": (lambda: pb.tensor([1]).add_(0.5), DTypeError, "float32, which does not go into .* int64"),
    "arange": (lambda: pb.arange(0, 5, -1), ArgumentError, "never ends"),
    "clamp": (lambda: pb.ones(1).clamp(), ArgumentError, "min, max or both"),
    "rounding": (lambda: pb.div(pb.ones(1), 2, rounding_mode="up"), ArgumentError, "got 'up'"),
    "operand": (lambda: pb.ones(1) + "a", DTypeError, "a tensor or a number; got str"),
    "operand list": (lambda: pb.add(pb.ones(1), [1.0]), DTypeError, "a tensor or a number; got list"),
    "t": (lambda: pb.ones(1, 1, 1).t(), ShapeError, "use transpose"),
    "mm": (lambda: pb.ones(2).mm(pb.ones(2)), ShapeError, r"mm needs tensors with 2 dims; got the shape \(2,\)"),
    "expand": (lambda: pb.ones(2).expand(3), ShapeError, "broadcast"),
    "flatten": (lambda: pb.ones(2, 2).flatten(1, 0), ArgumentError, "start_dim before end_dim"),
    "repeat": (lambda: pb.ones(2, 2).repeat(2), ShapeError, "a count for each of 2 dims"),
    "tril": (lambda: pb.ones(2).tril(), ShapeError, "need matrices"),
    "set wrong shape": (lambda: pb.zeros(3).__setitem__(slice(0, 2), pb.ones(3)), ShapeError, "broadcast"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_told_in_words(name: str) -> None:
    function, kind, words = WRONG[name]
    with pytest.raises(kind, match=words):
        function()


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_pytorchs_kinds_too(name: str) -> None:
    function, kind, _ = WRONG[name]
    assert issubclass(kind, RuntimeError), "scripts that catch RuntimeError catch these"
    with pytest.raises(RuntimeError):
        function()


@pytest.mark.parametrize("name", [n for n in WRONG if n not in ("device", "out of range", "item", "bool")])
def test_compiled_functions_refuse_in_the_same_words(name: str) -> None:
    function, _, _ = WRONG[name]
    if name in ("index tensor", "gather", "index_select", "integer by zero"):
        return  # constants are known in a compiled function, but places and divisors are checked by value
    with pytest.raises(PullbackError) as caught:
        function()
    with pytest.raises(PullbackError) as traced:
        pb.compile(function)()
    assert str(traced.value).split("\n")[0] == str(caught.value).split("\n")[0] or "compiled function" in str(
        traced.value
    )
