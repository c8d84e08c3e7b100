"""Runs one contender in a process of its own: reads requests from stdin, answers each with one line of JSON on stdout.

python -m bench.worker WORKLOAD PEER MODE

| request | does | answer |
|---|---|---|
| {"do": "import"} | imports the library | seconds, version, threads, note |
| {"do": "start", "steps": n} | first call, then on until n steps are done | first (seconds), losses of the n steps |
| {"do": "measure", "seconds": s} | a short run to get warm, then about s seconds | seconds a step, steps, loss, peak |
| {"do": "native"} | asks for the part of a call that is native | seconds, or null |

What fails is answered with {"error": "…"}. The end of stdin ends the process.
"""

import json
import os
import sys
import time
import traceback
from importlib import import_module, metadata
from pathlib import Path
from typing import IO, Any

from bench.field import PEERS

EVERY = 100  # steps from one fetched loss to the next while time is measured


class Worker:
    """One contender, from its import to its last round."""

    def __init__(self, workload: str, peer: str, mode: str) -> None:
        self.names = workload, peer, mode
        self.seconds_per_call = 0.0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        match request["do"]:
            case "import":
                return self.import_library()
            case "start":
                return self.start(request["steps"])
            case "measure":
                return self.measure(request["seconds"])
            case "native":
                return {"seconds": self.peer.native_seconds(self.contender)}
            case other:
                raise ValueError(f"no such request: {other}")

    def import_library(self) -> dict[str, Any]:
        """The library alone is timed, in a process that has imported nothing else."""
        _, peer, mode = self.names
        library = PEERS[peer].library
        started = time.perf_counter()
        import_module("mlx.core" if library == "mlx" else library)
        seconds = time.perf_counter() - started
        self.peer = import_module(f"bench.peers.{peer}")
        note = self.peer.note(mode) if hasattr(self.peer, "note") else ""
        return {"import": seconds, "version": metadata.version(library), "threads": self.peer.threads(), "note": note}

    def start(self, steps: int) -> dict[str, Any]:
        """The first call, which compiles; then as many as make so many steps."""
        from bench.workload import load

        workload, _, mode = self.names
        self.contender = contender = self.peer.build(load(workload), mode)
        started = time.perf_counter()
        losses = contender.run(1, 1)
        first = time.perf_counter() - started
        calls = -(-steps // contender.steps_per_call) - 1
        if calls > 0:
            losses += contender.run(calls, 1)
        return {"first": first, "losses": losses[:steps]}

    def seconds_of_a_call(self) -> float:
        """Doubles the number of calls until they take long enough to tell."""
        calls, seconds = 1, 0.0
        while seconds < 0.05:
            calls *= 2
            seconds = self.timed(calls)[0]
        return seconds / calls

    def measure(self, seconds: float) -> dict[str, Any]:
        """About so many seconds of calls, after a tenth of that to get warm."""
        self.seconds_per_call = self.seconds_per_call or self.seconds_of_a_call()
        self.timed(self.calls_in(seconds / 10))
        calls = self.calls_in(seconds)
        taken, loss = self.timed(calls)
        self.seconds_per_call = taken / calls
        steps = calls * self.contender.steps_per_call
        return {"seconds": taken / steps, "steps": steps, "loss": loss, "peak": peak_memory()}

    def calls_in(self, seconds: float) -> int:
        """How many calls take about so long."""
        return max(1, round(seconds / self.seconds_per_call))

    def timed(self, calls: int) -> tuple[float, float]:
        """Seconds of so many calls, and the last loss."""
        started = time.perf_counter()
        losses = self.contender.run(calls, EVERY)
        return time.perf_counter() - started, losses[-1]


def peak_memory() -> int | None:
    """The most memory that this process ever took, in bytes; None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def claim_stdout() -> IO[str]:
    """The stream for answers; whatever a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def main() -> None:
    """Answer requests until there are no more."""
    answers = claim_stdout()
    worker = Worker(*sys.argv[1:])
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:  # the harness names it and goes on with the others
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
