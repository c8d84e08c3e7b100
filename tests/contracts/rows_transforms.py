"""Rows for functions of functions, beside torch.func: on trees, nested, with several arguments and extra results."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ORACLE_ROWS: list["Script"] = []


@dataclass(frozen=True)
class Script:
    """A function of the library."""

    name: str
    function: Callable[[Any], Any]

    def run(self, lib: Any) -> Any:
        """What the function gives."""
        return self.function(lib)


def script(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make the function a row."""
    ORACLE_ROWS.append(Script(function.__name__, function))
    return function


class Transforms:
    """The transforms of a library under one set of names."""

    def __init__(self, lib: Any) -> None:
        home = lib if lib.__name__ == "pullback" else lib.func
        self.grad, self.vjp, self.jvp = home.grad, home.vjp, home.jvp
        self.jacobian = home.jacobian if lib.__name__ == "pullback" else home.jacrev
        self.hessian, self.vmap, self.lib = home.hessian, home.vmap, lib

    def value_and_grad(self, function: Any, argnums: Any = 0, has_aux: bool = False) -> Any:
        """torch.func calls it grad_and_value and gives the gradient first."""
        if self.lib.__name__ == "pullback":
            return self.lib.value_and_grad(function, argnums, has_aux)
        swapped = self.lib.func.grad_and_value(function, argnums, has_aux)
        return lambda *args: swapped(*args)[::-1]

    def hvp(self, function: Any, primals: Any, tangents: Any) -> Any:
        """torch.func composes it of jvp and grad."""
        if self.lib.__name__ == "pullback":
            return self.lib.hvp(function, primals, tangents)
        return self.lib.func.jvp(self.lib.func.grad(function, tuple(range(len(primals)))), primals, tangents)


def vector(lib: Any, *numbers: float) -> Any:
    """Float64 numbers."""
    return lib.tensor(list(numbers), dtype=lib.float64)


def matrix(lib: Any) -> Any:
    """Three rows of two."""
    return lib.tensor([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]], dtype=lib.float64)


@script
def grad_of_a_vector(lib: Any) -> Any:
    t = Transforms(lib)
    return t.grad(lambda x: (x.sin() * x).sum())(vector(lib, 1.0, 2.0))


@script
def grad_twice_and_three_times(lib: Any) -> Any:
    t = Transforms(lib)
    x = lib.tensor(0.5, dtype=lib.float64)
    f = lambda x: x.exp() * x**3  # noqa: E731
    return t.grad(f)(x), t.grad(t.grad(f))(x), t.grad(t.grad(t.grad(f)))(x)


@script
def grad_of_trees(lib: Any) -> Any:
    t = Transforms(lib)
    params = {"w": matrix(lib), "b": [vector(lib, 0.5, 1.0, 2.0), (vector(lib, 3.0),)]}
    return t.grad(lambda p, x: ((p["w"] @ x + p["b"][0]) ** 2).sum() * p["b"][1][0][0])(params, vector(lib, 1.0, -1.0))


@script
def argnums(lib: Any) -> Any:
    t = Transforms(lib)
    f = lambda a, b, c: (a * b**2 * c.exp()).sum()  # noqa: E731
    args = vector(lib, 1.0, 2.0), vector(lib, 3.0, 4.0), vector(lib, 0.1, 0.2)
    return t.grad(f, 1)(*args), t.grad(f, (0, 2))(*args), t.grad(f, -1)(*args), t.grad(f, (1,))(*args)


@script
def has_aux(lib: Any) -> Any:
    t = Transforms(lib)
    f = lambda x: ((x * x).sum(), {"doubled": x * 2})  # noqa: E731
    x = vector(lib, 1.0, 2.0)
    gradient, aux = t.grad(f, has_aux=True)(x)
    (value, more), again = t.value_and_grad(f, has_aux=True)(x)
    return gradient, aux["doubled"], value, more["doubled"], again


@script
def value_and_grad(lib: Any) -> Any:
    t = Transforms(lib)
    value, gradient = t.value_and_grad(lambda x, y: (x * y).sum(), argnums=(0, 1))(
        vector(lib, 1.0, 2.0), vector(lib, 3.0, 4.0)
    )
    return value, gradient, value.requires_grad, gradient[0].requires_grad


@script
def vjp(lib: Any) -> Any:
    t = Transforms(lib)
    value, pull = t.vjp(lambda x, w: (w @ x).tanh(), vector(lib, 1.0, -1.0), matrix(lib))
    return value, pull(vector(lib, 1.0, 0.5, 0.0)), pull(vector(lib, 0.0, 0.0, 1.0))


@script
def vjp_of_trees(lib: Any) -> Any:
    t = Transforms(lib)
    value, pull = t.vjp(
        lambda p: {"s": p["a"] * p["b"], "e": p["a"].exp()}, {"a": vector(lib, 1.0), "b": vector(lib, 2.0)}
    )
    return value, pull({"s": vector(lib, 3.0), "e": vector(lib, 0.5)})


@script
def jvp(lib: Any) -> Any:
    t = Transforms(lib)
    return t.jvp(
        lambda x, w: (w @ x).tanh(), (vector(lib, 1.0, -1.0), matrix(lib)), (vector(lib, 0.5, 1.0), matrix(lib) * 2)
    )


@script
def jvp_of_what_does_not_depend(lib: Any) -> Any:
    t = Transforms(lib)
    return t.jvp(lambda x: (x * 2, x.detach() * 3), (vector(lib, 1.0, 2.0),), (vector(lib, 1.0, 1.0),))


@script
def jacobian(lib: Any) -> Any:
    t = Transforms(lib)
    w = matrix(lib)
    return t.jacobian(lambda x: (w @ x).exp())(vector(lib, 0.5, 0.25)), t.jacobian(lambda m: m @ vector(lib, 1.0, 2.0))(
        w
    )


@script
def jacobian_of_trees(lib: Any) -> Any:
    t = Transforms(lib)
    f = lambda p: {"a": p["x"] * p["y"], "b": p["x"].sum()}  # noqa: E731
    return t.jacobian(f)({"x": vector(lib, 1.0, 2.0), "y": vector(lib, 3.0, 4.0)})


@script
def jacobian_argnums(lib: Any) -> Any:
    t = Transforms(lib)
    return t.jacobian(lambda x, y: x * y, argnums=(0, 1))(vector(lib, 1.0, 2.0), vector(lib, 3.0, 4.0))


@script
def hessian(lib: Any) -> Any:
    t = Transforms(lib)
    return t.hessian(lambda x: x[0] ** 3 * x[1].exp() + x[1] * x[0])(vector(lib, 1.5, 0.5))


@script
def hessian_of_two(lib: Any) -> Any:
    t = Transforms(lib)
    f = lambda a, b: (a**2 * b).sum()  # noqa: E731
    return t.hessian(f, argnums=(0, 1))(vector(lib, 1.0, 2.0), vector(lib, 3.0, 4.0))


@script
def hessian_vector_product(lib: Any) -> Any:
    t = Transforms(lib)
    f = lambda x, y: (x**3 * y).sum() + (y.exp() * x).sum()  # noqa: E731
    primals = vector(lib, 1.0, 2.0), vector(lib, 0.5, 0.25)
    return t.hvp(f, primals, (vector(lib, 1.0, 0.0), vector(lib, 0.5, 2.0)))


@script
def grad_through_grad_with_closures(lib: Any) -> Any:
    t = Transforms(lib)
    y = lib.tensor(3.0, dtype=lib.float64)
    return t.grad(lambda x: x * t.grad(lambda y: x * y**2)(y))(lib.tensor(2.0, dtype=lib.float64))


@script
def perturbations_are_not_confused(lib: Any) -> Any:
    t = Transforms(lib)
    one = lib.tensor(1.0, dtype=lib.float64)
    return t.grad(lambda x: x * t.grad(lambda y: x + y)(one))(one)


@script
def jvp_of_grad_and_grad_of_jvp(lib: Any) -> Any:
    t = Transforms(lib)
    f = lambda x: (x.sin() * x).sum()  # noqa: E731
    x, v = vector(lib, 1.0, 2.0), vector(lib, 0.5, -1.0)
    return t.jvp(t.grad(f), (x,), (v,)), t.grad(lambda x: t.jvp(f, (x,), (v,))[1])(x)


@script
def vjp_inside_grad(lib: Any) -> Any:
    t = Transforms(lib)

    def f(x: Any) -> Any:
        value, pull = t.vjp(lambda y: y * x.exp(), x * 2)
        (g,) = pull(value)
        return g.sum()

    return t.grad(f)(vector(lib, 0.5, 1.0))


@script
def jacobian_of_jacobian(lib: Any) -> Any:
    t = Transforms(lib)
    return t.jacobian(t.jacobian(lambda x: x**3))(vector(lib, 1.0, 2.0))


@script
def keyword_arguments(lib: Any) -> Any:
    t = Transforms(lib)
    return t.grad(lambda x, power=1: (x**power).sum())(vector(lib, 1.0, 2.0), power=3)


@script
def unused_argument(lib: Any) -> Any:
    t = Transforms(lib)
    return t.grad(lambda x, y: (y * 2).sum())(vector(lib, 1.0, 2.0), vector(lib, 3.0)), t.jacobian(
        lambda x: x.detach()
    )(vector(lib, 1.0))


@script
def the_argument_itself(lib: Any) -> Any:
    t = Transforms(lib)
    x = vector(lib, 1.0, 2.0)
    return t.vjp(lambda x: x, x)[1](vector(lib, 3.0, 4.0)), t.jacobian(lambda x: x)(x)


def cube(lib: Any) -> Any:
    """Two matrices of three rows of two."""
    return lib.stack([matrix(lib), matrix(lib).exp()])


@script
def vmap_along_dims(lib: Any) -> Any:
    t = Transforms(lib)
    f = lambda x: x.cumsum(0) * x.sum()  # noqa: E731
    m = matrix(lib)
    return [t.vmap(f, i, o)(m) for i in (0, 1, -1, -2) for o in (0, 1, -1)]


@script
def vmap_of_several_arguments(lib: Any) -> Any:
    t = Transforms(lib)
    m, v = matrix(lib), vector(lib, 1.0, -2.0)
    f = lambda x, y: x * y + y.sum()  # noqa: E731
    return (
        t.vmap(f)(m, m * 2),
        t.vmap(f, (0, None))(m, v),
        t.vmap(f, (None, 0))(v, m),
        t.vmap(f, (0, 1))(m, m.T),
        t.vmap(lambda x, y: x * y, (0, None))(m, 2.5),
    )


@script
def vmap_of_trees(lib: Any) -> Any:
    t = Transforms(lib)
    p = {"w": cube(lib), "b": [vector(lib, 1.0, 2.0), (matrix(lib),)]}
    f = lambda p, s: {"y": p["w"] @ p["b"][1][0].T + p["b"][0], "z": (p["b"][0] * s, p["w"].sum())}  # noqa: E731
    dims = {"w": 0, "b": [0, (None,)]}
    s = lib.tensor(3.0, dtype=lib.float64)
    return (
        t.vmap(lambda p: p["w"] * p["b"][0])({"w": matrix(lib).T, "b": [vector(lib, 1.0, 2.0)]}),
        t.vmap(f, (dims, None), {"y": 1, "z": (0, 0)})({**p, "w": cube(lib)[:, :1]}, s),
        t.vmap(f, (dims, None))({**p, "w": cube(lib)[:, :1]}, s),
    )


@script
def vmap_with_what_stays_the_same(lib: Any) -> Any:
    t = Transforms(lib)
    m, w = matrix(lib), vector(lib, 0.5, 2.0)
    return (
        t.vmap(lambda x: x * w)(m),
        t.vmap(lambda x: w * 2)(m),
        t.vmap(lambda x: (x, w * 2), out_dims=(0, None))(m),
        t.vmap(lambda x, scale: x * scale)(m, scale=w),
        t.vmap(lambda x: lib.zeros(2, dtype=lib.float64) + x)(m),
        t.vmap(lambda x: lib.arange(3))(m),
        t.vmap(lambda x: x)(m[:0]),
    )


@script
def vmap_nested(lib: Any) -> Any:
    t = Transforms(lib)
    m, v = matrix(lib), vector(lib, 1.0, 2.0, 3.0, 4.0)
    f = lambda a, b: a * b + a.sin()  # noqa: E731
    return (
        t.vmap(t.vmap(f, (None, 0)), (0, None))(m[:, 0], v),
        t.vmap(t.vmap(f, (None, 0), 0), (0, None), 1)(m[:, 0], v),
        t.vmap(t.vmap(t.vmap(lambda x: x**2)))(cube(lib)),
        t.vmap(lambda x: t.vmap(lambda y: x @ y)(m))(m),
        t.vmap(lambda r: t.vmap(lambda i: r[i])(lib.tensor([1, 0, 1])))(m),
    )


@script
def vmap_of_products(lib: Any) -> Any:
    t = Transforms(lib)
    m, c, v = matrix(lib), cube(lib), vector(lib, 1.0, -1.0)
    return (
        t.vmap(lambda x: m @ x)(m),
        t.vmap(lambda x: x @ m.T)(m),
        t.vmap(lambda x: x @ m.T)(c),
        t.vmap(lambda x: m @ x.T, 0, 1)(c),
        t.vmap(lambda x, y: x @ y.T)(c, c * 2),
        t.vmap(lambda x: c @ x)(m),
        t.vmap(lambda x: x @ v)(c),
        t.vmap(lambda x: lib.einsum("ij,kj->ik", x, m))(c),
    )


@script
def vmap_by_index(lib: Any) -> Any:
    t = Transforms(lib)
    m, i = matrix(lib), lib.tensor([[1, 0], [1, 1], [0, 1]])
    return (
        t.vmap(lambda x, j: x.gather(0, j))(m, i),
        t.vmap(lambda x, j: lib.index_select(x, 0, j))(m, i),
        t.vmap(lambda j: lib.index_select(m, 1, j))(i),
        t.vmap(lambda x: x[lib.tensor([0, 1, 1])])(m),
        t.vmap(lambda x, j: x.scatter_add(0, j, x))(m, i),
        t.vmap(lambda x, j: lib.zeros(2, dtype=lib.float64).scatter(0, j, x))(m, lib.tensor([[1, 0], [0, 1], [1, 0]])),
        t.vmap(lambda j: lib.nn.functional.embedding(j, m))(i),
        t.vmap(lambda x: x.sort(descending=True))(m),
        t.vmap(lambda x: x.topk(1))(m),
        t.vmap(lambda x: x.max(0))(m),
        t.vmap(lambda x: x.flip(0))(m),
        t.vmap(lambda x: lib.where(x > 0, x, -x.sum()))(m),
    )


def network(lib: Any) -> Any:
    """Parameters of a network 2-4-3."""
    numbers = lib.arange(8.0).to(lib.float64)
    return {
        "w": (numbers.reshape(4, 2) / 5).sin(),
        "b": numbers[:4].cos(),
        "v": (lib.arange(12.0).to(lib.float64).reshape(3, 4) / 3).sin(),
    }


def loss_of(lib: Any, p: Any, x: Any, y: Any) -> Any:
    """Its cross-entropy for one sample."""
    scores = p["v"] @ (p["w"] @ x + p["b"]).tanh()
    return lib.nn.functional.cross_entropy(scores, y)


@script
def gradients_per_sample(lib: Any) -> Any:
    t = Transforms(lib)
    p, x, y = network(lib), matrix(lib), lib.tensor([2, 0, 1])
    f = functools.partial(loss_of, lib)
    return t.vmap(t.grad(f), (None, 0, 0))(p, x, y), t.vmap(t.value_and_grad(f), (None, 0, 0))(p, x, y)


@script
def grad_of_vmap(lib: Any) -> Any:
    t = Transforms(lib)
    p, x, y = network(lib), matrix(lib), lib.tensor([2, 0, 1])
    f = functools.partial(loss_of, lib)
    losses = lambda p, x: t.vmap(f, (None, 0, 0))(p, x, y).sum()  # noqa: E731
    squares = lambda p: sum((g**2).sum() for g in t.vmap(t.grad(f), (None, 0, 0))(p, x, y).values())  # noqa: E731
    return t.grad(losses)(p, x), t.grad(losses, 1)(p, x), t.grad(squares)(p)


@script
def vmap_of_other_transforms(lib: Any) -> Any:
    t = Transforms(lib)
    m = matrix(lib)
    f = lambda x: (x.exp() * x.flip(0)).cumsum(0)  # noqa: E731
    return (
        t.vmap(t.jacobian(f))(m),
        t.vmap(t.hessian(lambda x: f(x).sum()))(m),
        t.vmap(lambda x: t.jvp(f, (x,), (x * 2,)))(m),
        t.vmap(lambda x: t.vjp(f, x)[1](x))(m),
        t.vmap(t.vjp(f, m[0])[1])(m),
        t.jacobian(t.vmap(f))(m),
        t.jvp(t.vmap(f), (m,), (m,)),
    )


@script
def vmap_of_layers(lib: Any) -> Any:
    t = Transforms(lib)
    x = (lib.arange(48.0).to(lib.float64).reshape(2, 2, 3, 4) / 7).sin()
    f, w = lib.nn.functional, (lib.arange(24.0).to(lib.float64).reshape(3, 2, 2, 2) / 5).cos()
    return (
        t.vmap(lambda x: f.conv2d(x, w))(x),
        t.vmap(lambda x, w: f.conv2d(x, w), (0, None))(x, w),
        t.vmap(lambda w: f.conv1d(x[0, :, 0], w.reshape(2, 2, 1)))(w[:, :, 0]),
        t.vmap(lambda x: f.layer_norm(x, (4,)))(x),
        t.vmap(lambda x: f.softmax(x, -1))(x),
        t.vmap(lambda x: f.scaled_dot_product_attention(x, x, x))(x),
    )


@script
def vmap_writes_into_its_argument(lib: Any) -> Any:
    t = Transforms(lib)
    m = matrix(lib)

    def f(x: Any) -> Any:
        x.add_(1.0)
        return x * 2

    return t.vmap(f)(m), m


@script
def vmap_refuses(lib: Any) -> Any:
    t = Transforms(lib)
    m = matrix(lib)
    tries = [
        lambda: t.vmap(lambda: m)(),
        lambda: t.vmap(lambda x: x, None)(m),
        lambda: t.vmap(lambda x: x, (None,))(m),
        lambda: t.vmap(lambda x: x)(2.0),
        lambda: t.vmap(lambda x, y: x)(m, m.T),
        lambda: t.vmap(lambda x: x, (0, 0))(m),
        lambda: t.vmap(lambda x: x, [0])(m),
        lambda: t.vmap(lambda x: x, 2)(m),
        lambda: t.vmap(lambda x: x, -3)(m),
        lambda: t.vmap(lambda x: x, 0, 2)(m),
        lambda: t.vmap(lambda x: x, 0, None)(m),
        lambda: t.vmap(lambda x: (x, x), 0, (0, 1, 1))(m),
        lambda: t.vmap(lambda x: 3.0)(m),
        lambda: t.vmap(lambda x: x)(m[0, 0]),
        lambda: t.vmap(lambda x: x if x.sum() > 0 else -x)(m),
        lambda: t.vmap(lambda x: x.sum().item())(m),
        lambda: t.vmap(lambda x: m[0].add_(x))(m),
        lambda: t.vmap(lambda x: x + lib.rand(2))(m),
        lambda: t.vmap(lambda x: x, randomness="some")(m),
    ]
    return [is_refused(attempt) for attempt in tries]


@script
def refuses(lib: Any) -> Any:
    t = Transforms(lib)
    x = vector(lib, 1.0, 2.0)
    tries = [
        lambda: t.grad(lambda x: x * 2)(x),
        lambda: t.grad(lambda x: 3.0)(x),
        lambda: t.grad(lambda x: x.sum())(lib.tensor([1, 2])),
        lambda: t.grad(lambda x: x.sum(), 1)(x),
        lambda: t.grad(lambda x: x.sum())(2.0),
        lambda: t.jvp(lambda x: x, (x,), (vector(lib, 1.0),)),
        lambda: t.vjp(lambda x: x, x)[1](vector(lib, 1.0)),
    ]
    return [is_refused(attempt) for attempt in tries]


def is_refused(function: Callable[[], Any]) -> bool:
    """Whether the function raises."""
    try:
        function()
    except (RuntimeError, ValueError, TypeError, IndexError):
        return True
    return False
