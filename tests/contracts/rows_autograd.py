"""Rows for the habits of back-propagation: small scripts that run with either library."""

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


def leaf(lib: Any, *numbers: float) -> Any:
    """A float64 vector that requires a gradient."""
    return lib.tensor(list(numbers), dtype=lib.float64, requires_grad=True)


def refused(function: Callable[[], Any]) -> bool:
    """Whether the function raises."""
    try:
        function()
    except (RuntimeError, ValueError, TypeError, IndexError):
        return True
    return False


@script
def diamond(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    a, b = x.exp(), x.sin()
    c = a * b
    (c + a * c + b).sum().backward()
    return x.grad


@script
def same_input_twice(lib: Any) -> Any:
    x = leaf(lib, 3.0, -1.0)
    (x * x + lib.maximum(x, x) - x / x).sum().backward()
    return x.grad


@script
def gradients_add_up(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    (x * 2).sum().backward()
    first = x.grad.clone()
    (x * x).sum().backward()
    return first, x.grad


@script
def the_gradient_keeps_its_box(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    (x * 2).sum().backward()
    held = x.grad
    (x * x).sum().backward()
    return held, held is x.grad


@script
def grad_set_to_none_and_zero(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    x.sum().backward()
    x.grad = None
    (x * 3).sum().backward()
    before = x.grad.clone()
    x.grad.zero_()
    zero = x.grad.clone()
    (x * 5).sum().backward()
    return before, zero, x.grad


@script
def grad_may_be_set_only_to_its_like(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    x.grad = lib.ones(2, dtype=lib.float64)
    (x * 5).sum().backward()

    def assign(g: Any) -> None:
        x.grad = g

    bad = [lib.ones(3, dtype=lib.float64), lib.ones(2), 3.0]
    return x.grad, [refused(lambda g=g: assign(g)) for g in bad]


@script
def unused_leaf_has_no_gradient(lib: Any) -> Any:
    x, y = leaf(lib, 1.0), leaf(lib, 2.0)
    (x * 2).sum().backward()
    return x.grad, y.grad is None


@script
def unused_output(lib: Any) -> Any:
    x = leaf(lib, 3.0, 1.0, 2.0)
    values, _ = x.sort()
    largest, _ = x.max(0)
    values[1:].sum().backward()
    return x.grad, largest


@script
def gradient_argument(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0, 3.0)
    y = x * x
    y.backward(lib.tensor([1.0, 0.5, 0.0], dtype=lib.float64))
    shapes = [refused(lambda: (x * x).backward()), refused(lambda: (x * x).backward(lib.ones(2, dtype=lib.float64)))]
    return x.grad, shapes


@script
def one_element_needs_no_gradient_argument(lib: Any) -> Any:
    x = leaf(lib, 2.0)
    (x * x).backward()
    (x[None] * 3).backward()
    return x.grad


@script
def second_backward_is_refused(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    return refused(y.backward), x.grad


@script
def shared_part_is_released_too(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    shared = x.exp()
    a, b = (shared * 2).sum(), (shared * 3).sum()
    a.backward()
    return refused(b.backward)


@script
def retain_graph(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    return x.grad, refused(y.backward)


@script
def nothing_requires_a_gradient(lib: Any) -> Any:
    x = lib.tensor([1.0, 2.0], dtype=lib.float64)
    y = leaf(lib, 1.0).detach() * 2
    with lib.no_grad():
        z = leaf(lib, 1.0) * 2
    return [refused(lambda v=v: v.sum().backward()) for v in (x, y, z)], z.requires_grad


@script
def backward_from_a_leaf(lib: Any) -> Any:
    x = leaf(lib, 4.0)
    x.backward()
    return x.grad


@script
def inputs_of_backward(lib: Any) -> Any:
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    (x * y).sum().backward(inputs=[x])
    return x.grad, y.grad is None


@script
def inputs_of_backward_may_be_results(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    h = x * 3
    h.retain_grad()
    (h * h).sum().backward(inputs=[h])
    return h.grad, x.grad is None


@script
def retain_grad(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    h = x * x
    h.retain_grad()
    h.exp().sum().backward()
    return h.grad, x.grad


@script
def second_order(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    (g,) = lib.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad((g * g).sum(), x)
    return g, h, g.requires_grad


@script
def third_order(lib: Any) -> Any:
    x = leaf(lib, 0.5, 2.0)
    y = (x.sin() * x.exp()).sum()
    found = []
    for _ in range(3):
        (g,) = lib.autograd.grad(y, x, create_graph=True)
        found.append(g)
        y = g.sum()
    return found


@script
def create_graph_into_grad(lib: Any) -> Any:
    x = leaf(lib, 1.5)
    (x**4).sum().backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.backward()
    return g, x.grad


@script
def gradient_penalty(lib: Any) -> Any:
    w, x = leaf(lib, 0.5, -1.0), leaf(lib, 1.0, 2.0)
    (g,) = lib.autograd.grad(lib.tanh(w * x).sum(), x, create_graph=True)
    loss = ((g.norm() - 1) ** 2) + (w * x).sum()
    loss.backward()
    return w.grad, x.grad


@script
def grad_of_several_outputs(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    a, b = x * x, x.exp()
    one = lib.ones(2, dtype=lib.float64)
    return lib.autograd.grad([a, b], [x], [one, one * 2])


@script
def grad_of_unused_inputs(lib: Any) -> Any:
    x, y = leaf(lib, 1.0), leaf(lib, 2.0)
    strict = refused(lambda: lib.autograd.grad((x * 2).sum(), [x, y]))
    found = lib.autograd.grad((x * 2).sum(), [x, y], allow_unused=True)
    return strict, found[0], found[1] is None


@script
def grad_leaves_dot_grad_alone(lib: Any) -> Any:
    x = leaf(lib, 1.0)
    lib.autograd.grad((x * 2).sum(), x)
    return x.grad is None


@script
def grad_at_a_result(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    h = x * x
    return lib.autograd.grad(h.exp().sum(), [h, x])


@script
def hooks(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    seen = []
    h = x * 3
    h.register_hook(lambda g: seen.append(g.clone()))
    h.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    (h * h).sum().backward()
    return seen, x.grad


@script
def hook_sees_the_sum(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.clone()))
    (x * 2 + x * 3 + x.exp()).sum().backward()
    return seen, len(seen)


@script
def hook_removed(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    handle = x.register_hook(lambda g: g * 100)
    handle.remove()
    x.sum().backward()
    return x.grad


@script
def no_grad_and_enable_grad(lib: Any) -> Any:
    x = leaf(lib, 1.0)
    with lib.no_grad():
        a = x * 2
        with lib.enable_grad():
            b = x * 2
    with lib.set_grad_enabled(False):
        c = x * 2
    return a.requires_grad, b.requires_grad, c.requires_grad, lib.is_grad_enabled()


@script
def no_grad_as_decorator(lib: Any) -> Any:
    x = leaf(lib, 1.0)

    @lib.no_grad()
    def plain(v: Any) -> Any:
        return v * 2

    return plain(x).requires_grad, (x * 2).requires_grad


@script
def no_grad_ends_with_an_error(lib: Any) -> Any:
    def fail() -> None:
        with lib.no_grad():
            raise ValueError("stop")

    return refused(fail), lib.is_grad_enabled()


@script
def inference_mode(lib: Any) -> Any:
    x = leaf(lib, 1.0)
    with lib.inference_mode():
        y = x * 2
    return y.requires_grad


@script
def set_grad_enabled_at_once(lib: Any) -> Any:
    x = leaf(lib, 1.0)
    lib.set_grad_enabled(False)
    off = (x * 2).requires_grad
    lib.set_grad_enabled(True)
    return off, (x * 2).requires_grad


@script
def detach_stops(lib: Any) -> Any:
    x = leaf(lib, 2.0)
    (x * x.detach()).sum().backward()
    return x.grad


@script
def frozen_leaf(lib: Any) -> Any:
    w, b = leaf(lib, 2.0), leaf(lib, 1.0)
    w.requires_grad_(False)
    (w * 3 + b).sum().backward()
    w.requires_grad = True
    (w * 3 + b).sum().backward()
    return w.grad, b.grad


@script
def requires_grad_of_results(lib: Any) -> Any:
    x = leaf(lib, 2.0)
    y = x * 2
    integers = lib.tensor([1, 2])

    def switch_off() -> None:
        y.requires_grad = False

    return [
        refused(switch_off),
        refused(lambda: integers.requires_grad_()),
        (x > 1).requires_grad,
        y.long().requires_grad,
    ]


@script
def writing_to_a_leaf_is_refused(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)

    def write() -> None:
        x[0] = 5.0

    return [refused(lambda: x.add_(1)), refused(write), refused(lambda: x.zero_())]


@script
def step_of_gradient_descent(lib: Any) -> Any:
    w = leaf(lib, 1.0, -2.0)
    for _ in range(3):
        loss = ((w - 3) ** 2).mean()
        loss.backward()
        with lib.no_grad():
            w -= 0.1 * w.grad
            w.grad.zero_()
    return w, w.is_leaf, w.requires_grad


@script
def written_through_data(lib: Any) -> Any:
    w = leaf(lib, 1.0, 2.0)
    (w * w).sum().backward()
    w.data.add_(w.grad, alpha=-0.5)
    w.data[0] = 7.0
    w.data = w.data * 2
    return w, w.is_leaf, w.requires_grad


@script
def in_place_on_a_result(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    y = x * 3
    y.mul_(x)
    y += 1
    (y * y).sum().backward()
    return x.grad


@script
def in_place_takes_up_the_gradient(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    total = lib.zeros(2, dtype=lib.float64)
    for i in range(3):
        total += x * i
    total.sum().backward()
    return x.grad, total.requires_grad, total.is_leaf


@script
def gradient_through_casts(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    (x.float() * 3).sum().backward()
    h = lib.ones(2, dtype=lib.float16, requires_grad=True)
    (h.float().exp() * h).sum().backward()
    return x.grad, h.grad


@script
def gradient_argument_of_another_dtype(lib: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    (x * 3).backward(lib.tensor([1.0, 2.0]))
    return x.grad


@script
def loss_of_float32_parameters_in_float64(lib: Any) -> Any:
    w = lib.tensor([1.0, 2.0], requires_grad=True)
    (w.double() * lib.tensor([0.5, 0.25], dtype=lib.float64)).sum().backward()
    return w.grad


@script
def gradient_of_zero_elements(lib: Any) -> Any:
    x = lib.zeros(0, 3, dtype=lib.float64, requires_grad=True)
    (x * 2).sum().backward()
    return x.grad


@script
def is_leaf_and_grad_fn(lib: Any) -> Any:
    x = leaf(lib, 1.0)
    plain = lib.ones(2)
    made = [x, x * 2, x.detach(), plain, plain * 2, x.clone(), x.data]
    return [y.is_leaf for y in made], [y.grad_fn is None for y in made], [y.requires_grad for y in made]


@script
def grad_does_not_require_grad(lib: Any) -> Any:
    x = leaf(lib, 1.0)
    (x * x).sum().backward()
    return x.grad.requires_grad, x.grad.is_leaf


@script
def branch_on_values(lib: Any) -> Any:
    x = leaf(lib, 1.0, -2.0)
    y = x * 2 if x.sum() > 0 else x * 5
    y.sum().backward()
    return x.grad


@script
def loop_over_rows(lib: Any) -> Any:
    x = lib.arange(6, dtype=lib.float64).reshape(3, 2).requires_grad_()
    state = lib.zeros(2, dtype=lib.float64)
    for row in x:
        state = lib.tanh(state + row)
    state.sum().backward()
    return x.grad


@script
def custom_function(lib: Any) -> Any:
    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, scale: float) -> Any:
            ctx.save_for_backward(x)
            ctx.scale = scale
            return x**3 * scale

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 3 * x**2 * ctx.scale, None

    x = leaf(lib, 1.0, 2.0)
    (g,) = lib.autograd.grad(Cube.apply(x, 2.0).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x)
    return g, h


@script
def custom_function_of_several(lib: Any) -> Any:
    class Both(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            return x * y, x + y

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            x, y = ctx.saved_tensors
            gx = a * y + b if ctx.needs_input_grad[0] else None
            gy = a * x + b if ctx.needs_input_grad[1] else None
            return gx, gy

    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    product, _ = Both.apply(x, y)
    product.sum().backward()
    _, total = Both.apply(x, y.detach())
    total.sum().backward()
    return x.grad, y.grad


@script
def custom_function_saves_its_output(lib: Any) -> Any:
    class Exp(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (y,) = ctx.saved_tensors
            return g * y

    x = leaf(lib, 0.5)
    y = Exp.apply(x)
    for _ in range(3):
        (y,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    return y


@script
def straight_through(lib: Any) -> Any:
    class Round(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.round()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    x = leaf(lib, 0.4, 1.6)
    y = Round.apply(x * 2)
    (y * y).sum().backward()
    return x.grad, y.requires_grad, Round.apply(x.detach()).requires_grad
