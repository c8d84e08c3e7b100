"""Compiled functions: what is lifted, written back and traced anew; what is refused and in which words."""

import copy
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


# State
def test_state_is_read_anew_and_written_back() -> None:
    total, scale = pb.zeros(2, dtype=pb.float64), pb.ones(2, dtype=pb.float64)

    @pb.compile
    def add(x: pb.Tensor) -> pb.Tensor:
        total.add_(x * scale)
        return total * 10

    assert add(pb.ones(2, dtype=pb.float64)).tolist() == [10.0, 10.0]
    scale.fill_(3)
    assert add(pb.ones(2, dtype=pb.float64)).tolist() == [40.0, 40.0]
    assert total.tolist() == [4.0, 4.0]
    total.zero_()
    assert add(pb.ones(2, dtype=pb.float64)).tolist() == [30.0, 30.0]
    assert add.traces == 1


def test_what_is_only_written_is_state_too() -> None:
    last = pb.zeros(2)

    @pb.compile
    def keep(x: pb.Tensor) -> None:
        last.copy_(x)

    assert keep(pb.ones(2)) is None
    assert last.tolist() == [1.0, 1.0]
    keep(pb.ones(2) * 5)
    assert last.tolist() == [5.0, 5.0]


def test_setitem_on_state() -> None:
    log = pb.zeros(3)

    @pb.compile
    def write(x: pb.Tensor, place: int) -> None:
        log[place] = x.sum()

    write(pb.ones(4), 1)
    write(pb.ones(4) * 2, 1)
    write(pb.ones(4), 2)
    assert log.tolist() == [0.0, 8.0, 4.0]
    assert write.traces == 2  # one for each place: an int is no tensor


def test_numbers_from_elsewhere_are_constants_and_floats_vary() -> None:
    @pb.compile
    def scaled(x: pb.Tensor, factor: float, power: int) -> pb.Tensor:
        return x**power * factor

    x = pb.tensor([1.0, 2.0])
    assert scaled(x, 2.0, 2).tolist() == [2.0, 8.0]
    assert scaled(x, 0.5, 2).tolist() == [0.5, 2.0]
    assert scaled.traces == 1
    assert scaled(x, 0.5, 3).tolist() == [0.5, 4.0]
    assert scaled.traces == 2
    assert scaled(x, 2.0, 2).dtype is pb.float32  # a Python number gives way


def test_arrays_vary_and_are_copied() -> None:
    double = pb.compile(lambda x: x * 2)
    given = np.array([1.0, 2.0])
    found = double(given)
    given[0] = 100.0
    assert found.tolist() == [2.0, 4.0]
    assert double(given).tolist() == [200.0, 4.0]
    assert double.traces == 1


# Training
def manual_step(w: pb.Tensor, x: pb.Tensor, lr: Any) -> pb.Tensor:
    loss = ((x @ w).tanh() ** 2).mean()
    w.grad = None
    loss.backward()
    with pb.no_grad():
        w.sub_(lr * w.grad)
    return loss


def test_training_steps_are_bit_for_bit_those_of_eager() -> None:
    w, twin = leaf(3), leaf(3)
    step = pb.compile(lambda x, lr: manual_step(w, x, lr))
    for i in range(5):
        x = numbers(4, 3, seed=i + 2)
        assert step(x, 0.1 / (i + 1)).tolist() == manual_step(twin, x, 0.1 / (i + 1)).tolist()
        assert w.tolist() == twin.tolist()
        assert w.grad.tolist() == twin.grad.tolist()
    assert w.is_leaf
    assert w.requires_grad
    assert step.traces <= 2  # the first step finds no gradient


def test_gradients_add_up_without_zero_grad() -> None:
    w, twin = leaf(3), leaf(3)
    backward = pb.compile(lambda x: (x @ w).sum().backward())
    for i in range(3):
        x = numbers(2, 3, seed=i)
        backward(x)
        (x @ twin).sum().backward()
        assert w.grad.tolist() == twin.grad.tolist()
    assert backward.traces == 2  # without a gradient, and with one
    w.grad = None
    backward(numbers(2, 3, seed=5))
    assert w.grad.tolist() == numbers(2, 3, seed=5).sum(0).tolist()
    assert backward.traces == 2


def model_and_step(make: Callable[[Any], Any]) -> tuple[Any, Any, Callable[[pb.Tensor, pb.Tensor], pb.Tensor]]:
    pb.manual_seed(3)
    model = pb.nn.Sequential(pb.nn.Linear(4, 8), pb.nn.Tanh(), pb.nn.Dropout(0.3), pb.nn.Linear(8, 2))
    optimizer = make(model.parameters())

    def step(x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
        loss = pb.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda params: pb.optim.SGD(params, lr=0.1, momentum=0.9),
    "AdamW": lambda params: pb.optim.AdamW(params, lr=0.01),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_a_step_with_dropout_and_an_optimizer(make: Callable[[Any], Any]) -> None:
    runs = []
    for wrap in (lambda f: f, pb.compile):
        model, optimizer, plain = model_and_step(make)
        step = wrap(plain)
        losses = []
        for i in range(6):
            for group in optimizer.param_groups:
                group["lr"] = 0.1 / (i + 1)
            losses.append(step(numbers(5, 4, seed=i, dtype=pb.float32), pb.tensor([0, 1, 1, 0, 1])).item())
        runs.append((losses, [p.tolist() for p in model.parameters()], pb.get_rng_state().tolist()))
        if wrap is pb.compile:
            assert step.traces <= 2, "a changed learning rate compiles nothing anew"
    assert runs[0] == runs[1]
    assert len(set(runs[0][0])) == 6


def test_two_optimizer_steps_in_one_function() -> None:
    runs = []
    for wrap in (lambda f: f, pb.compile):
        model, _, step = model_and_step(OPTIMIZERS["AdamW"])
        twice = wrap(lambda x, y, step=step: (step(x, y), step(x, y)))
        pb.manual_seed(1)
        found = [twice(numbers(3, 4, seed=i, dtype=pb.float32), pb.tensor([0, 1, 1])) for i in range(3)]
        runs.append(([[a.item(), b.item()] for a, b in found], [p.tolist() for p in model.parameters()]))
    assert runs[0] == runs[1]


def test_train_and_eval_are_two_programs() -> None:
    model = pb.nn.Sequential(pb.nn.Dropout(0.5))
    run = pb.compile(lambda x: model(x))
    x = pb.ones(50)
    assert 0.0 in run(x).tolist()
    model.eval()
    assert run(x).tolist() == x.tolist()
    model.train()
    assert 0.0 in run(x).tolist()
    assert run.traces == 2


# When it is traced anew
def test_traced_anew_for_new_types_and_never_otherwise() -> None:
    double = pb.compile(lambda x: x * 2)
    for _ in range(3):
        double(numbers(2, 3))
    assert double.traces == 1
    double(numbers(3, 2))
    assert double.traces == 2
    double(numbers(2, 3, dtype=pb.float32))
    assert double.traces == 3
    double(leaf(2, 3))
    assert double.traces == 4
    with pb.no_grad():
        double(numbers(2, 3))
    assert double.traces == 5
    for again in (numbers(2, 3), numbers(3, 2), numbers(2, 3, dtype=pb.float32), leaf(2, 3)):
        double(again)
    assert double.traces == 5


def test_traced_anew_when_state_changes_its_type() -> None:
    w = leaf(3)
    product = pb.compile(lambda x: x * w)
    product(numbers(3))
    w.data = numbers(1)
    assert product(numbers(3)).tolist() == (numbers(3) * w).tolist()
    assert product.traces == 2


def test_traced_anew_when_state_is_frozen() -> None:
    w, b = leaf(3), leaf(3, seed=2)
    step = pb.compile(lambda x: (x * w + b).sum().backward())
    step(numbers(3))
    w.grad = b.grad = None
    w.requires_grad_(False)
    step(numbers(3))
    assert w.grad is None
    assert b.grad.tolist() == [1.0, 1.0, 1.0]
    w.requires_grad_(True)
    b.grad = None
    step(numbers(3))
    assert w.grad.tolist() == numbers(3).tolist()
    assert step.traces == 2


def test_traced_anew_for_other_plain_arguments_and_trees() -> None:
    f = pb.compile(lambda tree, mode="a": tree["x"] * 2 if mode == "a" else tree["x"] * 3)
    x = numbers(2)
    assert f({"x": x}).tolist() == (x * 2).tolist()
    assert f({"x": x}, mode="b").tolist() == (x * 3).tolist()
    assert f({"x": x, "y": 1}).tolist() == (x * 2).tolist()
    f({"x": x}, mode="b")
    assert f.traces == 3


# What is refused
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
    with pytest.raises(IndexOutOfRange, match=r"test_compile\.py:\d+"):
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

    leaky(numbers(2))
    for use in (lambda: kept[0] + 1, lambda: kept[0].tolist(), lambda: pb.compile(lambda x: x + kept[0])(numbers(2))):
        with pytest.raises(TraceError, match=r"made inside a compiled function.*test_compile\.py:\d+.*return it"):
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

    leaky(numbers(2))
    with pytest.raises(TraceError, match="return it"):
        leaky(numbers(2, dtype=pb.float32))


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


# Randomness
def test_random_draws_advance_and_are_those_of_eager() -> None:
    def draw() -> list[pb.Tensor]:
        return [pb.rand(3), pb.randn(2), pb.randint(0, 9, (4,)), pb.randperm(5), pb.bernoulli(pb.full((4,), 0.5))]

    compiled = pb.compile(draw)
    pb.manual_seed(11)
    eager = [[y.tolist() for y in draw()] for _ in range(3)]
    state = pb.get_rng_state().tolist()
    pb.manual_seed(11)
    assert [[y.tolist() for y in compiled()] for _ in range(3)] == eager
    assert pb.get_rng_state().tolist() == state
    assert eager[0] != eager[1]
    assert compiled.traces == 1


def test_a_generator_of_ones_own() -> None:
    g = pb.Generator().manual_seed(4)
    draw = pb.compile(lambda: pb.rand(3, generator=g))
    found = [draw().tolist() for _ in range(2)]
    g.manual_seed(4)
    assert [pb.rand(3, generator=g).tolist() for _ in range(2)] == found


# Arguments and results
def test_writing_to_an_argument_is_seen_outside() -> None:
    @pb.compile
    def bump(x: pb.Tensor) -> pb.Tensor:
        x.add_(1)
        x[0] = 9.0
        return x * 2

    for _ in range(2):
        x = pb.zeros(2)
        assert bump(x).tolist() == [18.0, 2.0]
        assert x.tolist() == [9.0, 1.0]


def test_gradients_of_arguments_are_seen_outside() -> None:
    @pb.compile
    def backward(w: pb.Tensor) -> None:
        (w * w).sum().backward()

    for seed in (1, 2):
        w = leaf(3, seed=seed)
        backward(w)
        assert w.grad.tolist() == (w.detach() * 2).tolist()


def test_gradients_of_arguments_add_up() -> None:
    backward = pb.compile(lambda w: (w * w).sum().backward())
    w, other = leaf(3), leaf(3, seed=2)
    for count in (1, 2, 3):
        backward(w)
        assert w.grad.tolist() == (w.detach() * 2 * count).tolist()
    backward(other)
    backward(other)
    assert other.grad.tolist() == (other.detach() * 4).tolist()
    w.grad = None
    backward(w)
    assert w.grad.tolist() == (w.detach() * 2).tolist()


def test_an_argument_returned_is_the_tensor_given() -> None:
    x = numbers(2)
    y, z = pb.compile(lambda x: (x, x * 2))(x)
    assert y.tolist() == x.tolist()
    assert z.tolist() == (x * 2).tolist()


def test_the_same_tensor_given_twice_is_one_tensor() -> None:
    def f(a: pb.Tensor, b: pb.Tensor) -> pb.Tensor:
        a.add_(1)
        return b * 2

    x, twin = pb.zeros(2), pb.zeros(2)
    compiled = pb.compile(f)
    assert compiled(x, x).tolist() == f(twin, twin).tolist() == [2.0, 2.0]
    assert compiled(pb.zeros(2), pb.zeros(2)).tolist() == [0.0, 0.0]


def test_a_tensor_given_that_the_function_reads_besides() -> None:
    w, twin = leaf(2), leaf(2)

    def f(x: pb.Tensor, w: pb.Tensor) -> None:
        (x * w).sum().backward()

    pb.compile(lambda x: f(x, w))(w)
    f(twin, twin)
    assert w.grad.tolist() == twin.grad.tolist()


def test_trees_come_back_as_they_were_built() -> None:
    @pb.compile
    def build(x: pb.Tensor) -> Any:
        return {"a": [x, (x * 2, None)], "b": "text", "c": 3, "d": x.shape, "e": {}}

    found = build(numbers(2))
    assert found["a"][1][0].tolist() == (numbers(2) * 2).tolist()
    assert found["a"][1][1] is None
    assert (found["b"], found["c"], found["d"], found["e"]) == ("text", 3, (2,), {})


def test_results_are_values_of_their_own() -> None:
    x = numbers(2)
    compiled = pb.compile(lambda x: (x * 1, x.reshape(2)))
    first, view = compiled(x)
    first.zero_()
    assert x.tolist() == numbers(2).tolist()
    assert compiled(x)[0].tolist() == numbers(2).tolist()
    assert view.tolist() == numbers(2).tolist()


def test_constants_and_tensors_made_inside() -> None:
    @pb.compile
    def f(x: pb.Tensor) -> pb.Tensor:
        return x + pb.arange(3) + pb.tensor([1.0, 2.0, 3.0]) + pb.eye(3)[0] + pb.linspace(0, 1, 3)

    eager = f.function(pb.zeros(3)).tolist()
    assert f(pb.zeros(3)).tolist() == eager


# Differentiable from outside
def test_a_compiled_forward_pass_differentiates_outside() -> None:
    w = leaf(3, 3)
    forward = pb.compile(lambda x: (x @ w).tanh())
    x = leaf(2, 3, seed=2)
    (forward(x) * 2).sum().backward()
    compiled = x.grad.tolist(), w.grad.tolist()
    x.grad = w.grad = None
    ((x @ w).tanh() * 2).sum().backward()
    assert (x.grad.tolist(), w.grad.tolist()) == compiled
    assert pb.gradcheck(forward, numbers(2, 3), eps=1e-4, rtol=1e-6, atol=1e-8, second_order=True)


def test_without_gradients_a_compiled_forward_pass_keeps_nothing() -> None:
    w = leaf(3)
    forward = pb.compile(lambda x: x * w)
    with pb.no_grad():
        assert not forward(numbers(3)).requires_grad
    assert forward(numbers(3)).requires_grad


# Composition
def test_a_compiled_function_within_another_is_part_of_it() -> None:
    inner = pb.compile(lambda x: x.exp())
    outer = pb.compile(lambda x: inner(x) * 2)
    assert outer(numbers(3)).tolist() == (numbers(3).exp() * 2).tolist()
    assert (outer.traces, inner.traces) == (1, 0)
    assert inner(numbers(3)).tolist() == numbers(3).exp().tolist()


def test_methods() -> None:
    class Counter:
        def __init__(self) -> None:
            self.total = pb.zeros(())

        @pb.compile
        def add(self, x: pb.Tensor) -> pb.Tensor:
            self.total.add_(x.sum())
            return self.total * 1

    a, b = Counter(), Counter()
    a.add(pb.ones(2))
    assert a.add(pb.ones(2)).item() == 4.0
    assert b.add(pb.ones(3)).item() == 3.0
    assert (a.total.item(), b.total.item()) == (4.0, 3.0)


def test_a_module_compiled() -> None:
    model = pb.nn.Linear(3, 2)
    compiled = pb.compile(model)
    x = numbers(4, 3, dtype=pb.float32)
    assert compiled(x).tolist() == model(x).tolist()
    with pb.no_grad():
        model.weight.zero_()
    assert compiled(x).tolist() == model(x).tolist()
    assert compiled.traces == 1


def test_decorator_with_arguments_keeps_the_name() -> None:
    @pb.compile(backend="reference")
    def named(x: pb.Tensor) -> pb.Tensor:
        """What it does."""
        return x

    assert named.__name__ == "named"
    assert named.__doc__ == "What it does."
    assert "named" in repr(named)


def test_threads_trace_and_run_side_by_side() -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(seed: int) -> bool:
        w, twin = leaf(3, seed=seed), leaf(3, seed=seed)
        step = pb.compile(lambda x, lr: manual_step(w, x, lr))
        for i in range(5):
            x = numbers(4, 3, seed=i + seed)
            step(x, 0.1)
            manual_step(twin, x, 0.1)
        return bool(w.tolist() == twin.tolist())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_deep_copies_are_tensors_of_their_own() -> None:
    w = leaf(2)
    twin = copy.deepcopy(w)
    step = pb.compile(lambda x, lr: manual_step(w, x, lr))
    step(numbers(4, 2), 0.5)
    assert twin.tolist() == leaf(2).tolist()
    assert w.tolist() != twin.tolist()
