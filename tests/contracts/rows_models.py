"""Rows of whole networks: a tiny one of ours against its formula, written out for PyTorch."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pullback.models.bert import BertConfig, BertForMaskedLM, BertForSequenceClassification
from pullback.models.gpt2 import GPT2Config, GPT2LMHeadModel
from tests.contracts.calls import Given, of, spread

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class ModelRow:
    """A model, the parameters that it should have, and the formula of its results, the last of which is a loss."""

    name: str
    model: Callable[[], Any]
    formula: Callable[..., list[Any]]
    shapes: Shapes
    inputs: dict[str, Given]

    def run(self, lib: Any) -> dict[str, Any]:
        """The parameters' shapes, the results, and the gradients of the loss."""
        inputs = {name: x.tensor(lib) for name, x in self.inputs.items()}
        numbers = {
            name: spread(*shape, low=-0.6, high=0.6, seed=zlib.crc32(name.encode()) % 997).tensor(lib)
            for name, shape in self.shapes.items()
        }
        if lib.__name__ == "torch":
            parameters, results = numbers, self.formula(lib, numbers, **inputs)
        else:
            module = self.model().double()
            parameters = dict(module.named_parameters())
            module.load_state_dict({name: x.detach() for name, x in numbers.items()}, strict=False)
            results = module(**inputs)
        found = lib.autograd.grad(results[-1], list(parameters.values()))
        return {
            "shapes": {name: tuple(x.shape) for name, x in parameters.items()},
            "results": list(results),
            "gradients": dict(zip(parameters, found, strict=True)),
        }


def _norm(lib: Any, p: Any, name: str, x: Any, eps: float) -> Any:
    away = x - x.mean(-1, True)
    return away / ((away * away).mean(-1, True) + eps).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]


def _attention(lib: Any, q: Any, k: Any, v: Any, heads: int, hidden: Any) -> Any:
    """Vectors (b, t, d), head by head."""
    size = q.shape[-1] // heads
    parts = []
    for i in range(heads):
        a, b, c = (x[..., i * size : (i + 1) * size] for x in (q, k, v))
        scores = (a @ b.transpose(-1, -2) / size**0.5).masked_fill(hidden, float("-inf"))
        parts.append(scores.softmax(-1) @ c)
    return lib.cat(parts, -1)


def _gpt2(lib: Any, p: Any, input_ids: Any, labels: Any) -> list[Any]:
    """Radford et al. 2019, with the names of Hugging Face's GPT2LMHeadModel."""
    t = input_ids.shape[1]
    x = p["transformer.wte.weight"][input_ids] + p["transformer.wpe.weight"][:t]
    hidden = lib.arange(t)[None] > lib.arange(t)[:, None]

    def linear(name: str, x: Any) -> Any:
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    for i in range(2):
        block = f"transformer.h.{i}"
        q, k, v = linear(f"{block}.attn.c_attn", _norm(lib, p, f"{block}.ln_1", x, 1e-5)).split(x.shape[-1], -1)
        x = x + linear(f"{block}.attn.c_proj", _attention(lib, q, k, v, 2, hidden))
        h = linear(f"{block}.mlp.c_fc", _norm(lib, p, f"{block}.ln_2", x, 1e-5))
        h = 0.5 * h * (1 + lib.tanh((2 / lib.pi) ** 0.5 * (h + 0.044715 * h**3)))
        x = x + linear(f"{block}.mlp.c_proj", h)
    logits = _norm(lib, p, "transformer.ln_f", x, 1e-5) @ p["transformer.wte.weight"].T
    loss = lib.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    return [logits, loss]


GPT2_SHAPES: Shapes = {
    "transformer.wte.weight": (7, 4),
    "transformer.wpe.weight": (6, 4),
    **{
        f"transformer.h.{i}.{name}": shape
        for i in range(2)
        for name, shape in {
            "ln_1.weight": (4,),
            "ln_1.bias": (4,),
            "attn.c_attn.weight": (4, 12),
            "attn.c_attn.bias": (12,),
            "attn.c_proj.weight": (4, 4),
            "attn.c_proj.bias": (4,),
            "ln_2.weight": (4,),
            "ln_2.bias": (4,),
            "mlp.c_fc.weight": (4, 16),
            "mlp.c_fc.bias": (16,),
            "mlp.c_proj.weight": (16, 4),
            "mlp.c_proj.bias": (4,),
        }.items()
    },
    "transformer.ln_f.weight": (4,),
    "transformer.ln_f.bias": (4,),
}


def _bert(lib: Any, p: Any, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
    """The encoder of Devlin et al. 2018, with the names of Hugging Face's BertModel."""

    def linear(name: str, x: Any) -> Any:
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    named = "bert.embeddings.{}_embeddings.weight".format
    x = p[named("word")][input_ids] + p[named("token_type")][token_type_ids]
    x = _norm(lib, p, "bert.embeddings.LayerNorm", x + p[named("position")][: input_ids.shape[1]], 1e-12)
    hidden = attention_mask[:, None] == 0
    for i in range(2):
        layer = f"bert.encoder.layer.{i}"
        q, k, v = (linear(f"{layer}.attention.self.{name}", x) for name in ("query", "key", "value"))
        gathered = linear(f"{layer}.attention.output.dense", _attention(lib, q, k, v, 2, hidden))
        x = _norm(lib, p, f"{layer}.attention.output.LayerNorm", x + gathered, 1e-12)
        h = _gelu(lib, linear(f"{layer}.intermediate.dense", x))
        x = _norm(lib, p, f"{layer}.output.LayerNorm", x + linear(f"{layer}.output.dense", h), 1e-12)
    return x


def _gelu(lib: Any, h: Any) -> Any:
    return h * 0.5 * (1 + lib.erf(h / 2**0.5))


def _masked(lib: Any, p: Any, input_ids: Any, labels: Any, **masks: Any) -> list[Any]:
    x = _bert(lib, p, input_ids, **masks)
    guess = "cls.predictions"
    h = _gelu(lib, x @ p[f"{guess}.transform.dense.weight"].T + p[f"{guess}.transform.dense.bias"])
    h = _norm(lib, p, f"{guess}.transform.LayerNorm", h, 1e-12)
    logits = h @ p["bert.embeddings.word_embeddings.weight"].T + p[f"{guess}.bias"]
    return [logits, lib.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())]


def _sorted(lib: Any, p: Any, input_ids: Any, labels: Any, **masks: Any) -> list[Any]:
    first = _bert(lib, p, input_ids, **masks)[:, 0]
    pooled = lib.tanh(first @ p["bert.pooler.dense.weight"].T + p["bert.pooler.dense.bias"])
    scores = pooled @ p["classifier.weight"].T + p["classifier.bias"]
    return [scores, lib.nn.functional.cross_entropy(scores, labels)]


def _with_biases(shapes: Shapes) -> Shapes:
    """Beside each weight its bias."""
    found: Shapes = {}
    for name, shape in shapes.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return found


BERT_SHAPES: Shapes = {
    "bert.embeddings.word_embeddings.weight": (7, 4),
    "bert.embeddings.position_embeddings.weight": (6, 4),
    "bert.embeddings.token_type_embeddings.weight": (2, 4),
    **_with_biases(
        {
            "bert.embeddings.LayerNorm": (4,),
            **{
                f"bert.encoder.layer.{i}.{name}": shape
                for i in range(2)
                for name, shape in {
                    "attention.self.query": (4, 4),
                    "attention.self.key": (4, 4),
                    "attention.self.value": (4, 4),
                    "attention.output.dense": (4, 4),
                    "attention.output.LayerNorm": (4,),
                    "intermediate.dense": (5, 4),
                    "output.dense": (4, 5),
                    "output.LayerNorm": (4,),
                }.items()
            },
        }
    ),
}
GUESS_SHAPES: Shapes = {
    "cls.predictions.bias": (7,),
    **_with_biases({"cls.predictions.transform.dense": (4, 4), "cls.predictions.transform.LayerNorm": (4,)}),
}

GPT2 = GPT2Config(
    vocab_size=7, n_positions=6, n_embd=4, n_layer=2, n_head=2, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0
)
BERT = BertConfig(
    vocab_size=7,
    hidden_size=4,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=5,
    max_position_embeddings=6,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    pad_token_id=6,
)
TOKENS = of([[1, 4, 0, 2, 2], [3, 3, 5, 1, 0]], "int64")
MASKS = {
    "attention_mask": of([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int64"),
    "token_type_ids": of([[0, 0, 0, 1, 1], [0, 1, 1, 1, 1]], "int64"),
}

ORACLE_ROWS = [
    ModelRow("GPT-2", lambda: GPT2LMHeadModel(GPT2), _gpt2, GPT2_SHAPES, {"input_ids": TOKENS, "labels": TOKENS}),
    ModelRow(
        "BERT for masked words",
        lambda: BertForMaskedLM(BERT),
        _masked,
        BERT_SHAPES | GUESS_SHAPES,
        {"input_ids": TOKENS, **MASKS, "labels": of([[-100, 4, -100, -100, 5], [-100, -100, 0, -100, -100]], "int64")},
    ),
    ModelRow(
        "BERT for classes",
        lambda: BertForSequenceClassification(BERT, num_labels=3),
        _sorted,
        BERT_SHAPES | _with_biases({"bert.pooler.dense": (4, 4), "classifier": (3, 4)}),
        {"input_ids": TOKENS, **MASKS, "labels": of([2, 0], "int64")},
    ),
]
