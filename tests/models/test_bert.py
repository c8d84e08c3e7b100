"""BERT: its counts, what it hides, how it starts and what it learns. Its formula and names are in rows_models.py."""

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, ShapeError
from pullback.models.bert import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel
from tests.contracts.backends import Backend
from tests.contracts.rows_models import BERT, MASKS, TOKENS


def count(config: BertConfig) -> int:
    """The parameters of BertModel by the sizes of the parts."""
    d, inner = config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size
    layer = 4 * (d * d + d) + (d * inner + inner) + (inner * d + d) + 4 * d
    return rows * d + 2 * d + config.num_hidden_layers * layer + d * d + d


def test_counts() -> None:
    assert sum(p.numel() for p in BertModel(BERT).parameters()) == count(BERT)
    assert count(BertConfig()) == 109_482_240
    large = BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
    assert count(large) == 335_141_888


def test_the_table_of_words_is_shared() -> None:
    net = BertForMaskedLM(BERT)
    table = net.bert.embeddings.word_embeddings.weight
    state = net.state_dict(keep_vars=True)
    assert state["cls.predictions.decoder.weight"] is table
    assert state["cls.predictions.decoder.bias"] is state["cls.predictions.bias"]
    assert not any("pooler" in name for name in state)


def test_hidden_tokens_change_nothing() -> None:
    net = BertModel(BERT).double().eval()
    ids, mask = pb.tensor([[1, 2, 3, 0, 0]]), pb.tensor([[1, 1, 1, 0, 0]])
    hidden, pooled = net(ids, mask)
    other, same = net(pb.tensor([[1, 2, 3, 5, 4]]), mask)
    alone, _ = net(ids[:, :3])
    assert pb.equal(hidden[:, :3], other[:, :3])
    assert pb.equal(pooled, same)
    np.testing.assert_allclose(hidden[:, :3].detach().numpy(), alone.detach().numpy(), rtol=1e-10)


def test_how_it_starts() -> None:
    pb.manual_seed(0)
    net = BertForSequenceClassification(BertConfig(300, 64, 2, 4, 96, max_position_embeddings=80))
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif "LayerNorm" in name:
            assert (parameter == 1).all()
        elif parameter.numel() > 500:
            assert parameter.detach().std().item() == pytest.approx(0.02, rel=0.05), name
    assert not net.bert.embeddings.word_embeddings.weight[0].any()


def test_gradients_in_compiled_steps(backend: Backend) -> None:
    pb.manual_seed(0)
    net = BertForMaskedLM(BERT).double()
    ids = TOKENS.tensor(pb)
    masks = {name: x.tensor(pb) for name, x in MASKS.items()}

    def step(ids: pb.Tensor) -> list[pb.Tensor]:
        logits, loss = net(ids, labels=ids, **masks)
        return [logits, loss, *pb.autograd.grad(loss, list(net.parameters()))]

    backend.assert_agrees(backend.compile(step)(ids), step(ids), scale=1.0)


def test_a_tiny_one_overfits() -> None:
    pb.manual_seed(0)
    net = BertForSequenceClassification(BertConfig(20, 16, 2, 2, 16, max_position_embeddings=6), num_labels=3)
    optimizer = pb.optim.AdamW(net.parameters(), lr=5e-3)
    ids, labels = pb.randint(1, 20, (12, 6)), pb.arange(12) % 3

    @pb.compile
    def step() -> pb.Tensor:
        optimizer.zero_grad()
        _, loss = net(ids, labels=labels)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(150):
        step()
    net.eval()
    assert net(ids).argmax(-1).tolist() == labels.tolist()


def test_impossible_sizes() -> None:
    with pytest.raises(ArgumentError, match="hidden_size must be a multiple of num_attention_heads; got 10 and 3"):
        BertConfig(hidden_size=10, num_attention_heads=3)
    with pytest.raises(ShapeError, match=r"t up to 6; got \(1, 7\)"):
        BertModel(BERT)(pb.zeros(1, 7, dtype=pb.int64))
