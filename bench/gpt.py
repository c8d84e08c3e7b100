"""GPT-2's network, the language model of W7 and W8: trained with AdamW, without dropout, the head tied to the tokens.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners".
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from bench.networks import attend, drawn, filled, linear_shapes, norm_shapes
from bench.workload import Weights

DECAY = 0.01


@dataclass(frozen=True)
class GPT:
    """Its sizes, and the step in each peer's words."""

    vocabulary: int
    context: int
    layers: int
    heads: int
    width: int
    rate: float

    def weights(self) -> Weights:
        """As the modules below name them."""
        d = self.width
        shapes = {"wte.weight": (self.vocabulary, d), "wpe.weight": (self.context, d), **norm_shapes("ln_f", d)}
        for i in range(self.layers):
            shapes |= norm_shapes(f"h.{i}.ln_1", d) | norm_shapes(f"h.{i}.ln_2", d)
            shapes |= linear_shapes(f"h.{i}.c_attn", d, 3 * d) | linear_shapes(f"h.{i}.c_proj", d, d)
            shapes |= linear_shapes(f"h.{i}.mlp_fc", d, 4 * d) | linear_shapes(f"h.{i}.mlp_proj", 4 * d, d)
        return drawn(shapes, spread=0.02)

    def in_torch(self, torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
        """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
        nn, size = torch.nn, self

        class Block(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                d = size.width
                self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
                self.c_attn, self.c_proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
                self.mlp_fc, self.mlp_proj = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

            def forward(self, x: Any) -> Any:  # (b, t, d)
                x = x + self.c_proj(attend(torch, self.c_attn(self.ln_1(x)).chunk(3, -1), size.heads, causal=True))
                return x + self.mlp_proj(nn.functional.gelu(self.mlp_fc(self.ln_2(x)), approximate="tanh"))

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.wte = nn.Embedding(size.vocabulary, size.width)
                self.wpe = nn.Embedding(size.context, size.width)
                self.h = nn.ModuleList([Block() for _ in range(size.layers)])
                self.ln_f = nn.LayerNorm(size.width)

            def forward(self, tokens: Any) -> Any:  # (b, t) to (b, t, v)
                x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
                for block in self.h:
                    x = block(x)
                return nn.functional.linear(self.ln_f(x), self.wte.weight)

        model = filled(torch, Network(), weights)

        def loss_of(tokens: Any, following: Any) -> Any:
            return nn.functional.cross_entropy(model(tokens).flatten(0, 1), following.flatten())

        return loss_of, torch.optim.AdamW(model.parameters(), lr=self.rate, weight_decay=DECAY)

    def in_jax(self, weights: Weights) -> tuple[Any, Callable[..., Any]]:
        """The state (weights, moments, step's number), and (state, batch) to (state, loss)."""
        import jax

        from bench.jax_layers import attend, cross_entropy, layer_norm, linear
        from bench.updates import adam, adam_state

        def loss_of(p: Any, tokens: Any, following: Any) -> Any:
            x = p["wte.weight"][tokens] + p["wpe.weight"][: tokens.shape[1]]  # (b, t, d)
            for i in range(self.layers):
                h = linear(p, f"h.{i}.c_attn", layer_norm(p, f"h.{i}.ln_1", x))
                x = x + linear(p, f"h.{i}.c_proj", attend(jax.numpy.split(h, 3, axis=-1), self.heads, causal=True))
                h = jax.nn.gelu(linear(p, f"h.{i}.mlp_fc", layer_norm(p, f"h.{i}.ln_2", x)), approximate=True)
                x = x + linear(p, f"h.{i}.mlp_proj", h)
            return cross_entropy(layer_norm(p, "ln_f", x) @ p["wte.weight"].T, following)

        return adam_state(weights), adam(jax.value_and_grad, loss_of, self.rate, DECAY)
