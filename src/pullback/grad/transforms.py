"""Functions of functions: grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp. They take trees of tensors."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pullback.base.dtypes import int64
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.base.shapes import size_of
from pullback.base.trees import Structure, flatten, unflatten
from pullback.grad.backward import enable_grad
from pullback.grad.reverse import nodes_behind, reverse
from pullback.ir.node import Value
from pullback.ops import detach, full, ones_like, reshape, scatter, zeros_like
from pullback.tensor.shaping import stack
from pullback.tensor.tensor import Tensor

Function = Callable[..., Any]


def _independent(x: Any, argument: int) -> Tensor:
    """A tensor with the same numbers whose gradient can be asked for; still differentiable with regard to x."""
    if not isinstance(x, Tensor) or not x.dtype.is_floating_point:
        what = f"a tensor of {x.dtype.name}" if isinstance(x, Tensor) else type(x).__name__
        raise DTypeError(f"argument {argument} is differentiated, so its leaves must be tensors of floats; got {what}")
    return Tensor(_fork(x.value))


def _fork(value: Value) -> Value:
    if value.requires_grad:
        return reshape(value, shape=value.shape)  # a node of its own, so that other uses of x do not count
    twin = Value(value.type, value.data) if value.data is not None else detach(value)
    twin.requires_grad = True
    return twin


class _Point:
    """The arguments of a function with some of them made independent variables."""

    def __init__(self, argnums: int | Sequence[int], args: tuple[Any, ...]) -> None:
        self.single = isinstance(argnums, int)
        self.argnums = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        if any(not -len(args) <= i < len(args) for i in self.argnums):
            raise ArgumentError(f"argnums {argnums} must name arguments; the function was called with {len(args)}")
        self.args = list(args)
        self.structures: list[Structure] = []
        self.values: list[Value] = []
        for i in self.argnums:
            leaves, structure = flatten(args[i])
            variables = [_independent(x, i) for x in leaves]
            self.args[i] = unflatten(structure, variables)
            self.structures.append(structure)
            self.values += [x.value for x in variables]

    def pack(self, items: Sequence[Any]) -> Any:
        """One item per variable in the structure of the arguments."""
        remaining = iter(items)
        trees = [unflatten(s, [next(remaining) for _ in range(s.leaves)]) for s in self.structures]
        return trees[0] if self.single else tuple(trees)


def _pull(outputs: Sequence[Value], gs: Sequence[Value], wanted: Sequence[Value]) -> list[Tensor]:
    with enable_grad():
        found = reverse(outputs, gs, wanted)
    return [Tensor(found[x] if x in found else zeros_like(x)) for x in wanted]


def _finished(tensors: Sequence[Tensor], own: Sequence[Value]) -> list[Tensor]:
    """The results without their past, but for those that depend on more than the transform's own variables."""
    variables = set(own)
    return [x if nodes_behind([x.value])[1] - variables else x.detach() for x in tensors]


def _scalar(y: Any) -> Tensor:
    if not isinstance(y, Tensor) or size_of(y.shape) != 1:
        got = f"shape {y.shape}" if isinstance(y, Tensor) else type(y).__name__
        raise ShapeError(
            f"grad differentiates functions that give one number; this one gave {got}: use jacobian or vjp"
        )
    return y


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that gives `function`'s value and its gradient with regard to the arguments that argnums names.

    The arguments may be trees (lists, tuples, dicts) of tensors; the gradient has their structure. With has_aux the
    function gives (value, anything else), and so does the result: ((value, aux), gradient).

    Raises ShapeError when the value is not one number, DTypeError when a variable is no tensor of floats.

    >>> import pullback as pb
    >>> value, slope = pb.value_and_grad(lambda x: (x ** 3).sum())(pb.tensor([2.0]))
    >>> value, slope
    (tensor(8.), tensor([12.]))

    Source: jax.value_and_grad.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        point = _Point(argnums, args)
        with enable_grad():
            result = function(*point.args, **kwargs)
        y, aux = result if has_aux else (result, None)
        gradients = _pull([_scalar(y).value], [ones_like(y.value)], point.values)
        (value,) = _finished([y], point.values)
        return ((value, aux) if has_aux else value), point.pack(_finished(gradients, point.values))

    return wrapped


def grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that gives the gradient of `function` with regard to the arguments that argnums names.

    >>> import pullback as pb
    >>> pb.grad(pb.grad(lambda x: x ** 3))(pb.tensor(2.0))
    tensor(12.)

    Source: jax.grad.
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def _outputs(result: Any) -> tuple[list[Tensor], Structure]:
    leaves, structure = flatten(result)
    if not all(isinstance(y, Tensor) for y in leaves):
        raise DTypeError("the function must give tensors, or lists, tuples and dicts of them")
    return leaves, structure


def vjp(function: Function, *args: Any) -> tuple[Any, Function]:
    """The function's value, and its pullback: from a gradient at the value to the gradients at the arguments.

    >>> import pullback as pb
    >>> y, pull = pb.vjp(lambda a, b: a * b, pb.tensor(2.0), pb.tensor(5.0))
    >>> pull(pb.tensor(1.0))
    (tensor(5.), tensor(2.))

    Source: jax.vjp.
    """
    point = _Point(range(len(args)), args)
    with enable_grad():
        ys, structure = _outputs(function(*point.args))
    values = [y.value for y in ys]  # with their past, wherever the pullback is called

    def pull(g: Any) -> Any:
        gs, given = flatten(g)
        if given != structure or any(a.shape != y.shape for a, y in zip(gs, ys, strict=True)):
            raise ShapeError("the gradient at the value must have the value's structure and shapes")
        gradients = _pull(values, [a.value for a in gs], point.values)
        return point.pack(_finished(gradients, point.values))

    return unflatten(structure, _finished(ys, point.values)), pull


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The function's value, and how it changes along the tangents: Jacobian times vector.

    Found as the gradient of the pullback, which is linear in g, so that no op needs a second rule.

    Raises ShapeError when a tangent does not have the shape of its primal.

    >>> import pullback as pb
    >>> pb.jvp(pb.sin, (pb.tensor(0.0),), (pb.tensor(2.0),))
    (tensor(0.), tensor(2.))

    Source: jax.jvp.
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise ArgumentError(f"{name} is a tuple with one entry for each argument; got a {type(given).__name__}")
    point = _Point(range(len(primals)), tuple(primals))
    vs = flatten(tuple(tangents))[0]
    if [v.shape for v in vs] != [x.shape for x in point.values]:
        raise ShapeError("each tangent must have the shape of its primal")
    with enable_grad():
        ys, structure = _outputs(function(*point.args))
        gs = [Tensor(_fork(zeros_like(y.value))) for y in ys]
        pulled = _pull([y.value for y in ys], [g.value for g in gs], point.values)
        changes = _pull([p.value for p in pulled], [v.value for v in vs], [g.value for g in gs])
    own = [*point.values, *(g.value for g in gs)]
    return unflatten(structure, _finished(ys, own)), unflatten(structure, _finished(changes, own))


def hvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The gradient of a function that gives one number, and its Hessian times a vector.

    Source: jax.jvp of jax.grad.
    """
    return jvp(grad(function, tuple(range(len(primals)))), primals, tangents)


def _basis_row(y: Value, place: int) -> Value:
    size = y.type.size
    flat = full(value=0, shape=(size,), dtype=y.dtype)
    index = full(value=place, shape=(1,), dtype=int64)
    return reshape(scatter(flat, index, full(value=1, shape=(1,), dtype=y.dtype), axis=0), shape=y.shape)


def jacobian(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that gives ∂y/∂x for every element of the value and of the argument, shaped (*y.shape, *x.shape).

    One pass backward for each element of the value.

    >>> import pullback as pb
    >>> pb.jacobian(lambda x: x * x)(pb.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])

    Source: jax.jacrev.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        point = _Point(argnums, args)
        with enable_grad():
            ys, structure = _outputs(function(*point.args, **kwargs))
        trees = [point.pack(_finished(_rows(y, point.values), point.values)) for y in ys]
        return unflatten(structure, trees)

    return wrapped


def _rows(y: Tensor, variables: Sequence[Value]) -> list[Tensor]:
    count = size_of(y.shape)
    rows = [_pull([y.value], [_basis_row(y.value, i)], variables) for i in range(count)]
    columns = [[row[k] for row in rows] for k in range(len(variables))]
    return [
        stack(column).reshape(*y.shape, *x.shape)
        if column
        else Tensor(full(value=0, shape=(*y.shape, *x.shape), dtype=x.dtype))
        for column, x in zip(columns, variables, strict=True)
    ]


def hessian(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that gives every second derivative of `function`, whose value must be one number.

    >>> import pullback as pb
    >>> pb.hessian(lambda x: (x ** 3).sum())(pb.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])

    Source: jax.hessian.
    """
    return jacobian(grad(function, argnums), argnums)
