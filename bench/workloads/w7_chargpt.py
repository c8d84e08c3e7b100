"""W7. A character model: GPT of 4 layers, 4 heads and width 128, 64 characters, AdamW, batch 12.

Source: the setting that nanoGPT (A. Karpathy) gives for a CPU.
"""

from bench.gpt import GPT
from bench.networks import text
from bench.workload import Bars, Workload

MODEL = GPT(vocabulary=65, context=64, layers=4, heads=4, width=128, rate=1e-3)
BATCH, STEPS = 12, 20

WORKLOAD = Workload(
    name="W7",
    title="char-GPT: 4 layers, 4 heads, width 128, 64 characters of 65, AdamW, batch 12",
    bars=Bars(call=2.2, epoch=2.2, best=1.5),
    data=lambda: text(MODEL.vocabulary, BATCH * STEPS, MODEL.context),
    weights=MODEL.weights,
    batch=BATCH,
    steps=STEPS,
)
in_torch, in_jax = MODEL.in_torch, MODEL.in_jax
