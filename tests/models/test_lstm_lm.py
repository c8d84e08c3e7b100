"""The LSTM language model: its names, tied weights, states, what it learns, and writing on with it."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pullback as pb
import pullback.nn.functional as F
from pullback.base.errors import PullbackError
from pullback.models.generate import generate
from pullback.models.lstm_lm import LSTMLanguageModel, LSTMLanguageModelConfig
from tests.contracts.backends import Backend

TINY = LSTMLanguageModelConfig(ntoken=7, ninp=8, nhid=8, nlayers=2, dropout=0.0)
IDS = pb.tensor([[1, 2, 3, 4, 5], [6, 5, 4, 3, 2]])


def tiny(**changes: Any) -> LSTMLanguageModel:
    pb.manual_seed(1)
    return LSTMLanguageModel(LSTMLanguageModelConfig(**{**vars(TINY), **changes}))


def test_names() -> None:
    lstm = [f"rnn.{kind}_{of}_l{k}" for k in (0, 1) for kind in ("weight", "bias") for of in ("ih", "hh")]
    assert list(tiny().state_dict()) == ["encoder.weight", *lstm, "decoder.weight", "decoder.bias"]


def test_tied_weights_are_one() -> None:
    net = tiny(tie_weights=True)
    assert net.decoder.weight is net.encoder.weight
    names = [name for name, _ in net.named_parameters()]
    assert "encoder.weight" in names
    assert "decoder.weight" not in names
    net(IDS)[0].sum().backward()
    assert net.encoder.weight.grad is not None


def test_starts_about_undecided() -> None:
    logits, _ = tiny()(IDS)
    loss = F.cross_entropy(logits.reshape(-1, 7), IDS.reshape(-1))
    assert loss.item() == pytest.approx(math.log(7), abs=0.05)


def test_a_text_may_be_cut() -> None:
    net = tiny()
    whole, last = net(IDS)
    first, state = net(IDS[:, :2], net.init_hidden(2))
    second, end = net(IDS[:, 2:], state)
    np.testing.assert_array_equal(whole.detach().numpy(), pb.cat([first, second], 1).detach().numpy())
    for a, b in zip(last, end, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("tie_weights", [False, True])
def test_learns_a_text_piece_by_piece(backend: Backend, tie_weights: bool) -> None:
    net = tiny(tie_weights=tie_weights)
    optimizer = pb.optim.Adam(net.parameters(), lr=0.03)
    text = pb.tensor([[0, 1, 2, 3, 4, 5, 6, 0] * 5 + [0]] * 2)  # a 0 is followed by 1 or by 0: the state must tell

    @backend.compile
    def step(ids: pb.Tensor, targets: pb.Tensor, h: pb.Tensor, c: pb.Tensor) -> tuple[pb.Tensor, ...]:
        optimizer.zero_grad()
        logits, (h, c) = net(ids, (h, c))
        loss = F.cross_entropy(logits.reshape(-1, 7), targets.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss, h.detach(), c.detach()

    for _ in range(20):
        state = net.init_hidden(2)
        for start in range(0, 40, 8):
            loss, *state = step(text[:, start : start + 8], text[:, start + 1 : start + 9], *state)
    assert loss.item() < 0.1
    net.eval()
    found = generate(lambda ids: net(ids)[0], text[:1, :6], 5, temperature=0.0)
    assert found.tolist() == [[0, 1, 2, 3, 4, 5, 6, 0, 0, 1, 2]]


REFUSALS: list[tuple[Callable[[], Any], str]] = [
    (lambda: tiny(nhid=0), "sizes of 1 or more"),
    (lambda: tiny(dropout=1.0), "below 1; got 1.0"),
    (lambda: tiny(nhid=9, tie_weights=True), "ninp and nhid must be equal; got 8 and 9"),
    (lambda: tiny()(IDS[0]), "ids (b, t)"),
    (lambda: tiny()(IDS.float()), "integers; got float32"),
    (lambda: tiny()(IDS + 1), "indices from 0 to 6; got 7"),
]


@pytest.mark.parametrize(("call", "words"), REFUSALS)
def test_wrong_use(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(PullbackError, match=re.escape(words)):
        call()
