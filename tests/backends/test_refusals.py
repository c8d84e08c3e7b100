"""What compiled functions refuse, in which words, and that an error leaves nothing behind."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, IndexOutOfRange, TraceError
from tests.contracts.calls import spread


def numbers(*shape: int, seed: int = 1, dtype: Any = pb.float64) -> pb.Tensor:
    return spread(*shape, seed=seed).tensor(pb).detach().to(dtype)


def leaf(*shape: int, seed: int = 1) -> pb.Tensor:
    return numbers(*shape, seed=seed).requires_grad_()


def message(function: Callable[..., Any], *args: Any) -> str:
    with pytest.raises(TraceError) as caught:
        pb.compile(function)(*args)
    return str(caught.value)


def branch(x: pb.Tensor) -> pb.Tensor:
    if x.sum() > 0:
        return x
    return -x


def loop(x: pb.Tensor) -> pb.Tensor:
    while x.max() < 10:
        x = x * 2
    return x


REFUSED: dict[str, tuple[Callable[[pb.Tensor], Any], str]] = {
    "if": (branch, "its truth decides a branch"),
    "while": (loop, "its truth decides a branch"),
    "and": (lambda x: (x.sum() > 0) and x, "its truth decides a branch"),
    "assert": (lambda x: bool(x.all()), "its truth decides a branch"),
    "max of Python": (lambda x: max(x[0], x[1]), "its truth decides a branch"),
    "item": (lambda x: x.sum().item(), r"item\(\) was called"),
    "float": (lambda x: float(x.sum()), r"item\(\) was called"),
    "int": (lambda x: int(x.sum()), r"item\(\) was called"),
    "tolist": (lambda x: x.tolist(), r"tolist\(\) was called"),
    "numpy": (lambda x: x.numpy(), r"numpy\(\) was called"),
    "numpy function": (lambda x: np.exp(x), "NumPy asked for them"),
    "mask": (lambda x: x[x > 0], "a mask of bools selects elements, how many depends on its values"),
    "masked_select": (lambda x: x.masked_select(x > 0), "how many depends on its values"),
    "nonzero": (lambda x: x.nonzero(), "how many elements are nonzero depends on their values"),
    "range": (lambda x: list(range(x.long()[0])), r"item\(\) was called"),
    "index of a list": (lambda x: [1, 2, 3][x.long()[0]], r"item\(\) was called"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_line_and_the_remedy(name: str) -> None:
    function, reason = REFUSED[name]
    text = message(function, numbers(3).abs())
    assert re.search(reason, text)
    first = function.__code__.co_firstlineno
    place = re.search(rf"{re.escape(__file__)}:(\d+)", text)
    assert place is not None
    assert first <= int(place.group(1)) <= first + 3
    assert "pb.where(condition, a, b)" in text


OUTSIDE: dict[str, Callable[[pb.Tensor, pb.Tensor], Any]] = {
    "index": lambda x, i: x[i],
    "index of a later dim": lambda x, i: x[:, i],
    "two indices": lambda x, i: x[i, pb.zeros_like(i)],
    "the other of two": lambda x, i: x[pb.zeros_like(i), i],
    "gather": lambda x, i: x.gather(0, i.reshape(-1, 1)),
    "gather along rows": lambda x, i: x.gather(1, i.reshape(1, -1)),
    "index_select": lambda x, i: x.index_select(0, i),
    "scatter": lambda x, i: x.scatter(0, i.reshape(-1, 1), 5.0),
    "scatter_add": lambda x, i: x.scatter_add(1, i.reshape(1, -1), x[:1, : i.numel()]),
    "setitem": lambda x, i: (y := x.clone(), y.__setitem__(i, 3.0)),
}


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("place", [3, 4, 100, -4, -5, -100])
def test_places_outside_are_refused_when_the_program_runs(name: str, place: int) -> None:
    function = pb.compile(OUTSIDE[name])
    x = numbers(3, 3)
    function(x, pb.tensor([0, 2, -1] if "select" not in name else [0, 2, 1]))
    with pytest.raises(IndexOutOfRange, match=r"test_refusals\.py:\d+"):
        function(x, pb.tensor([0, place, 1]))
    with pytest.raises(IndexOutOfRange, match=f"index {place} is out of range for dim . with size 3"):
        OUTSIDE[name](x, pb.tensor([0, place, 1]))
    assert function.traces == 1


@pytest.mark.parametrize("name", OUTSIDE)
def test_negative_places_count_from_the_end_when_the_program_runs(name: str) -> None:
    x, i = numbers(3, 3), pb.tensor([0, -1, -3])
    eager, compiled = OUTSIDE[name](x, i), pb.compile(OUTSIDE[name])(x, i)
    pick = (lambda y: y[0]) if isinstance(eager, tuple) else (lambda y: y)
    assert pick(compiled).tolist() == pick(eager).tolist()


def test_printing_shows_the_type_and_does_not_fail() -> None:
    seen: list[str] = []

    def show(x: pb.Tensor) -> pb.Tensor:
        seen.append(f"{x}")
        return x * 2

    pb.compile(show)(numbers(2, 3))
    assert "float64[2, 3]" in seen[0]


def test_a_tensor_that_leaks_is_refused_outside() -> None:
    kept: list[pb.Tensor] = []

    @pb.compile
    def leaky(x: pb.Tensor) -> pb.Tensor:
        kept.append(x * 2)
        return x

    with pytest.raises(TraceError, match=r"kept a tensor that it made in kept\[0\]"):
        leaky(numbers(2))
    for use in (lambda: kept[0] + 1, lambda: kept[0].tolist(), lambda: pb.compile(lambda x: x + kept[0])(numbers(2))):
        with pytest.raises(TraceError, match=r"made inside a compiled function.*test_refusals\.py:\d+.*return it"):
            use()


def test_a_tensor_that_leaks_into_an_attribute_is_refused() -> None:
    class Holder:
        last: Any = None

    holder = Holder()

    @pb.compile
    def leaky(x: pb.Tensor) -> pb.Tensor:
        if holder.last is not None:
            x = x + holder.last
        holder.last = x * 2
        return x

    with pytest.raises(TraceError, match=r"kept a tensor that it made in holder\.last.*return it"):
        leaky(numbers(2))


def test_switching_requires_grad_inside_is_refused() -> None:
    w = leaf(2)
    assert "outside compiled functions" in message(lambda x: w.requires_grad_(False), numbers(2))


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"no backend 'refrence'.*Did you mean 'reference'"):
        pb.compile(lambda x: x, backend="refrence")


# Errors leave nothing behind
def test_an_error_inside_leaves_everything_as_it_was() -> None:
    w, count = leaf(2), pb.zeros(())
    w.grad = pb.ones(2, dtype=pb.float64)
    held, value = w.grad, w.value
    pb.manual_seed(3)
    before = pb.get_rng_state().tolist()

    @pb.compile
    def fail(x: pb.Tensor) -> None:
        count.add_(1)
        (w * x).sum().backward()
        with pb.no_grad():
            w.sub_(w.grad)
        w.grad = None
        x.add_(pb.rand(2, dtype=pb.float64))
        raise ValueError("stop")

    x = numbers(2)
    for _ in range(2):
        with pytest.raises(ValueError, match="stop"):
            fail(x)
    assert w.value is value
    assert w.grad is held
    assert held.tolist() == [1.0, 1.0]
    assert count.item() == 0
    assert x.tolist() == numbers(2).tolist()
    assert pb.get_rng_state().tolist() == before
    assert pb.is_grad_enabled()
    assert (w * 2).array().shape == (2,)  # nothing is being recorded any more


def test_a_failed_trace_can_be_tried_again() -> None:
    broken = [True]

    @pb.compile
    def sometimes(x: pb.Tensor) -> pb.Tensor:
        if broken[0]:
            raise KeyError("not yet")
        return x * 2

    with pytest.raises(KeyError):
        sometimes(numbers(2))
    broken[0] = False
    assert sometimes(numbers(2)).tolist() == (numbers(2) * 2).tolist()
    assert sometimes.traces == 1
