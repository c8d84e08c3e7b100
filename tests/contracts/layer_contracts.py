"""What every layer and every loss must keep, whatever it computes."""

from collections.abc import Callable
from typing import Any

import pullback as pb
from tests.contracts.backends import Backend
from tests.contracts.calls import cotangent, tensors_in
from tests.contracts.layer_row import LayerRow


def check_gradients(row: LayerRow) -> None:
    """Raises GradcheckError unless the derivatives at inputs and parameters are those of the values."""
    module, inputs = row.build(pb), row.tensors(pb)
    variables = [*inputs, *module.parameters()]  # gradcheck varies the parameters that the module itself holds

    def call(*args: Any) -> Any:
        return module(*args[: len(inputs)])

    pb.gradcheck(call, tuple(variables), eps=1e-4, atol=1e-7, rtol=1e-6, second_order=row.twice)


def results_and_gradients(row: LayerRow, wrap: Callable[[Any], Any]) -> list[Any]:
    """What the row's module gives and all gradients, by a function that was wrapped."""
    module, inputs = row.build(pb), row.tensors(pb)
    shaped = [y for y in tensors_in(module(*inputs)) if y.requires_grad]
    gs = [cotangent(y.shape, i, y, pb) for i, y in enumerate(shaped)]

    def step(*args: Any) -> list[Any]:
        ys = tensors_in(module(*args))
        variables = [x for x in (*args, *module.parameters()) if x.requires_grad]
        if not gs or not variables:
            return ys
        return [*ys, *pb.autograd.grad([y for y in ys if y.requires_grad], variables, gs, allow_unused=True)]

    pb.manual_seed(7)
    return list(wrap(step)(*inputs))


def check_compiled_agrees_with_eager(row: LayerRow, backend: Backend) -> None:
    """Fails unless the compiled module gives what the module itself gives."""
    eager = results_and_gradients(row, lambda step: step)
    scale = max(getattr(row, "scale", 0.0), 1.0)  # inputs are about as large, and results may be what is left of them
    backend.assert_agrees(results_and_gradients(row, backend.compile), eager, scale=scale)
