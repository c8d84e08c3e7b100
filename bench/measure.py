"""Measures one workload: starts every contender cold and warm, then rounds in turn, A B C … A B C …, one at a time."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.field import PEERS, mode_of
from bench.process import Failed, Process
from bench.quiet import Watch
from bench.workload import load

PAUSE = 0.05  # seconds before a round, in which the threads of the last one fall asleep

Say = Callable[[str], None]


@dataclass
class Entry:
    """What was found out about one contender. seconds: per step, one figure for each round; problem: why it has none.

    first_cold and first_warm: seconds of the first call, without and with what an earlier process left on disk; they
    are the same where nothing is kept there. native: seconds of a call that were spent in native code. peak: bytes, the
    most memory that the process ever took, libraries and data included.
    """

    first_cold: float = 0.0
    first_warm: float = 0.0
    import_seconds: float = 0.0
    version: str = ""
    threads: str = ""
    note: str = ""
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    native: float | None = None
    peak: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class Settings:
    """How to measure: so many rounds of about so many seconds, with the peers installed in that environment."""

    contenders: list[str]
    rounds: int
    seconds: float
    environment: Path


class Measurement:
    """One workload being measured; `entries` are its contenders by `peer/mode`."""

    def __init__(self, workload: str, settings: Settings, folder: Path, say: Say) -> None:
        self.workload, self.settings, self.folder, self.say = workload, settings, folder, say
        written = load(workload)
        self.work = written.WORKLOAD
        self.entries = {
            key: Entry()
            for key in settings.contenders
            if hasattr(written, PEERS[key.split("/")[0]].written)
            and (key in self.work.contenders if self.work.contenders else mode_of(key).usual)
        }
        self.watch = Watch()

    def run(self) -> dict[str, Entry]:
        """Start all, run the rounds, end all."""
        with ExitStack() as stack:
            running = {}
            for key, entry in self.entries.items():
                with noting_failure(entry):
                    running[key] = self.start(key, stack)
            for turn in range(1, self.settings.rounds + 1):
                for key, process in running.items():
                    self.say(f"{self.workload}: round {turn} of {self.settings.rounds}, {key}")
                    with noting_failure(self.entries[key]):
                        self.one_round(key, process)
            for key, process in running.items():
                if PEERS[key.split("/")[0]].library == "pullback":
                    with noting_failure(self.entries[key]):
                        self.entries[key].native = process.ask("native")["seconds"]
        return self.entries

    def start(self, key: str, stack: ExitStack) -> Process:
        """A contender ready for its rounds, after a process that found nothing on disk where that matters."""
        entry, cache = self.entries[key], self.folder / self.workload / key.replace("/", "-")
        cache.mkdir(parents=True)
        if mode_of(key).caches:
            self.say(f"{self.workload}: first call of {key}, nothing on disk")
            with self.process(key, cache) as cold:
                cold.ask("import")
                entry.first_cold = cold.ask("start", steps=1)["first"]
        self.say(f"{self.workload}: first call of {key}")
        process = stack.enter_context(self.process(key, cache))
        told = process.ask("import")
        entry.import_seconds, entry.version, entry.threads = told["import"], told["version"], told["threads"]
        entry.note = told["note"]
        told = process.ask("start", steps=self.work.checked)
        entry.losses, entry.first_warm = told["losses"], told["first"]
        entry.first_cold = entry.first_cold or entry.first_warm
        return process

    def process(self, key: str, cache: Path) -> Process:
        """A new process for a contender."""
        return Process(self.workload, *key.split("/"), cache, self.settings.environment)

    def one_round(self, key: str, process: Process) -> None:
        """One figure more, unless the contender has failed before."""
        entry = self.entries[key]
        if entry.problem:
            return
        time.sleep(PAUSE)
        with self.watch.on(process.process.pid):
            told = process.ask("measure", seconds=self.settings.seconds)
        if not math.isfinite(told["loss"]):
            raise Failed(f"its loss became {told['loss']}")
        entry.seconds.append(told["seconds"])
        entry.peak = told["peak"]


@contextmanager
def noting_failure(entry: Entry) -> Iterator[None]:
    """What fails inside is written down as the contender's problem, and the others go on."""
    try:
        yield
    except Failed as failure:
        entry.problem = str(failure)
