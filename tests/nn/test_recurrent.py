"""Recurrence: programs that do not grow, lengths that may change from call to call, dropping, and what is refused."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback import nn
from pullback.base.errors import PullbackError
from pullback.ir.program import Program
from pullback.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from pullback.tensor.tracing import trace
from tests.contracts.backends import Backend
from tests.contracts.calls import spread

LAYERS: dict[str, Callable[..., Any]] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
EACH = pytest.mark.parametrize("name", LAYERS)


def numbers(*shape: int, seed: int = 1) -> pb.Tensor:
    return spread(*shape, dtype="float32", seed=seed).tensor(pb).detach()


def size_of(program: Program) -> int:
    """The nodes of a program, those of programs within included."""
    inner = [node.params["program"] for node in program.nodes if "program" in node.params]
    return len(program.nodes) + sum(map(size_of, inner))


@EACH
def test_program_does_not_grow_with_the_steps(name: str) -> None:
    layer = LAYERS[name](2, 3, num_layers=2, bidirectional=True)

    def nodes(steps: int) -> int:
        x, lengths = pb.zeros(steps, 2, 2), pb.tensor([2, 1])

        def step() -> Any:
            plain, _ = layer(x)
            packed, _ = pad_packed_sequence(layer(pack_padded_sequence(x, lengths))[0])
            return pb.autograd.grad((plain + packed).sum(), list(layer.parameters()))

        return size_of(trace(step).program)

    assert nodes(32) == nodes(512)


@pytest.mark.parametrize(("name", "products"), [("RNN", 1), ("LSTM", 1), ("GRU", 1)])
def test_a_step_has_one_product(name: str, products: int) -> None:
    layer = LAYERS[name](2, 3)
    program = trace(lambda: layer(pb.zeros(5, 2, 2))).program
    (loop,) = [node for node in program.nodes if node.op.name == "scan"]
    assert [node.op.name for node in loop.params["program"].nodes].count("matmul") == products
    assert [node.op.name for node in program.nodes].count("matmul") == 1


@EACH
def test_lengths_may_change_from_call_to_call(name: str, backend: Backend) -> None:
    layer, x, traces = LAYERS[name](2, 3, bidirectional=True), numbers(5, 3, 2), []

    def step(x: pb.Tensor, lengths: pb.Tensor) -> list[pb.Tensor]:
        traces.append(1)
        y, state = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        padded, lengths = pad_packed_sequence(y)
        return [padded, *state, lengths, *pb.autograd.grad((padded * padded).sum(), list(layer.parameters()))]

    compiled = backend.compile(step)
    for lengths in ([3, 5, 1], [5, 1, 2]):
        given = pb.tensor(lengths)
        backend.assert_agrees(compiled(x, given), step(x, given))
    assert len(traces) == 3, "traced once for both, and run twice eagerly"


@EACH
def test_what_lies_behind_the_end_counts_for_nothing(name: str) -> None:
    layer = LAYERS[name](2, 3)
    answers = []
    for filler in (0.0, float("nan"), float("inf")):
        x = numbers(4, 2, 2).clone()
        x[2:, 1] = filler
        y, _ = layer(pack_padded_sequence(x, [4, 2]))
        answers.append(pb.autograd.grad(y.data.sum(), list(layer.parameters())))
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_packed_sequences_go_through_compiled_functions(backend: Backend) -> None:
    layer, x = nn.GRU(2, 3), numbers(4, 2, 2)
    packed = pack_padded_sequence(x, [2, 4], enforce_sorted=False)
    found = backend.compile(lambda p: layer(p)[0])(packed)
    assert isinstance(found, PackedSequence)
    backend.assert_agrees(found.data, layer(packed)[0].data)


def test_known_lengths_are_known_in_compiled_functions(backend: Backend) -> None:
    def step(x: pb.Tensor) -> list[pb.Tensor]:
        packed = pack_padded_sequence(x, [2, 1])
        return [packed.data, packed.batch_sizes, pad_packed_sequence(packed)[0]]

    x = numbers(4, 2, 2)
    backend.assert_agrees(backend.compile(step)(x), step(x))


def test_layers_are_dropped_between_not_behind() -> None:
    layer = nn.LSTM(2, 8, num_layers=2, dropout=0.5)
    pb.manual_seed(1)
    first, _ = layer(numbers(6, 3, 2))
    second, _ = layer(numbers(6, 3, 2))
    assert (first != second).any()
    assert (first != 0).all()
    layer.eval()
    assert (layer(numbers(6, 3, 2))[0] == layer(numbers(6, 3, 2))[0]).all()


def test_dropout_of_one_layer_warns() -> None:
    with pytest.warns(UserWarning, match="drops between layers"):
        nn.GRU(2, 3, dropout=0.5)


def test_a_state_handed_on_is_as_if_there_had_been_no_cut() -> None:
    layer, x = nn.LSTM(2, 3, num_layers=2), numbers(6, 2, 2)
    whole, (h, c) = layer(x)
    first, state = layer(x[:2])
    second, last = layer(x[2:], state)
    np.testing.assert_array_equal(whole.detach().numpy(), pb.cat([first, second]).detach().numpy())
    np.testing.assert_array_equal(pb.stack([h, c]).detach().numpy(), pb.stack(list(last)).detach().numpy())


def test_parameters_start_between_their_bounds() -> None:
    pb.manual_seed(1)
    weights = nn.utils.parameters_to_vector(nn.GRU(30, 25).parameters())
    assert 0.19 < float(weights.abs().max()) <= 0.2
    assert abs(float(weights.mean())) < 0.01
    assert [len(w) for w in nn.LSTM(2, 3, bidirectional=True, proj_size=1).all_weights] == [5, 5]


X = pb.zeros(4, 2, 2)
REFUSALS: list[tuple[Callable[[], Any], str]] = [
    (lambda: nn.RNN(2, 3, nonlinearity="sigmoid"), "nonlinearity is 'tanh' or 'relu'"),
    (lambda: nn.LSTM(2, 0), "1 or more as hidden_size"),
    (lambda: nn.LSTM(2, 3, num_layers=0), "1 or more as num_layers"),
    (lambda: nn.LSTM(2, 3, proj_size=3), "below hidden_size=3"),
    (lambda: nn.GRU(2, 3, num_layers=2, dropout=1.5), "from 0 to 1"),
    (lambda: nn.GRU(3, 3)(X), "takes inputs (t, b, 3)"),
    (lambda: nn.GRU(3, 3, batch_first=True)(X), "takes inputs (b, t, 3)"),
    (lambda: nn.GRU(2, 3)(X[:0]), "one step"),
    (lambda: nn.GRU(2, 3)([1.0]), "tensor as input"),
    (lambda: nn.GRU(2, 3)(X, pb.zeros(1, 1, 3)), "state h of shape (1, 2, 3); got (1, 1, 3)"),
    (lambda: nn.GRU(2, 3)(X[0], pb.zeros(1, 1, 3)), "state h of shape (1, 3)"),
    (lambda: nn.GRU(2, 3)(X, pb.zeros(1, 2, 3).double()), "got float64"),
    (lambda: nn.GRU(2, 3)(X.double()), "equal dtypes"),
    (lambda: nn.LSTM(2, 3)(X, pb.zeros(1, 2, 3)), "a pair (h, c)"),
    (lambda: nn.LSTM(2, 3)(X, (pb.zeros(1, 2, 3), pb.zeros(1, 2, 4))), "state c of shape (1, 2, 3)"),
    (lambda: nn.LSTMCell(2, 3)(X), "(b, 2) or (2,)"),
    (lambda: nn.LSTMCell(2, 3)(X[0], (pb.zeros(2, 3), pb.zeros(1, 3))), "state c of shape (2, 3)"),
    (lambda: nn.GRUCell(2, 3)(X[0], pb.zeros(3)), "state h of shape (2, 3)"),
    (lambda: pack_padded_sequence(X, [5, 4]), "lengths from 1 to 4"),
    (lambda: pack_padded_sequence(X, [2, 4]), "enforce_sorted=False"),
    (lambda: pack_padded_sequence(X, pb.tensor([2.0, 1.0])), "lengths.long()"),
    (lambda: nn.utils.rnn.pad_sequence([]), "one or more"),
    (lambda: nn.utils.rnn.pad_sequence([X, X[0]]), "first size alone"),
    (lambda: PackedSequence(X[0], pb.tensor([1, 2])), "never grow"),
    (lambda: PackedSequence(X[0]), "data and batch_sizes"),
    (
        lambda: pb.compile(lambda n: pack_padded_sequence(X, n).data)(pb.tensor([2, 1])),
        "how much there is in a PackedSequence",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), REFUSALS)
def test_wrong_use(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(PullbackError, match=re.escape(words)):
        call()
