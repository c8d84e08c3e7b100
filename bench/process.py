"""The harness's side of a worker: starts it, asks it, ends it."""

import json
import os
import selectors
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from bench.field import PEERS
from bench.install_peers import ROOT, python_of

SECONDS = 600.0  # for one answer; a compiler may take minutes
# What would make libraries choose otherwise than they do by themselves.
REMOVED = (
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("PULLBACK_THREADS", "XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR"),
)


class Failed(Exception):
    """A contender that could not do what it was asked; the message says why in one line."""


def environment(cache: Path) -> dict[str, str]:
    """The environment of a worker, which keeps everything that it compiles under the folder `cache`."""
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED}
    folders = {"PULLBACK_CACHE": "pullback", "TORCHINDUCTOR_CACHE_DIR": "inductor", "TMPDIR": "tmp"}
    for name, folder in folders.items():
        kept[name] = str(cache / folder)
        Path(kept[name]).mkdir(parents=True, exist_ok=True)
    return kept


class Process:
    """A contender in a process of its own. What it prints goes to the file `worker.log` in its cache folder."""

    def __init__(self, workload: str, peer: str, mode: str, cache: Path, peers_environment: Path) -> None:
        python = sys.executable if PEERS[peer].ours else str(python_of(peers_environment))
        self.log = cache / "worker.log"
        command = [python, "-m", "bench.worker", workload, peer, mode]
        variables = environment(cache)
        try:
            with self.log.open("a", encoding="utf-8") as log:
                self.process = subprocess.Popen(
                    command, cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
        except OSError as error:
            raise Failed(f"{python} does not start: {error.strerror}") from None

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """One request and its answer. Raises Failed when the worker says so, is silent for too long, or has ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **details}).encode() + b"\n")
            self.process.stdin.flush()
            line = self._line(time.monotonic() + SECONDS)
        except OSError:
            line = b""
        if not line:
            raise Failed(f"the process ended: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"].splitlines()[0])
        return answer

    def _line(self, until: float) -> bytes:
        """A line from the worker; empty when it has ended."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, until - time.monotonic())):
                raise Failed(f"no answer within {SECONDS:g} seconds")
        return self.process.stdout.readline()

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def close(self) -> None:
        """End the worker: it stops when there are no more requests, and is killed where it does not."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended, and a request lies unread
                self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
