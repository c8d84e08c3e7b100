"""Recurrent layers: one step as a cell, and stacks of layers that run through whole sequences."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, suggest
from pullback.base.shapes import Shape
from pullback.nn.functional.checks import check_tensor
from pullback.nn.functional.dropping import check_probability
from pullback.nn.functional.recurrent import RECURRENCES, State, Weights, recurrent_layer, recurrent_step
from pullback.nn.module import Module
from pullback.nn.packing import PackedSequence
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty, zeros
from pullback.tensor.shaping import cat, select, squeeze, stack, transpose, unsqueeze
from pullback.tensor.tensor import Tensor


def _check_positive(name: str, **sizes: int) -> None:
    for role, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ArgumentError(f"{name} needs an integer of 1 or more as {role}; got {size!r}")


def _mode_of(nonlinearity: str) -> str:
    known = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}
    if nonlinearity not in known:
        hint = suggest(str(nonlinearity), known)
        raise ArgumentError(f"nonlinearity is 'tanh' or 'relu'; got {nonlinearity!r}.{hint}")
    return known[nonlinearity]


def _given_state(name: str, hx: Any, count: int) -> State:
    """The state as a tuple: hx itself, or the h and c of an LSTM."""
    given = hx if count > 1 else (hx,)
    if not isinstance(given, (tuple, list)) or len(given) != count:
        raise ArgumentError(f"{name} takes its state as a pair (h, c); got {type(hx).__name__}")
    for h in given:
        check_tensor(name, "state", h)
    return tuple(given)


def _check_state(name: str, state: State, shapes: list[Shape], like: Tensor) -> None:
    for role, x, shape in zip(("h", "c"), state, shapes, strict=False):
        if x.shape != shape:
            raise ShapeError(f"{name} on this input takes a state {role} of shape {shape}; got {x.shape}")
        if x.dtype is not like.dtype:
            raise DTypeError(
                f"{name} takes a state of the input's dtype, {like.dtype.name}; got {x.dtype.name}: "
                "write state.to(input.dtype)"
            )


class _Drawn(Module):
    """A layer whose parameters all start uniform in ±1/√hidden_size."""

    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)


class _Cell(_Drawn):
    """One step of a recurrent layer."""

    __constants__: Sequence[str] = ("input_size", "hidden_size", "bias")
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, bias: bool, device: Any = None, dtype: Any = None
    ) -> None:
        _check_positive(type(self).__name__, hidden_size=hidden_size)
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self._mode = mode
        rows = RECURRENCES[mode].gates * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, dtype=dtype, device=device))
        self.weight_hh = Parameter(empty(rows, hidden_size, dtype=dtype, device=device))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def _next(self, input: Tensor, hx: Any) -> State:
        """The next state."""
        name, kind = type(self).__name__, RECURRENCES[self._mode]
        check_tensor(name, "input", input)
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            size = self.input_size
            raise ShapeError(f"this {name} takes inputs (b, {size}) or ({size},); got {input.shape}")
        shape = (*input.shape[:-1], self.hidden_size)
        start = (zeros(*shape, dtype=input.dtype),) * kind.states
        state = start if hx is None else _given_state(name, hx, kind.states)
        _check_state(name, state, [shape] * kind.states, input)
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return recurrent_step(kind, input, state, weights)

    def extra_repr(self) -> str:
        """Sizes, and the options that differ from the usual."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is True else f", bias={self.bias}")


class RNNCell(_Cell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu instead of tanh.

    x is (b, input_size), h and h' are (b, hidden_size), all perhaps without b; without h it is 0. The parameters are
    weight_ih (hidden_size, input_size), weight_hh (hidden_size, hidden_size), bias_ih and bias_hh (hidden_size,), and
    start uniform in ±1/√hidden_size.

    Raises ArgumentError for another nonlinearity, ShapeError and DTypeError in the call.

    >>> import pullback as pb
    >>> cell = pb.nn.RNNCell(3, 5)
    >>> h = cell(pb.zeros(2, 3))
    >>> cell(pb.ones(2, 3), h).shape
    (2, 5)

    Source: torch.nn.RNNCell; Elman 1990.
    """

    __constants__ = ("input_size", "hidden_size", "bias", "nonlinearity")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(_mode_of(nonlinearity), input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """h' from an input and h."""
        return self._next(input, hx)[0]

    def extra_repr(self) -> str:
        """Sizes, and the options that differ from the usual."""
        usual = self.nonlinearity == "tanh"
        return super().extra_repr() + ("" if usual else f", nonlinearity={self.nonlinearity}")


class LSTMCell(_Cell):
    """c' = f · c + i · g and h' = o · tanh(c'), with i, f, o = σ(W x + b + U h + b'), g = tanh(likewise).

    x is (b, input_size); h, c, h' and c' are (b, hidden_size), all perhaps without b; without a state both are 0. The
    rows of weight_ih (4 hidden_size, input_size), weight_hh (4 hidden_size, hidden_size), bias_ih and bias_hh
    (4 hidden_size,) belong to i, f, g and o in this order; all start uniform in ±1/√hidden_size.

    Raises ShapeError and DTypeError in the call.

    >>> import pullback as pb
    >>> cell = pb.nn.LSTMCell(3, 5)
    >>> h, c = cell(pb.zeros(2, 3))
    >>> h, c = cell(pb.ones(2, 3), (h, c))
    >>> h.shape
    (2, 5)

    Source: torch.nn.LSTMCell; Hochreiter and Schmidhuber 1997; Gers et al. 2000.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("LSTM", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """h' and c' from an input and (h, c)."""
        h, c = self._next(input, hx)
        return h, c


class GRUCell(_Cell):
    """h' = (1 − z) · n + z · h, with r, z = σ(W x + b + U h + b') and n = tanh(W x + b + r · (U h + b')).

    x is (b, input_size), h and h' are (b, hidden_size), all perhaps without b; without h it is 0. The rows of weight_ih
    (3 hidden_size, input_size), weight_hh (3 hidden_size, hidden_size), bias_ih and bias_hh (3 hidden_size,) belong to
    r, z and n in this order; all start uniform in ±1/√hidden_size.

    Raises ShapeError and DTypeError in the call.

    >>> import pullback as pb
    >>> pb.nn.GRUCell(3, 5)(pb.ones(2, 3), pb.zeros(2, 5)).shape
    (2, 5)

    Source: torch.nn.GRUCell; Cho et al. 2014.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("GRU", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """h' from an input and h."""
        return self._next(input, hx)[0]


class _Recurrent(_Drawn):
    """A stack of recurrent layers, each in one direction or both, run through whole sequences."""

    __constants__ = (
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional",
        "proj_size",
    )  # fmt: skip

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        _check_positive(type(self).__name__, hidden_size=hidden_size, num_layers=num_layers)
        check_probability(dropout)
        if not 0 <= proj_size < hidden_size:
            raise ArgumentError(f"proj_size is from 0 to below hidden_size={hidden_size}; got {proj_size}")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} drops between layers, of which there is one here: num_layers=1", stacklevel=3
            )
        super().__init__()
        self.mode = mode
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        for shapes in self._layers():
            for name, shape in shapes.items():
                self.register_parameter(name, Parameter(empty(*shape, dtype=dtype, device=device)))
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _result_size(self) -> int:
        """The size of h."""
        return self.proj_size or self.hidden_size

    def _layers(self) -> list[dict[str, Shape]]:
        """The names and shapes of the parameters of each layer and direction."""
        rows, out = RECURRENCES[self.mode].gates * self.hidden_size, self._result_size
        found = []
        for layer in range(self.num_layers):
            size = self.input_size if layer == 0 else out * self._directions
            shapes: dict[str, Shape] = {"weight_ih": (rows, size), "weight_hh": (rows, out)}
            if self.bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if self.proj_size:
                shapes |= {"weight_hr": (out, self.hidden_size)}
            for suffix in ("", "_reverse")[: self._directions]:
                found.append({f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()})
        return found

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in shapes] for shapes in self._layers()]

    def flatten_parameters(self) -> None:
        """Do nothing: PyTorch's layers move their weights together in a GPU's memory here.

        Source: torch.nn.RNNBase.flatten_parameters.
        """

    def _weights(self, layer: int, direction: int) -> Weights:
        suffix = f"_l{layer}" + ("_reverse" if direction else "")
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        present = (True, True, self.bias, self.bias, self.proj_size > 0)
        parts: list[Any] = [
            getattr(self, n + suffix) if there else None for n, there in zip(names, present, strict=True)
        ]
        return Weights(*parts)

    def _run(self, input: Any, hx: Any) -> tuple[Any, State]:
        """The results of all steps as they are wanted, and the last state."""
        packed = input if isinstance(input, PackedSequence) else None
        x = self._check_input(input if packed is None else packed.padded, packed is not None)
        alone = x.ndim == 2
        swapped = self.batch_first and packed is None and not alone
        x = unsqueeze(x, 1) if alone else transpose(x, 0, 1) if swapped else x  # (t, b, in)
        state = self._start(hx, x, alone)
        results, last = self._through_layers(x, state, None if packed is None else unsqueeze(packed.mask(), -1))
        if alone:
            return squeeze(results, 1), tuple(squeeze(h, 1) for h in last)
        if packed is not None:
            return packed.with_padded(results), last
        return (transpose(results, 0, 1) if swapped else results), last

    def _check_input(self, x: Tensor, is_packed: bool) -> Tensor:
        name = type(self).__name__
        check_tensor(name, "input", x)
        order = "b, t" if self.batch_first and not is_packed else "t, b"
        if x.ndim not in ((3,) if is_packed else (2, 3)) or x.shape[-1] != self.input_size or 0 in x.shape[:-1]:
            raise ShapeError(
                f"this {name} takes inputs ({order}, {self.input_size}), or (t, {self.input_size}) without b, of one "
                f"step and one sequence or more; got {x.shape}"
            )
        return x

    def _start(self, hx: Any, x: Tensor, alone: bool) -> State:
        """The first state, each tensor (layers · directions, b, size)."""
        name, count = type(self).__name__, RECURRENCES[self.mode].states
        stacked = self.num_layers * self._directions
        sizes = (self._result_size, self.hidden_size)[:count]
        if hx is None:
            return tuple(zeros(stacked, x.shape[1], size, dtype=x.dtype) for size in sizes)
        state = _given_state(name, hx, count)
        lead: Shape = (stacked,) if alone else (stacked, x.shape[1])
        _check_state(name, state, [(*lead, size) for size in sizes], x)
        return tuple(unsqueeze(h, 1) for h in state) if alone else state

    def _through_layers(self, x: Tensor, state: State, mask: Tensor | None) -> tuple[Tensor, State]:
        """All layers on x (t, b, in): the results of the last (t, b, out), and the last state of each."""
        kind, ends = RECURRENCES[self.mode], []
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            found = []
            for direction in range(self._directions):
                first = tuple(select(h, 0, layer * self._directions + direction) for h in state)
                results, last = recurrent_layer(kind, x, first, self._weights(layer, direction), mask, direction == 1)
                found.append(results)
                ends.append(last)
            x = found[0] if len(found) == 1 else cat(found, -1)
        return x, tuple(stack(parts) for parts in zip(*ends, strict=True))

    def extra_repr(self) -> str:
        """Sizes, and the options that differ from the usual."""
        usual = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False,
        }  # fmt: skip
        given = [f"{name}={value}" for name in usual if (value := getattr(self, name)) != usual[name]]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *given])


class RNN(_Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t−1) + b_hh), or relu instead of tanh, through whole sequences.

    The input is (t, b, input_size), (b, t, input_size) with batch_first, or (t, input_size) without a batch, or a
    `PackedSequence` (see nn.utils.rnn) of sequences of different lengths. The output holds h_t of the last layer for
    all steps, (..., directions · hidden_size), in the same layout; the last state is (num_layers · directions, b,
    hidden_size). A first state of that shape may be given; else it is 0.

    num_layers: each further layer takes the results of the one below. dropout: in training these are set to 0 with this
    probability. bidirectional: a second recurrence runs from the last step to the first, and both results stand side by
    side. The parameters of layer k are weight_ih_lk (hidden_size, size of its input), weight_hh_lk (hidden_size,
    hidden_size), bias_ih_lk and bias_hh_lk (hidden_size,), and those with `_reverse` behind; all start uniform in
    ±1/√hidden_size.

    However many steps there are, the layer is one loop of the program (`pb.scan`): what all inputs contribute is one
    product before it.

    To train on long texts, cut them into pieces of some hundred steps, and hand the state on from piece to piece
    without its gradient, which would lead through all pieces before: `output, h = rnn(piece, h.detach())`. To do so
    within one call, write the loop yourself, with an `RNNCell` and `pb.scan(step, h, xs, truncate=100)`.

    Raises ArgumentError for another nonlinearity and impossible sizes, ShapeError and DTypeError in the call.

    >>> import pullback as pb
    >>> rnn = pb.nn.RNN(3, 5, num_layers=2, bidirectional=True)
    >>> output, h = rnn(pb.zeros(7, 2, 3))
    >>> output.shape, h.shape
    ((7, 2, 10), (4, 2, 5))

    Source: torch.nn.RNN; Elman 1990.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            _mode_of(nonlinearity), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device=device, dtype=dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """The results of all steps, and the last h."""
        results, (h,) = self._run(input, hx)
        return results, h


class LSTM(_Recurrent):
    """c_t = f · c_(t−1) + i · g and h_t = o · tanh(c_t), with gates as in `LSTMCell`, through whole sequences.

    Inputs, results, options and parameters as in `RNN`, with 4 hidden_size rows, for i, f, g and o, in each weight and
    bias. The state is a pair (h, c).

    proj_size: h_t is then W_hr (o · tanh(c_t)), of this size, with weight_hr_lk (proj_size, hidden_size).

    To train on long texts, hand the state on from piece to piece without its gradient:
    `output, (h, c) = lstm(piece, (h.detach(), c.detach()))`; see `RNN`.

    Raises ArgumentError for impossible sizes, ShapeError and DTypeError in the call.

    >>> import pullback as pb
    >>> lstm = pb.nn.LSTM(3, 5, batch_first=True, proj_size=4)
    >>> output, (h, c) = lstm(pb.zeros(2, 7, 3))
    >>> output.shape, h.shape, c.shape
    ((2, 7, 4), (1, 2, 4), (1, 2, 5))

    Source: torch.nn.LSTM; Hochreiter and Schmidhuber 1997; Gers et al. 2000; Sak et al. 2014 for proj_size.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        """The results of all steps, and the last (h, c)."""
        results, (h, c) = self._run(input, hx)
        return results, (h, c)


class GRU(_Recurrent):
    """h_t = (1 − z) · n + z · h_(t−1), with gates as in `GRUCell`, through whole sequences.

    Inputs, results, options and parameters as in `RNN`, with 3 hidden_size rows, for r, z and n, in each weight and
    bias. To train on long texts, hand the state on from piece to piece without its gradient; see `RNN`.

    Raises ArgumentError for impossible sizes, ShapeError and DTypeError in the call.

    >>> import pullback as pb
    >>> from pullback.nn.utils.rnn import pack_sequence, pad_packed_sequence
    >>> gru = pb.nn.GRU(3, 5)
    >>> output, h = gru(pack_sequence([pb.ones(4, 3), pb.ones(2, 3)]))
    >>> padded, lengths = pad_packed_sequence(output)
    >>> padded.shape, lengths.tolist(), h.shape
    ((4, 2, 5), [4, 2], (1, 2, 5))

    Source: torch.nn.GRU; Cho et al. 2014.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device=device, dtype=dtype,
        )  # fmt: skip

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """The results of all steps, and the last h."""
        results, (h,) = self._run(input, hx)
        return results, h
