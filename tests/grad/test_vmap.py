"""vmap beyond torch.func: within and around compiled functions, over layers, with random numbers, errors in words."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError, TraceError
from pullback.tensor.tracing import trace
from tests.contracts.backends import Backend
from tests.contracts.calls import spread


def numbers(*shape: int, seed: int = 1) -> pb.Tensor:
    return spread(*shape, seed=seed).tensor(pb).detach()


def network() -> pb.nn.Module:
    pb.manual_seed(3)
    return pb.nn.Sequential(pb.nn.Linear(3, 4), pb.nn.Tanh(), pb.nn.Linear(4, 2)).double()


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), 1e-12, 1e-12)


def per_sample(params: list[pb.Tensor], x: pb.Tensor, y: pb.Tensor) -> pb.Tensor:
    hidden = (params[0] @ x + params[1]).tanh()
    return pb.nn.functional.cross_entropy(params[2] @ hidden, y)


PARAMS = [numbers(4, 3), numbers(4, seed=2), numbers(2, 4, seed=3)]
BATCH = numbers(5, 3, seed=4), pb.tensor([0, 1, 1, 0, 1])


def test_gradients_per_sample_are_those_of_a_loop() -> None:
    found = pb.vmap(pb.grad(per_sample), in_dims=(None, 0, 0))(PARAMS, *BATCH)
    rows = [pb.grad(per_sample)(PARAMS, x, y) for x, y in zip(*BATCH, strict=True)]
    for g, column in zip(found, zip(*rows, strict=True), strict=True):
        close(g, pb.stack(column))


MAPPED: dict[str, Callable[..., Any]] = {
    "gradients per sample": pb.vmap(pb.grad(per_sample), in_dims=(None, 0, 0)),
    "gradient of vmap": pb.grad(lambda p, x, y: pb.vmap(per_sample, (None, 0, 0))(p, x, y).sum()),
    "checkpointed": pb.vmap(lambda p, x, y: pb.checkpoint(per_sample, p, x, y), (None, 0, 0)),
    "nested": pb.vmap(lambda p, x, y: pb.vmap(lambda k: x * k)(x) + y, (None, 0, 0)),
}


@pytest.mark.parametrize("name", MAPPED)
def test_compiled_gives_the_same(name: str, backend: Backend) -> None:
    function = MAPPED[name]
    compiled = backend.compile(function)
    for scale in (1.0, 0.5):
        given = PARAMS, BATCH[0] * scale, BATCH[1]
        backend.assert_agrees(compiled(*given), function(*given))
    assert compiled.traces == 1


def test_compiled_functions_are_mapped(backend: Backend) -> None:
    compiled = backend.compile(per_sample)
    close(pb.vmap(compiled, (None, 0, 0))(PARAMS, *BATCH), pb.vmap(per_sample, (None, 0, 0))(PARAMS, *BATCH))


def test_parameters_that_the_function_reads_have_gradients() -> None:
    model, (x, _) = network(), BATCH
    close(pb.vmap(model)(x), model(x))
    pb.vmap(lambda x: (model(x) ** 2).sum())(x).sum().backward()
    found = [p.grad for p in model.parameters()]
    model.zero_grad()
    (model(x) ** 2).sum().backward()
    for g, p in zip(found, model.parameters(), strict=True):
        close(g, p.grad)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: (x * w).cumsum(0) / (1 + w.exp()),
        lambda x, w: pb.checkpoint(lambda x: (x @ w) ** 2, x),
        lambda x, w: pb.vmap(lambda a: a * w + x.sum())(x),
        lambda x, w: Doubled.apply(x, w),
        lambda x, w: pb.grad(lambda x: (x * w).exp().sum())(x),
        lambda x, w: pb.scan(lambda c, r: (c * r + w[0], c), w.sum(), x),
        lambda x, w: pb.scan(lambda c, r: (c * r + w, (c * w).sum()), x, x, reverse=True),
    ],
)
@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (1, 0)])
def test_differentiable(function: Callable[..., Any], in_dims: tuple[int | None, ...]) -> None:
    x, w = (numbers(3, *[3] * (d is not None), seed=i) for i, d in enumerate(in_dims))
    mapped = pb.vmap(function, in_dims)
    rows = [
        function(*[a if d is None else a.select(d, k) for a, d in zip((x, w), in_dims, strict=True)]) for k in range(3)
    ]
    for y, column in zip(tensors(mapped(x, w)), zip(*map(tensors, rows), strict=True), strict=True):
        close(y, pb.stack(column))
    assert pb.gradcheck(mapped_to_list(mapped), (x, w), eps=1e-4, rtol=1e-6, atol=1e-8, second_order=True)


def tensors(result: Any) -> list[pb.Tensor]:
    return [y for part in result for y in tensors(part)] if isinstance(result, tuple) else [result]


def mapped_to_list(mapped: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: tensors(mapped(*args))


class Doubled(pb.autograd.Function):
    """x · w with a gradient of its own, which looks at shapes."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        ctx.save_for_backward(*args)
        return args[0] * args[1]

    @staticmethod
    def backward(ctx: Any, *gs: Any) -> Any:
        x, w = ctx.saved_tensors
        assert gs[0].shape == x.shape == (3,)
        return gs[0] * w, gs[0] * x


def test_gradients_stop_where_they_do_in_a_loop() -> None:
    def f(x: pb.Tensor) -> pb.Tensor:
        with pb.no_grad():
            scale = x.sum()
        return x * scale * x.detach().exp()

    x = numbers(4, 3).requires_grad_()
    (mapped,) = pb.autograd.grad(pb.vmap(f)(x).sum(), x)
    (looped,) = pb.autograd.grad(pb.stack([f(row) for row in x]).sum(), x)
    close(mapped, looped)


def test_a_pullback_made_outside_is_mapped() -> None:
    def f(x: pb.Tensor) -> pb.Tensor:
        return (x.exp() * x.flip(0)).cumsum(0)

    def squares(x: pb.Tensor) -> pb.Tensor:
        return (pb.vmap(pb.vjp(f, x)[1])(pb.eye(3, dtype=pb.float64))[0] ** 2).sum()

    x = numbers(3)
    close(pb.vmap(pb.vjp(f, x)[1])(pb.eye(3, dtype=pb.float64))[0], pb.jacobian(f)(x))
    close(pb.grad(squares)(x), pb.grad(lambda x: (pb.jacobian(f)(x) ** 2).sum())(x))


def test_a_pullback_made_outside_compiles(backend: Backend) -> None:
    _, pull = pb.vjp(lambda x: x.exp() * x.flip(0), numbers(3))
    backend.assert_agrees(backend.compile(pull)(numbers(3, seed=2)), pull(numbers(3, seed=2)))


def test_a_weight_that_all_rows_share_is_one_product() -> None:
    w, x = numbers(4, 3), numbers(5, 3, seed=2)
    nodes = trace(lambda: pb.vmap(lambda x: w @ x)(x)).program.nodes
    assert [node.types[0].shape for node in nodes if node.op.name == "matmul"] == [(4, 5)]
    assert "broadcast" not in [node.op.name for node in nodes]


def test_random_numbers() -> None:
    def f(x: pb.Tensor) -> pb.Tensor:
        return x + pb.rand(3)

    x = pb.zeros(4, 3)
    with pytest.raises(ArgumentError, match=r"draws random numbers \(test_vmap.py:\d+\): pass randomness='different'"):
        pb.vmap(f)(x)
    pb.manual_seed(5)
    different = pb.vmap(f, randomness="different")(x)
    pb.manual_seed(5)
    assert different.tolist() == pb.rand(4, 3).tolist()
    same = pb.vmap(f, randomness="same")(x)
    assert len(set(map(tuple, same.tolist()))) == 1
    assert pb.vmap(f, randomness="same")(x).tolist() != same.tolist(), "each call draws anew"


def test_random_numbers_within_loops_and_checkpoints() -> None:
    def f(x: pb.Tensor) -> pb.Tensor:
        return pb.checkpoint(lambda: pb.rand(2)) + pb.scan(lambda c, x: (c, x + pb.rand(2)), x.sum(), x)[1].sum(0)

    x = pb.zeros(4, 3)
    with pytest.raises(ArgumentError, match="draws random numbers"):
        pb.vmap(f)(x)
    for randomness, count in (("different", 8), ("same", 2)):
        found = pb.vmap(f, randomness=randomness)(x)
        assert len(set(found.reshape(-1).tolist())) == count


def test_dropout_of_a_mapped_network_compiles(backend: Backend) -> None:
    f = pb.vmap(lambda x: pb.nn.functional.dropout(x, 0.5), randomness="different")
    compiled, x = backend.compile(f), pb.ones(4, 50)
    pb.manual_seed(7)
    first, second = compiled(x), compiled(x)
    pb.manual_seed(7)
    assert first.tolist() == f(x).tolist()
    assert first.tolist() != second.tolist()
    assert first[0].tolist() != first[1].tolist()


def test_an_index_outside_its_own_row_is_refused(backend: Backend) -> None:
    x, places = numbers(3, 4), pb.tensor([[0, 1], [2, 4], [0, 0]])
    mapped = pb.vmap(lambda x, i: x[i])
    with pytest.raises(IndexOutOfRange):
        mapped(x, places)
    with pytest.raises(IndexOutOfRange):
        backend.compile(mapped)(x, places)
    with pytest.raises(IndexOutOfRange, match="index 5 is out of range for dim 0 with size 4"):
        pb.vmap(lambda x: x[pb.tensor([5])])(x)
    assert mapped(x, places - 2)[1].tolist() == [x[1, 0].item(), x[1, 2].item()], "negative places count from the end"


def test_errors_say_what_was_wrong() -> None:
    x = numbers(2, 3)
    with pytest.raises(ShapeError, match="equally many rows; got 2, 3"):
        pb.vmap(lambda a, b: a)(x, x.T)
    with pytest.raises(DTypeError, match="maps tensors; got float with the dim 0: pass None for it in in_dims"):
        pb.vmap(lambda a: a)(2.0)
    with pytest.raises(ArgumentError, match="in_dims of vmap is a dim or None, or a tree of them like the arguments"):
        pb.vmap(lambda a: a, (0, 0))(x)
    with pytest.raises(ShapeError, match="the dim in in_dims 2 does not exist"):
        pb.vmap(lambda a: a, 2)(x)
    with pytest.raises(ShapeError, match="along dim 0, but it has no dims"):
        pb.vmap(lambda a: a)(x[0, 0])
    with pytest.raises(ArgumentError, match="none is mapped"):
        pb.vmap(lambda a: a, None)(x)
    with pytest.raises(ArgumentError, match="differs from row to row: give it a dim in out_dims"):
        pb.vmap(lambda a: a, out_dims=None)(x)
    with pytest.raises(DTypeError, match="gives tensors; got float: pass None in out_dims"):
        pb.vmap(lambda a: 2.0)(x)
    with pytest.raises(ArgumentError, match="randomness is 'error', 'different' or 'same'; got 'some'"):
        pb.vmap(lambda a: a, randomness="some")
    total = pb.zeros(3, dtype=pb.float64)
    with pytest.raises(TraceError, match=r"writes into a tensor from outside, float64\[3\].*return it instead"):
        pb.vmap(lambda a: total.add_(a))(x)
    w = numbers(3).requires_grad_()
    with pytest.raises(TraceError, match=r"must not set .grad: use pb.grad inside"):
        pb.vmap(lambda a: (a * w).sum().backward())(x)
    assert w.grad is None


def test_what_all_rows_share_may_be_written() -> None:
    count = pb.zeros(())
    pb.vmap(lambda x: x + count.add_(1.0))(numbers(3))
    assert count.item() == 1.0


def test_results_that_are_no_tensors_pass() -> None:
    assert pb.vmap(lambda x: (x, "text", 3), out_dims=(0, None, None))(numbers(2))[1:] == ("text", 3)


def test_name_and_docstring_stay() -> None:
    assert pb.vmap(per_sample).__name__ == "per_sample"
