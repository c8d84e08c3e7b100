"""Rows of parameters that are derived from others: their names, what they give, their gradients, how they go again."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.contracts.calls import spread
from tests.contracts.oracle import expect_error


@dataclass(frozen=True)
class ParametrizationRow:
    """A function of the library, named by what it shows."""

    function: Callable[[Any], Any]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def run(self, lib: Any) -> Any:
        """What the function gives."""
        return self.function(lib)


def filled(module: Any, lib: Any) -> Any:
    """The module in float64 with the same numbers in either library, its buffers too."""
    module.to(lib.float64)
    numbers = {
        name: spread(*x.shape, low=0.25, seed=zlib.crc32(name.encode()) % 997).tensor(lib).detach()
        for name, x in module.state_dict().items()
    }
    module.load_state_dict(numbers)
    return module


def course(module: Any, shape: tuple[int, ...], lib: Any) -> Any:
    """Two calls, the gradients of the second, and the state afterwards."""
    x = spread(*shape, seed=3).tensor(lib)
    first = module(x)
    second = module(x)
    (second * second).sum().backward()
    return {
        "repr": repr(module),
        "results": [first, second],
        "state": dict(module.state_dict()),
        "gradients": {name: p.grad for name, p in module.named_parameters()},
        "at the input": x.grad,
        "in evaluation": module.eval()(x),
        "weight": module.weight,
    }


def normed(lib: Any, layer: str, sizes: tuple[int, ...], norm: str, **options: Any) -> Any:
    """A layer with its weight normed, filled."""
    module = getattr(lib.nn, layer)(*sizes).to(lib.float64)
    return filled(getattr(lib.nn.utils.parametrizations, norm)(module, **options), lib)


def weight_norm_of_linear(lib: Any) -> Any:
    return course(normed(lib, "Linear", (3, 2), "weight_norm"), (4, 3), lib)


def weight_norm_along_another_dim(lib: Any) -> Any:
    return course(normed(lib, "Linear", (3, 2), "weight_norm", dim=1), (4, 3), lib)


def weight_norm_of_all(lib: Any) -> Any:
    return course(normed(lib, "Linear", (3, 2), "weight_norm", dim=None), (4, 3), lib)


def weight_norm_of_convolution(lib: Any) -> Any:
    return course(normed(lib, "Conv1d", (2, 3, 2), "weight_norm"), (1, 2, 4), lib)


def weight_norm_of_bias(lib: Any) -> Any:
    module = lib.nn.utils.parametrizations.weight_norm(lib.nn.Linear(3, 2), "bias")
    return course(filled(module, lib), (4, 3), lib)


def weight_norm_keeps_the_weight(lib: Any) -> Any:
    layer = filled(lib.nn.Linear(3, 2), lib)
    before = layer.weight.detach().clone()
    lib.nn.utils.parametrizations.weight_norm(layer)
    return {"weight": layer.weight, "before": before, "state": dict(layer.state_dict())}


def spectral_norm_of_linear(lib: Any) -> Any:
    return course(normed(lib, "Linear", (3, 2), "spectral_norm"), (4, 3), lib)


def spectral_norm_with_more_iterations(lib: Any) -> Any:
    return course(normed(lib, "Linear", (3, 2), "spectral_norm", n_power_iterations=3, dim=1), (4, 3), lib)


def spectral_norm_of_convolution(lib: Any) -> Any:
    return course(normed(lib, "Conv2d", (2, 3, (1, 2)), "spectral_norm"), (1, 2, 2, 3), lib)


def spectral_norm_of_transposed_convolution(lib: Any) -> Any:
    return course(normed(lib, "ConvTranspose1d", (2, 3, 2), "spectral_norm"), (1, 2, 3), lib)


def spectral_norm_of_bias(lib: Any) -> Any:
    module = lib.nn.utils.parametrizations.spectral_norm(lib.nn.Linear(3, 2), "bias")
    return course(filled(module, lib), (4, 3), lib)


def both_norms(lib: Any) -> Any:
    norms = lib.nn.utils.parametrizations
    return course(filled(norms.spectral_norm(norms.weight_norm(lib.nn.Linear(3, 2))), lib), (4, 3), lib)


def doubling(lib: Any) -> Any:
    """A parametrization without an inverse."""

    class Doubled(lib.nn.Module):
        def forward(self, x: Any) -> Any:
            return 2 * x

    return Doubled()


def halves(lib: Any) -> Any:
    """A parametrization by two tensors."""

    class Halves(lib.nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return a + 3 * b

        def right_inverse(self, x: Any) -> Any:
            return x / 2, x / 6

    return Halves()


def exponential(lib: Any) -> Any:
    """A parametrization with an inverse."""

    class Exponential(lib.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.exp()

        def right_inverse(self, x: Any) -> Any:
            return x.log()

    return Exponential()


def parametrizations_of_ones_own(lib: Any) -> Any:
    parametrize = lib.nn.utils.parametrize
    layer = filled(lib.nn.Linear(3, 2), lib)
    parametrize.register_parametrization(layer, "weight", halves(lib))
    parametrize.register_parametrization(layer, "weight", doubling(lib))
    parametrize.register_parametrization(layer, "bias", exponential(lib))
    held = layer.parametrizations
    return {
        "course": course(layer, (4, 3), lib),
        "is": [
            parametrize.is_parametrized(layer),
            parametrize.is_parametrized(layer, "weight"),
            parametrize.is_parametrized(layer, "other"),
            parametrize.is_parametrized(lib.nn.Linear(1, 1)),
        ],
        "names": [name for name, _ in layer.named_parameters()],
        "modules": [name for name, _ in layer.named_modules()],
        "before": parametrize.type_before_parametrizations(layer).__name__,
        "lists": [held.weight.is_tensor, len(held.weight), held["bias"].is_tensor, len(held.bias)],
    }


def assigning(lib: Any) -> Any:
    parametrize = lib.nn.utils.parametrize
    layer = filled(lib.nn.Linear(3, 2), lib)
    parametrize.register_parametrization(layer, "bias", exponential(lib))
    parametrize.register_parametrization(layer, "weight", halves(lib))
    layer.bias = lib.tensor([1.0, 2.0]).double()
    layer.weight = lib.ones(2, 3).double()
    return {"state": dict(layer.state_dict()), "bias": layer.bias, "weight": layer.weight}


def removing(lib: Any) -> Any:
    parametrize = lib.nn.utils.parametrize
    layer = filled(lib.nn.Linear(3, 2), lib)
    bias = layer.bias
    parametrize.register_parametrization(layer, "weight", halves(lib))
    parametrize.register_parametrization(layer, "bias", exponential(lib))
    parametrize.register_parametrization(layer, "bias", doubling(lib))
    parametrize.remove_parametrizations(layer, "weight")
    half_way = [repr(layer), list(layer.state_dict())]
    parametrize.remove_parametrizations(layer, "bias", leave_parametrized=False)
    return {
        "half way": half_way,
        "repr": repr(layer),
        "state": dict(layer.state_dict()),
        "trained": [p.requires_grad for p in layer.parameters()],
        "is": parametrize.is_parametrized(layer),
        "same": bias is layer.bias,
    }


def parametrized_buffers(lib: Any) -> Any:
    parametrize = lib.nn.utils.parametrize
    layer = filled(lib.nn.BatchNorm1d(3), lib).eval()
    parametrize.register_parametrization(layer, "running_var", exponential(lib))
    found = course_of_buffer(layer, lib)
    parametrize.remove_parametrizations(layer, "running_var")
    return [found, course_of_buffer(layer, lib)]


def course_of_buffer(layer: Any, lib: Any) -> Any:
    return [list(layer.state_dict()), [n for n, _ in layer.named_buffers()], layer(spread(4, 3).tensor(lib).detach())]


def refusals(lib: Any) -> Any:
    parametrize, norms = lib.nn.utils.parametrize, lib.nn.utils.parametrizations
    layer = parametrize.register_parametrization(lib.nn.Linear(3, 2), "weight", doubling(lib))

    def assign() -> None:
        layer.weight = lib.ones(2, 3)

    def changed(unsafe: bool) -> Any:
        return parametrize.register_parametrization(
            lib.nn.Linear(3, 2), "weight", lib.nn.Flatten(0), unsafe=unsafe
        ).weight

    return [
        expect_error(lambda: parametrize.register_parametrization(lib.nn.Linear(3, 2), "weights", doubling(lib))),
        expect_error(lambda: parametrize.register_parametrization(layer, "weight", halves(lib))),
        expect_error(lambda: parametrize.remove_parametrizations(layer, "bias")),
        expect_error(
            lambda: parametrize.remove_parametrizations(
                norms.weight_norm(lib.nn.Linear(3, 2)), "weight", leave_parametrized=False
            )
        ),
        expect_error(lambda: changed(unsafe=False)),
        expect_error(lambda: changed(unsafe=True)),
        expect_error(lambda: norms.spectral_norm(lib.nn.Linear(3, 2), n_power_iterations=0)),
        expect_error(lambda: norms.weight_norm(lib.nn.Linear(3, 2), "weights")),
        expect_error(assign),
    ]


ORACLE_ROWS = [
    ParametrizationRow(function)
    for function in (
        weight_norm_of_linear,
        weight_norm_along_another_dim,
        weight_norm_of_all,
        weight_norm_of_convolution,
        weight_norm_of_bias,
        weight_norm_keeps_the_weight,
        spectral_norm_of_linear,
        spectral_norm_with_more_iterations,
        spectral_norm_of_convolution,
        spectral_norm_of_transposed_convolution,
        spectral_norm_of_bias,
        both_norms,
        parametrizations_of_ones_own,
        assigning,
        removing,
        parametrized_buffers,
        refusals,
    )
]
