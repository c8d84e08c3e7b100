"""The checker catches wrong gradients of every kind, passes right ones, and says where and what."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import pullback as pb
from pullback import ops
from pullback.autograd import GradcheckError
from pullback.base.errors import ArgumentError, DTypeError
from pullback.ir.node import OPS, Value
from tests.contracts.calls import spread

Rule = Callable[..., Any]


def matrix(*shape: int, low: float = -2.0, seed: int = 1) -> pb.Tensor:
    """Float64 numbers."""
    return spread(*shape, low=low, seed=seed).tensor(pb).detach()


@dataclass(frozen=True)
class Fault:
    """A wrong rule: put in the place of one input's gradient of an op, it must be caught by checking `function`.

    second: the first derivative stays right, the second does not.
    """

    what: str
    op: str
    place: int
    rule: Rule
    function: Callable[..., Any]
    inputs: tuple[pb.Tensor, ...]
    second: bool = False


X, Y = matrix(2, 3), matrix(2, 3, seed=2)
SQUARE, POSITIVE = matrix(3, 3, seed=3), matrix(2, 3, low=0.5)
LIMIT = float(POSITIVE.min()) + 0.01  # one element lies below


def short(g: Value, start: tuple[int, ...], stop: tuple[int, ...], x: Value) -> Value:
    """g put back one place too early along the last axis."""
    low = (*start[:-1], max(start[-1] - 1, 0))
    high = tuple(n - a - m for n, a, m in zip(x.shape, low, g.shape, strict=True))
    return ops.pad(g, low=low, high=high, inner=(0,) * len(low), value=0)


def scattered(g: Value, y: Value, x: Value, index: Value, axis: int) -> Value:
    """g written, not added, at the places it was read from."""
    return ops.scatter(ops.zeros_like(x), index, g, axis=axis)


def first_of(g: Value, y: Value, x: Value, shape: tuple[int, ...]) -> Value:
    """The first of the repeats instead of their sum."""
    extra = len(g.shape) - len(x.shape)
    stop = (*(1,) * extra, *x.shape)
    return ops.reshape(ops.slice_(g, start=(0,) * len(g.shape), stop=stop, step=(1,) * len(stop)), shape=x.shape)


def to_first_tie(g: Value, y: Value, x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """All of g to each of the largest, where they should share it."""
    whole = ops.broadcast(ops.reshape(y, shape=(*y.shape, 1)), shape=x.shape)
    back = ops.broadcast(ops.reshape(g, shape=(*g.shape, 1)), shape=x.shape)
    return back * ops.cast(ops.eq(x, whole), dtype=pb.float64)


def along_other_axis(g: Value, y: Value, x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The gradient of a sum over axis 0 laid out as if it had been over axis 1."""
    return ops.broadcast(ops.reshape(g, shape=(3, 1)), shape=(3, 3))


FAULTS = [
    Fault("wrong sign", "sub", 1, lambda g, z, x, y: g, pb.sub, (X, Y)),
    Fault("missing factor 2", "mul", 0, lambda g, z, x, y: g * y * 0.5, lambda x: (x * x).sum(), (X,)),
    Fault("missing factor 1/n", "div", 0, lambda g, z, x, y: g, lambda x: x.mean(), (X,)),
    Fault("forgotten sum over a broadcast", "broadcast", 0, first_of, lambda x, y: x * y, (X, Y[0])),
    Fault("transposed matrix product", "matmul", 0, lambda g, z, x, y: ops.matmul(g, y), pb.matmul, (X, SQUARE)),
    Fault(
        "wrong mask",
        "where",
        1,
        lambda g, z, c, x, y: ops.where(c, ops.zeros_like(g), g),
        lambda x: pb.where(x > 0, x, 0.0),
        (X,),
    ),
    Fault("gradient not shared at ties", "amax", 0, to_first_tie, lambda x: x[:, [0, 0, 1, 1, 2, 2]].amax(1), (X,)),
    Fault(
        "swapped inputs", "pow", 0, lambda g, z, x, y: g * x * ops.pow_(y, x - 1.0), pb.pow, (POSITIVE, POSITIVE + 1)
    ),
    Fault("detached path", "exp", 0, lambda g, y, x: ops.zeros_like(x), lambda x: x.exp() + x, (X,)),
    Fault("no gradient at all", "sin", 0, None, lambda x: x.sin() * x, (X,)),
    Fault(
        "slice off by one",
        "slice",
        0,
        lambda g, y, x, start, stop, step: short(g, start, stop, x),
        lambda x: x[:, 1:],
        (X,),
    ),
    Fault("wrong axis", "sum", 0, along_other_axis, lambda x: x.sum(0) * Y[0], (SQUARE,)),
    Fault("scatter instead of scatter-add", "gather", 0, scattered, lambda x: x[[0, 0, 1]], (X,)),
    Fault("constant off by a thousandth", "tanh", 0, lambda g, y, x: g * (1.002 - y * y), pb.tanh, (X,)),
    Fault("input in place of output", "sigmoid", 0, lambda g, y, x: g * x * (1.0 - x), pb.sigmoid, (X,)),
    Fault("derivative of another function", "cos", 0, lambda g, y, x: g * ops.sin(x), pb.cos, (X,)),
    Fault(
        "one element wrong",
        "log",
        0,
        lambda g, y, x: g / ops.maximum(x, ops.filled_like(x, LIMIT)),
        pb.log,
        (POSITIVE,),
    ),
    Fault(
        "running sum not reversed",
        "cumsum",
        0,
        lambda g, y, x, axis: ops.cumsum(g, axis=axis),
        lambda x: x.cumsum(1),
        (X,),
    ),
    Fault(
        "reversed axes not put back",
        "permute",
        0,
        lambda g, y, x, axes: ops.reshape(g, shape=x.shape),
        lambda x: x.T * Y.T,
        (X,),
    ),
    Fault(
        "second derivative detached", "sin", 0, lambda g, y, x: g * ops.detach(ops.cos(x)), pb.sin, (X,), second=True
    ),
    Fault(
        "second derivative of a product detached",
        "mul",
        0,
        lambda g, z, x, y: g * ops.detach(y),
        lambda x, y: x * y,
        (X, Y),
        second=True,
    ),
    Fault(
        "second derivative without its part in g",
        "exp",
        0,
        lambda g, y, x: ops.detach(g) * y,
        pb.exp,
        (X,),
        second=True,
    ),
]


@pytest.fixture
def planted(request: pytest.FixtureRequest) -> Any:
    """A fault planted in the registry, taken out again after the test."""
    fault: Fault = request.param
    op = OPS[fault.op]
    before = op.gradient
    assert isinstance(before, tuple)
    rules = (*before[: fault.place], fault.rule, *before[fault.place + 1 :])
    object.__setattr__(op, "gradient", rules)
    yield fault
    object.__setattr__(op, "gradient", before)


EACH_FAULT = pytest.mark.parametrize("planted", FAULTS, ids=lambda fault: fault.what, indirect=True)
EACH_RIGHT = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)


@EACH_FAULT
def test_catches_the_fault(planted: Fault) -> None:
    check = pb.gradgradcheck if planted.second else pb.gradcheck
    if planted.second:
        assert pb.gradcheck(planted.function, planted.inputs, rtol=1e-6, atol=1e-8), "only the second order is wrong"
    with pytest.raises(GradcheckError, match="is wrong at element"):
        check(planted.function, planted.inputs)
    assert not check(planted.function, planted.inputs, raise_exception=False)


@EACH_FAULT
def test_blames_the_op(planted: Fault) -> None:
    with pytest.raises(GradcheckError, match=rf"Wrong by itself: .*\b{planted.op} \(test_gradcheck.py:\d+\)"):
        pb.gradcheck(planted.function, planted.inputs, second_order=True)


@EACH_RIGHT
def test_passes_the_right_rule(fault: Fault) -> None:
    assert pb.gradcheck(fault.function, fault.inputs, eps=1e-4, rtol=1e-6, atol=1e-8, second_order=True)


def square_without_its_two(x: pb.Tensor) -> pb.Tensor:
    """x² with a gradient of x."""

    class HalfSquare(pb.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: pb.Tensor) -> pb.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: pb.Tensor) -> pb.Tensor:
            (x,) = ctx.saved_tensors
            return g * x

    return HalfSquare.apply(x)


def report(function: Callable[..., Any], inputs: Any, **options: Any) -> str:
    """The message of the error."""
    with pytest.raises(GradcheckError) as caught:
        pb.gradcheck(function, inputs, **options)
    return str(caught.value)


def test_report_names_input_element_and_both_numbers() -> None:
    x = pb.tensor([1.0, 3.0, -2.0], dtype=pb.float64)
    text = report(lambda a, tree: a.sum() + square_without_its_two(tree["w"][1]).sum(), (x, {"w": [2, x * 1]}))
    assert "the gradient at input 1.w.1 is wrong at element (1,)" in text
    assert "first derivative" in text
    backward, numeric = (float(part) for part in re.findall(r"(?:gives?|give) (-?[\d.]+)", text))
    assert numeric == pytest.approx(2 * backward, rel=1e-8)
    assert "(3 of 3 elements are wrong, this one the most)" in text
    assert "HalfSquare" in text


def test_finds_one_wrong_element_among_many() -> None:
    x = spread(30, 50, low=1.0).tensor(pb).detach()
    mask = pb.zeros(30, 50, dtype=pb.float64)
    mask[17, 31] = 1.0
    text = report(lambda x: x * (1 - mask) + x.detach() * mask, x)
    assert "element (17, 31)" in text
    assert pb.gradcheck(lambda x: x.exp() * (1 - mask), x)


def test_says_where_there_is_a_kink() -> None:
    text = report(pb.relu, pb.tensor([1.0, 0.0], dtype=pb.float64))
    assert "element (1,)" in text
    assert "kink or a jump" in text
    assert "kink" not in report(square_without_its_two, pb.tensor([1.5], dtype=pb.float64))


def test_varies_what_requires_gradients_else_all() -> None:
    x = pb.tensor([1.0, 2.0], dtype=pb.float64)
    w = pb.tensor([3.0, 4.0], dtype=pb.float64, requires_grad=True)

    def wrong_in_x(x: pb.Tensor, w: pb.Tensor) -> pb.Tensor:
        return x.detach() * x * w

    assert pb.gradcheck(wrong_in_x, (x, w))
    assert "input 0" in report(wrong_in_x, (x, w.detach()))


def test_reaches_tensors_that_the_function_reads_besides() -> None:
    w = pb.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=pb.float64, requires_grad=True)
    x = pb.tensor([0.3, 0.7], dtype=pb.float64)
    assert pb.gradcheck(lambda weight: pb.tanh(x @ w), (w,), second_order=True)
    assert "input 0" in report(lambda weight: x @ (w * w.detach()), (w,))


def test_leaves_everything_as_it_was() -> None:
    x = pb.tensor([1.0, 2.0], dtype=pb.float64)
    w = pb.tensor([3.0, 4.0], dtype=pb.float64, requires_grad=True)
    y = w * 2
    values = [x.value, w.value, y.value]
    pb.gradcheck(lambda x, w, y: x * w * y, (x, w, y), second_order=True)
    assert report(lambda x, w: square_without_its_two(w) * x, (x, w))
    assert [x.value, w.value, y.value] == values
    assert w.grad is None
    assert not x.requires_grad


@pytest.mark.parametrize("dtype", [pb.float32, pb.float16, pb.bfloat16])
def test_refuses_coarse_inputs(dtype: Any) -> None:
    with pytest.raises(DTypeError, match=rf"gradcheck needs float64.*input 0\.w is {dtype.name}\[2\].*x\.double\(\)"):
        pb.gradcheck(lambda t: t["w"].exp(), ({"w": pb.ones(2, dtype=dtype)},))


def test_refuses_coarse_outputs() -> None:
    with pytest.raises(DTypeError, match="float64 from end to end; the function gave float32"):
        pb.gradcheck(lambda x: x.float(), pb.ones(2, dtype=pb.float64))


def test_refuses_what_has_nothing_to_check() -> None:
    with pytest.raises(ArgumentError, match="at least one tensor of floats among its inputs"):
        pb.gradcheck(lambda n: n, (3, pb.tensor([1])))
    with pytest.raises(ArgumentError, match="gives at least one tensor of floats"):
        pb.gradcheck(lambda x: x > 0, pb.ones(2, dtype=pb.float64))
    with pytest.raises(ArgumentError, match="eps > 0 and samples"):
        pb.gradcheck(pb.sin, pb.ones(2, dtype=pb.float64), samples=0)


def test_refuses_a_function_that_gives_other_numbers_each_time() -> None:
    text = report(lambda x: x * pb.rand(2, dtype=pb.float64), pb.ones(2, dtype=pb.float64))
    assert "other numbers when it is called again" in text


def test_refuses_nan() -> None:
    text = report(pb.log, pb.tensor([-1.0], dtype=pb.float64))
    assert "nan" in text


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3)])
def test_takes_every_shape(shape: tuple[int, ...]) -> None:
    x = spread(*shape, low=0.5).tensor(pb).detach()
    assert pb.gradcheck(lambda x: [x.log(), x * 2, x > 0], x, second_order=True)


def test_checks_functions_of_several_outputs_and_plain_arguments() -> None:
    x, y = (spread(2, 2, seed=i).tensor(pb).detach() for i in (1, 2))
    assert pb.gradcheck(lambda a, n, b: {"p": a @ b, "q": (a**n, b)}, (x, 3, y), second_order=True)


def test_checks_a_compiled_function() -> None:
    x = spread(2, 2).tensor(pb).detach()
    assert pb.gradcheck(pb.compile(lambda x: (x @ x).tanh()), x, second_order=True)
