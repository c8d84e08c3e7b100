"""Compiled functions: what is lifted, written back and traced anew, and what comes back."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from tests.contracts.backends import Backend
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


def test_training_steps_are_those_of_eager(backend: Backend) -> None:
    w, twin = leaf(3), leaf(3)
    step = backend.compile(lambda x, lr: manual_step(w, x, lr))
    for i in range(5):
        x = numbers(4, 3, seed=i + 2)
        found, wanted = step(x, 0.1 / (i + 1)), manual_step(twin, x, 0.1 / (i + 1))
        backend.assert_agrees([found, w, w.grad], [wanted, twin, twin.grad])
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
def test_a_step_with_dropout_and_an_optimizer(make: Callable[[Any], Any], backend: Backend) -> None:
    runs = []
    for wrap in (lambda f: f, backend.compile):
        model, optimizer, plain = model_and_step(make)
        step = wrap(plain)
        losses = []
        for i in range(6):
            for group in optimizer.param_groups:
                group["lr"] = 0.1 / (i + 1)
            losses.append(step(numbers(5, 4, seed=i, dtype=pb.float32), pb.tensor([0, 1, 1, 0, 1])).detach())
        runs.append([losses, list(model.parameters()), pb.get_rng_state()])
    assert step.traces <= 2, "a changed learning rate compiles nothing anew"
    backend.assert_agrees(runs[1], runs[0])
    assert len({loss.item() for loss in losses}) == 6


def test_two_optimizer_steps_in_one_function(backend: Backend) -> None:
    runs = []
    for wrap in (lambda f: f, backend.compile):
        model, _, step = model_and_step(OPTIMIZERS["AdamW"])
        twice = wrap(lambda x, y, step=step: (step(x, y), step(x, y)))
        pb.manual_seed(1)
        found = [twice(numbers(3, 4, seed=i, dtype=pb.float32), pb.tensor([0, 1, 1])) for i in range(3)]
        runs.append([found, list(model.parameters())])
    backend.assert_agrees(runs[1], runs[0])


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


# Randomness
def test_random_draws_advance_and_are_those_of_eager(backend: Backend) -> None:
    def draw() -> list[pb.Tensor]:
        return [pb.rand(3), pb.randn(2), pb.randint(0, 9, (4,)), pb.randperm(5), pb.bernoulli(pb.full((4,), 0.5))]

    compiled = backend.compile(draw)
    pb.manual_seed(11)
    eager = [draw() for _ in range(3)]
    state = pb.get_rng_state().tolist()
    pb.manual_seed(11)
    backend.assert_agrees([compiled() for _ in range(3)], eager)
    assert pb.get_rng_state().tolist() == state
    assert not pb.equal(eager[0][0], eager[1][0])
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
def test_a_compiled_function_within_another_is_part_of_it(backend: Backend) -> None:
    inner = backend.compile(lambda x: x.exp())
    outer = backend.compile(lambda x: inner(x) * 2)
    backend.assert_agrees(outer(numbers(3)), numbers(3).exp() * 2)
    assert (outer.traces, inner.traces) == (1, 0)
    backend.assert_agrees(inner(numbers(3)), numbers(3).exp())


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


def test_a_module_compiled(backend: Backend) -> None:
    model = pb.nn.Linear(3, 2)
    compiled = backend.compile(model)
    x = numbers(4, 3, dtype=pb.float32)
    backend.assert_agrees(compiled(x), model(x))
    with pb.no_grad():
        model.weight.zero_()
    backend.assert_agrees(compiled(x), model(x))
    assert compiled.traces == 1


def test_decorator_with_arguments_keeps_the_name() -> None:
    @pb.compile(backend="reference")
    def named(x: pb.Tensor) -> pb.Tensor:
        """What it does."""
        return x

    assert named.__name__ == "named"
    assert named.__doc__ == "What it does."
    assert "named" in repr(named)


def test_threads_trace_and_run_side_by_side(backend: Backend) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(seed: int) -> list[Any]:
        w, twin = leaf(3, seed=seed), leaf(3, seed=seed)
        step = backend.compile(lambda x, lr: manual_step(w, x, lr))
        for i in range(5):
            x = numbers(4, 3, seed=i + seed)
            step(x, 0.1)
            manual_step(twin, x, 0.1)
        return [w, twin]

    with ThreadPoolExecutor(4) as pool:
        found, wanted = zip(*pool.map(work, range(8)), strict=True)
    backend.assert_agrees(found, wanted)
    alone = [work(seed)[0] for seed in range(8)]
    assert [w.tolist() for w in found] == [w.tolist() for w in alone], "threads change nothing, to the last bit"


def test_deep_copies_are_tensors_of_their_own() -> None:
    w = leaf(2)
    twin = copy.deepcopy(w)
    step = pb.compile(lambda x, lr: manual_step(w, x, lr))
    step(numbers(4, 2), 0.5)
    assert twin.tolist() == leaf(2).tolist()
    assert w.tolist() != twin.tolist()
