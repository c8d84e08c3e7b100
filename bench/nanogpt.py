"""nanoGPT's setting for a CPU, on six novels: seconds to the end and loss on the validation part, beside PyTorch.

    python -m bench.nanogpt

trains the same model from the same weights on the same batches with each library, one after the other, twice, and
prints a table. `python -m bench.nanogpt WORK LIBRARY` is one such run: WORK holds the text as numbers.

Source: nanoGPT (A. Karpathy), `train.py config/train_shakespeare_char.py` with the sizes that its README gives for a
CPU: 4 layers, 4 heads, width 128, 64 characters, batch 12, 2,000 iterations, no dropout.
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpt import GPT
from bench.install_peers import ENVIRONMENT, ROOT, python_of
from bench.process import environment

CONTEXT, BATCH, ITERATIONS, WARMUP = 64, 12, 2_000, 100
HIGHEST, LOWEST, CLIP = 1e-3, 1e-4, 1.0
ROUNDS, VALIDATION_BATCHES = 2, 40
LIBRARIES = ("pullback", "torch")


def rate(iteration: int) -> float:
    """Linear warm-up, then a cosine down to the lowest rate."""
    if iteration < WARMUP:
        return HIGHEST * (iteration + 1) / (WARMUP + 1)
    progress = (iteration - WARMUP) / (ITERATIONS - WARMUP)
    return LOWEST + 0.5 * (1 + math.cos(math.pi * progress)) * (HIGHEST - LOWEST)


def batches(ids: Any, count: int, seed: int) -> Any:
    """Starts of windows drawn from a seed; characters, and those that follow them, (count, b, t) each."""
    starts = np.random.default_rng(seed).integers(0, len(ids) - CONTEXT - 1, (count, BATCH, 1))
    windows = ids[starts + np.arange(CONTEXT + 1)].astype(np.int64)
    return np.ascontiguousarray(windows[..., :-1]), np.ascontiguousarray(windows[..., 1:])


def train(work: Path, library: str) -> dict[str, float]:
    """Train with one library: seconds of training, its first call included, and the loss on the validation part."""
    torch: Any = __import__(library)
    with np.load(work) as text:
        train_ids, validation_ids, vocabulary = text["train"], text["validation"], int(text["vocabulary"])
    size = GPT(vocabulary, CONTEXT, layers=4, heads=4, width=128, rate=HIGHEST)
    loss_of, optimizer = size.in_torch(torch, size.weights())
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for group in optimizer.param_groups:
        group["betas"], group["weight_decay"] = (0.9, 0.99), 0.1

    def step(tokens: Any, following: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(tokens, following)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return loss

    run: Callable[..., Any] = torch.compile(step) if library == "pullback" else step
    tokens, following = batches(train_ids, ITERATIONS, seed=1)
    began = time.perf_counter()
    for i in range(ITERATIONS):
        for group in optimizer.param_groups:
            group["lr"] = rate(i)
        run(torch.from_numpy(tokens[i]), torch.from_numpy(following[i]))
    seconds = time.perf_counter() - began
    with torch.no_grad():
        held_out = zip(*batches(validation_ids, VALIDATION_BATCHES, seed=2), strict=True)
        losses = [loss_of(torch.from_numpy(x), torch.from_numpy(y)).item() for x, y in held_out]
    return {"seconds": seconds, "loss": statistics.fmean(losses)}


def main() -> None:
    """Run all, and print a table."""
    from pullback.data.embedded import austen
    from pullback.data.text import Vocabulary, split_by_position

    novels = austen()
    vocabulary = Vocabulary.of(novels)
    parts = split_by_position(vocabulary.encode(novels))
    found: dict[str, list[dict[str, float]]] = {library: [] for library in LIBRARIES}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "text.npz"
        np.savez(work, train=parts[0], validation=parts[1], vocabulary=len(vocabulary))
        for _ in range(ROUNDS):
            for library in LIBRARIES:
                python = sys.executable if library == "pullback" else str(python_of(ENVIRONMENT))
                command = [python, "-m", "bench.nanogpt", str(work), library]
                told = subprocess.run(
                    command, cwd=ROOT, env=environment(Path(folder)), capture_output=True, text=True, check=True
                )
                found[library].append(json.loads(told.stdout))
                print(library, found[library][-1], file=sys.stderr)
    print("| library | seconds of each run | validation loss | bits a character |\n|---|---|---|---|")
    for library, runs in found.items():
        seconds, losses = ", ".join(f"{run['seconds']:.1f}" for run in runs), {f"{run['loss']:.4f}" for run in runs}
        bits = statistics.fmean(run["loss"] for run in runs) / math.log(2)
        print(f"| {library} | {seconds} | {', '.join(sorted(losses))} | {bits:.3f} |")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(train(Path(sys.argv[1]), sys.argv[2])))
    else:
        main()
