"""GPT-2: its names and counts, how it starts, what it learns, and generating with a cache and without."""

import math
from typing import Any

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError, IndexOutOfRange, ShapeError
from pullback.models.generate import generate
from pullback.models.gpt2 import GPT2Config, GPT2LMHeadModel
from tests.contracts.backends import Backend

TINY = GPT2Config(
    vocab_size=13, n_positions=10, n_embd=12, n_layer=2, n_head=3, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0
)


def tiny(config: GPT2Config = TINY) -> GPT2LMHeadModel:
    pb.manual_seed(1)
    return GPT2LMHeadModel(config)


def count(config: GPT2Config) -> int:
    """The parameters by the sizes of the parts."""
    d, inner = config.n_embd, config.n_inner or 4 * config.n_embd
    block = (d * 3 * d + 3 * d) + (d * d + d) + (d * inner + inner) + (inner * d + d) + 4 * d
    return (config.vocab_size + config.n_positions) * d + config.n_layer * block + 2 * d


@pytest.mark.parametrize("config", [TINY, GPT2Config(5, 3, 4, 1, 2, n_inner=7), GPT2Config(50, 8, 6, 3, 1)])
def test_count_of_parameters(config: GPT2Config) -> None:
    assert sum(p.numel() for p in GPT2LMHeadModel(config).parameters()) == count(config)


def test_the_published_sizes() -> None:
    published = {(12, 12, 768): 124_439_808, (24, 16, 1024): 354_823_168, (48, 25, 1600): 1_557_611_200}
    for (layers, heads, width), wanted in published.items():
        assert count(GPT2Config(n_layer=layers, n_head=heads, n_embd=width)) == wanted


def test_the_last_map_is_the_table_of_tokens() -> None:
    net = tiny()
    assert net.lm_head.weight is net.transformer.wte.weight
    assert "lm_head.weight" in net.state_dict()
    assert "lm_head.weight" not in dict(net.named_parameters())
    twin = tiny(GPT2Config(**{**vars(TINY), "initializer_range": 1.0}))
    twin.load_state_dict(net.state_dict())
    ids = pb.tensor([[1, 2, 3]])
    assert pb.equal(twin(ids), net(ids))


def test_how_it_starts() -> None:
    net = tiny(GPT2Config(vocab_size=500, n_positions=50, n_embd=64, n_layer=8, n_head=4))
    for name, parameter in net.named_parameters():
        deviation = parameter.detach().std().item()
        if name.endswith("bias"):
            assert not parameter.any()
        elif "ln_" in name:
            assert (parameter == 1).all()
        else:
            wanted = 0.02 / math.sqrt(16) if "c_proj" in name else 0.02
            assert deviation == pytest.approx(wanted, rel=0.05), name


def test_what_comes_later_changes_nothing_before() -> None:
    net = tiny()
    ids = pb.tensor([[1, 2, 3, 4, 5]])
    other = pb.tensor([[1, 2, 3, 9, 9]])
    assert pb.equal(net(ids)[:, :3], net(other)[:, :3])
    assert not pb.equal(net(ids)[:, 3], net(other)[:, 3])


def test_gradients_in_compiled_steps(backend: Backend) -> None:
    net = tiny().double()
    ids = pb.tensor([[1, 2, 3, 1], [4, 4, 0, 12]])

    def step(ids: pb.Tensor) -> list[pb.Tensor]:
        logits, loss = net(ids, labels=ids)
        return [logits, loss, *pb.autograd.grad(loss, list(net.parameters()))]

    backend.assert_agrees(backend.compile(step)(ids), step(ids), scale=1.0)


def test_a_tiny_one_overfits() -> None:
    net = tiny()
    optimizer = pb.optim.AdamW(net.parameters(), lr=1e-2)
    ids = pb.tensor([[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]])

    @pb.compile
    def step(ids: pb.Tensor) -> pb.Tensor:
        optimizer.zero_grad()
        _, loss = net(ids, labels=ids)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(ids).item() for _ in range(120)]
    assert losses[0] == pytest.approx(math.log(13), rel=0.1)
    assert losses[-1] < 0.05
    net.eval()
    written = generate(net, ids[:, :2], 6, temperature=0.0)
    assert written.tolist() == ids.tolist()


def test_a_cache_changes_no_logits() -> None:
    net = tiny().double().eval()
    ids = pb.tensor([[1, 2, 3, 4, 5, 6, 7], [12, 11, 3, 3, 3, 0, 1]])
    whole = net(ids).detach().numpy()
    with pb.no_grad():
        cache = net.new_cache(batch_size=2, capacity=7)
        parts = [net(ids[:, a:b], cache=cache) for a, b in ((0, 3), (3, 4), (4, 6), (6, 7))]
    np.testing.assert_allclose(pb.cat(parts, 1).numpy(), whole, rtol=1e-9, atol=1e-12)
    assert cache.position.item() == 7
    with pytest.raises(IndexOutOfRange, match="room for 7 tokens; got 1 from place 7 on"):
        net(ids[:, :1], cache=cache)
    cache.reset()
    with pb.no_grad():
        again = net(ids[:, :4], cache=cache)  # what an earlier text left is hidden
    np.testing.assert_allclose(again.numpy(), whole[:, :4], rtol=1e-9, atol=1e-12)


def test_a_compiled_step_serves_every_place(backend: Backend) -> None:
    net = tiny().double().eval()
    ids = pb.tensor([[1, 2, 3, 4, 5, 6, 7]])
    cache = net.new_cache()
    step = backend.compile(lambda token: net(token, cache=cache))
    with pb.no_grad():
        parts = [step(ids[:, i : i + 1]) for i in range(7)]
        assert step.traces == 1
        np.testing.assert_allclose(pb.cat(parts, 1).numpy(), net(ids).numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"top_k": 4}, {"top_p": 0.8}, {"temperature": 2.0}])
def test_generation_with_a_cache_is_that_without(options: dict[str, Any]) -> None:
    net = tiny(GPT2Config(**{**vars(TINY), "initializer_range": 0.5})).double().eval()
    start = pb.tensor([[3, 1], [0, 7]])
    plain = generate(net, start, 8, generator=pb.Generator().manual_seed(5), **options)
    cached = generate(net, start, 8, generator=pb.Generator().manual_seed(5), cache=net.new_cache(2), **options)
    compiled = generate(
        pb.compile(net), start, 8, generator=pb.Generator().manual_seed(5), cache=net.new_cache(2), **options
    )
    assert plain.shape == (2, 10)
    assert cached.tolist() == plain.tolist()
    assert compiled.tolist() == plain.tolist()


def test_impossible_sizes() -> None:
    with pytest.raises(ArgumentError, match="n_embd must be a multiple of n_head; got 10 and 3"):
        GPT2Config(n_embd=10, n_head=3)
    with pytest.raises(ShapeError, match=r"t up to 10; got \(1, 11\)"):
        tiny()(pb.zeros(1, 11, dtype=pb.int64))
    with pytest.raises(ShapeError, match=r"this cache takes a key \(1, 3, time, 4\); got \(2, 3, 5, 4\)"):
        tiny()(pb.zeros(2, 5, dtype=pb.int64), cache=tiny().new_cache())
    with pytest.raises(ArgumentError, match="sizes of 1 or more"):
        pb.nn.KeyValueCache(1, 1, 0, 4, 8)


def test_a_full_cache_is_noticed_in_a_compiled_step(backend: Backend) -> None:
    net = tiny()
    cache = net.new_cache(capacity=2)
    step = backend.compile(lambda token: net(token, cache=cache))
    with pb.no_grad():
        for _ in range(2):
            step(pb.tensor([[1]]))
        with pytest.raises(IndexOutOfRange):
            step(pb.tensor([[1]]))
