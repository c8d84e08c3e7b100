"""W8. All 124 million weights of GPT-2 tuned: 12 layers, 12 heads, width 768, AdamW, batch 4 × 64 tokens.

The weights are drawn from a seed in each process; what a step costs does not depend on them.
"""

from bench.gpt import GPT
from bench.networks import text
from bench.workload import Bars, Workload

MODEL = GPT(vocabulary=50257, context=1024, layers=12, heads=12, width=768, rate=3e-5)
BATCH, STEPS, TIME = 4, 5, 64

WORKLOAD = Workload(
    name="W8",
    title="GPT-2 124M, all weights tuned, AdamW, batch 4 × 64 tokens",
    bars=Bars(call=2.7, epoch=None, best=1.5, bfloat16=1.5, gigabytes=2.6),
    data=lambda: text(MODEL.vocabulary, BATCH * STEPS, TIME),
    weights=MODEL.weights,
    batch=BATCH,
    steps=STEPS,
    contenders=("pullback/call", "torch/eager", "torch/compiled", "torch/autocast", "jax/jit"),
    checked=10,
)
in_torch, in_jax = MODEL.in_torch, MODEL.in_jax
