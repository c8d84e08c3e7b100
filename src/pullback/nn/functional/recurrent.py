"""One step of each recurrent layer, and a layer run over all steps of its sequences in one direction."""

from collections.abc import Callable
from dataclasses import dataclass

from pullback.grad.loops import scan
from pullback.nn.functional.products import linear
from pullback.tensor.creation import zeros
from pullback.tensor.linear import matmul
from pullback.tensor.pointwise import add, mul, relu, sigmoid, sub, tanh, where
from pullback.tensor.shaping import cat, chunk, narrow, permute
from pullback.tensor.tensor import Tensor

State = tuple[Tensor, ...]  # (h,), or (h, c) of an LSTM


@dataclass(frozen=True)
class Weights:
    """The parameters of one layer in one direction; w_hr is the projection of an LSTM."""

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None = None
    b_hh: Tensor | None = None
    w_hr: Tensor | None = None


Step = Callable[[Tensor, State, Weights], State]


@dataclass(frozen=True)
class Recurrence:
    """A kind of recurrent layer.

    gates: how many times hidden_size rows its weights have. states: how many tensors are carried on. The step takes
    the projected input (b, gates · hidden), the state and the weights. outer: how many gates b_hh can be added to
    before the loop.
    """

    gates: int
    states: int
    step: Step
    outer: int


def _from_state(h: Tensor, weights: Weights) -> Tensor:
    return matmul(h, permute(weights.w_hh, 1, 0))


def _tanh_step(x: Tensor, state: State, weights: Weights) -> State:
    """tanh(W_ih x + b_ih + W_hh h + b_hh)."""
    return (tanh(add(x, _from_state(state[0], weights))),)


def _relu_step(x: Tensor, state: State, weights: Weights) -> State:
    """relu(W_ih x + b_ih + W_hh h + b_hh)."""
    return (relu(add(x, _from_state(state[0], weights))),)


def _lstm_step(x: Tensor, state: State, weights: Weights) -> State:
    """c = f · c + i · g and h = o · tanh(c), with gates of the input and the last h; then the projection of h."""
    h, c = state
    i, f, g, o = chunk(add(x, _from_state(h, weights)), 4, -1)
    c = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)))
    h = mul(sigmoid(o), tanh(c))
    return (h if weights.w_hr is None else matmul(h, permute(weights.w_hr, 1, 0))), c


def _gru_step(x: Tensor, state: State, weights: Weights) -> State:
    """h = (1 − z) · n + z · h with n = tanh(W_in x + b_in + r · (W_hn h + b_hn))."""
    (h,) = state
    size = h.shape[-1]
    x_gates, x_new = narrow(x, -1, 0, 2 * size), narrow(x, -1, 2 * size, size)
    hidden = _from_state(h, weights)
    h_gates, h_new = narrow(hidden, -1, 0, 2 * size), narrow(hidden, -1, 2 * size, size)
    r, z = chunk(sigmoid(add(x_gates, h_gates)), 2, -1)
    if weights.b_hh is not None:
        h_new = add(h_new, narrow(weights.b_hh, -1, 2 * size, size))
    n = tanh(add(x_new, mul(r, h_new)))
    return (add(n, mul(z, sub(h, n))),)


RECURRENCES = {
    "RNN_TANH": Recurrence(gates=1, states=1, step=_tanh_step, outer=1),
    "RNN_RELU": Recurrence(gates=1, states=1, step=_relu_step, outer=1),
    "LSTM": Recurrence(gates=4, states=2, step=_lstm_step, outer=4),
    "GRU": Recurrence(gates=3, states=1, step=_gru_step, outer=2),
}


def project_input(kind: Recurrence, x: Tensor, weights: Weights) -> Tensor:
    """W_ih x, with as much of both biases as does not depend on the state: (..., gates · hidden)."""
    bias = weights.b_ih
    if bias is not None and weights.b_hh is not None:
        bias = add(bias, _outer_bias(kind, weights.b_hh))
    return linear(x, weights.w_ih, bias)


def _outer_bias(kind: Recurrence, bias: Tensor) -> Tensor:
    if kind.outer == kind.gates:
        return bias
    size = bias.shape[0] // kind.gates
    left = size * (kind.gates - kind.outer)
    return cat([narrow(bias, 0, 0, size * kind.outer), zeros(left, dtype=bias.dtype)])


def recurrent_step(kind: Recurrence, x: Tensor, state: State, weights: Weights) -> State:
    """The next state from an input (b, in) and a state."""
    return kind.step(project_input(kind, x, weights), state, weights)


def recurrent_layer(
    kind: Recurrence, x: Tensor, state: State, weights: Weights, mask: Tensor | None = None, reverse: bool = False
) -> tuple[Tensor, State]:
    """All results h (t, b, hidden) and the last state, from inputs (t, b, in) and a first state.

    All inputs are projected at once, before the loop. Where the mask (t, b, 1) is False the state stays as it was.
    With `reverse` the loop starts at the last step.
    """
    rows = project_input(kind, x, weights)

    def masked(state: State, row: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
        projected, goes_on = row
        fresh = kind.step(projected, state, weights)
        kept = tuple(where(goes_on, new, old) for new, old in zip(fresh, state, strict=True))
        return kept, kept[0]

    def unmasked(state: State, row: Tensor) -> tuple[State, Tensor]:
        fresh = kind.step(row, state, weights)
        return fresh, fresh[0]

    if mask is None:
        last, results = scan(unmasked, state, rows, reverse=reverse)
    else:
        last, results = scan(masked, state, (rows, mask), reverse=reverse)
    return results, last
