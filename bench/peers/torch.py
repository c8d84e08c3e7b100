"""PyTorch: eager, and compiled in the two ways that its users know.

`compiled` compiles what gives the loss, as most people do; PyTorch derives a compiled backward pass from it.
`compiled-step` compiles the whole step, with `backward()` and the optimizer in it.
`autocast` is eager with its matrix products and convolutions in bfloat16.
"""

from types import ModuleType
from typing import Any

import torch

from bench.contender import Contender, called


def threads() -> str:
    """Those of a single operation."""
    return str(torch.get_num_threads())


def build(workload: ModuleType, mode: str) -> Contender:
    """The usual step."""
    work = workload.WORKLOAD
    loss_of, optimizer = workload.in_torch(torch, work.weights())
    if mode == "compiled":
        loss_of = torch.compile(loss_of)
    if mode == "autocast":
        loss_of = torch.autocast("cpu", dtype=torch.bfloat16)(loss_of)

    def step(*batch: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    if mode == "compiled-step":
        step = torch.compile(step)
    batches = [tuple(torch.from_numpy(array) for array in batch) for batch in work.batches()]
    return called(step, batches, wait=lambda: None)
