"""Native threads that run schedules: one for each core, asleep while there is nothing to do.

The thread that calls is thread 0; the others are made when a plan first asks for them. They know nothing of Python.
Between two runs they look for new work for some tens of microseconds, so that calls in a row find them awake.
"""

import atexit
import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from pullback.backends.native import executor
from pullback.backends.native.executor import (
    CONTROL_WORDS,
    COUNT,
    FLAG,
    HAS_TEAM,
    PROFILE,
    STEP,
    STEPS,
    STOPPED,
    TASKS,
    TEAM_WORDS,
    THREADS,
    TICKET,
    WORK,
)
from pullback.backends.native.machine_code import jit
from pullback.base.dtypes import Array

_STACK_BYTES = 1 << 23
_ATTRIBUTE_BYTES = 256  # more than any system takes for the attributes of a thread


def words(count: int) -> Array:
    """Zeroed 64-bit words that begin on a cache line."""
    raw = np.zeros(count + 8, np.int64)
    start = (-raw.ctypes.data % 64) // 8
    return raw[start : start + count]


@functools.cache
def _functions() -> dict[str, int]:
    names = ("run", "work", "lead") if HAS_TEAM else ("run",)
    return jit().load_module("executor", executor.build_executor, names)


@functools.cache
def _run_alone() -> Callable[[int, int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(_functions()["run"])


class Plan:
    """A list of tasks, four words each (see `executor`), that runs as a whole, as often as is wished.

    `flag` is the address of a word that kernels set when an index is out of range.
    """

    def __init__(self, tasks: Array, flag: int) -> None:
        self.tasks = np.ascontiguousarray(tasks, np.int64)
        self._control = control = words(CONTROL_WORDS)
        control[TASKS], control[COUNT], control[FLAG] = self.tasks.ctypes.data, len(self.tasks), flag
        control[THREADS] = control[STEPS] = 1
        self._address = int(control.ctypes.data)
        self._threads, self._steps = 1, 1
        self._alone = _run_alone()
        # Written through a view of C integers, which takes a third of the time that NumPy takes.
        self._words = (ctypes.c_int64 * CONTROL_WORDS).from_buffer(control.data)

    @property
    def step_address(self) -> int:
        """Where kernels read the number of the present step, from 0 at the beginning of a run."""
        return self._address + 8 * STEP

    def run(self, threads: int, steps: int = 1) -> int:
        """Run the tasks `steps` times on so many threads; how many steps were completed.

        Fewer are when the flag was set: then the tasks that write what outlives the run did not run.
        """
        control = self._words
        if threads != self._threads or steps != self._steps:
            self._threads, self._steps = threads, steps
            control[THREADS], control[STEPS] = threads, steps
        control[STEP] = control[STOPPED] = 0
        if threads == 1 or not HAS_TEAM:
            self._alone(self._address, 0)
        else:
            team().lead(self._address, threads)
        return control[STEP]

    def profile(self, threads: int, repeats: int, steps: int = 1) -> Array:
        """Ticks that each task took, over so many runs of so many steps; their sum is the whole time."""
        ticks = np.zeros(len(self.tasks), np.int64)
        self._words[PROFILE] = ticks.ctypes.data
        try:
            for _ in range(repeats):
                self.run(threads, steps)
        finally:
            self._words[PROFILE] = 0
        return ticks


class Team:
    """The worker threads of a process."""

    def __init__(self) -> None:
        self._block = words(TEAM_WORDS)
        self._address = int(self._block.ctypes.data)
        self._lock = threading.Lock()
        self._workers: list[tuple[Any, Array]] = []
        self._lead = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(_functions()["lead"])
        self._library = ctypes.CDLL(None)

    def lead(self, control: int, threads: int) -> None:
        """Run a control block on so many threads, the calling one among them."""
        with self._lock:
            while len(self._workers) < threads - 1:
                self._hire()
            self._lead(self._address, control)

    def _hire(self) -> None:
        """Start one more worker."""
        number = len(self._workers) + 1
        about = np.array([self._address, number, self._block[TICKET]], np.int64)
        library, handle = self._library, ctypes.c_size_t()
        attributes = ctypes.create_string_buffer(_ATTRIBUTE_BYTES)
        library.pthread_attr_init(attributes)
        library.pthread_attr_setstacksize(attributes, ctypes.c_size_t(_STACK_BYTES))
        failed = library.pthread_create(
            ctypes.byref(handle), attributes, ctypes.c_void_p(_functions()["work"]), ctypes.c_void_p(about.ctypes.data)
        )
        library.pthread_attr_destroy(attributes)
        if failed:
            raise RuntimeError(
                f"the system gives no further thread ({os.strerror(failed)}); set PULLBACK_THREADS lower"
            )
        self._workers.append((handle, about))

    def dismiss(self) -> None:
        """End all workers: an empty ticket, then wait until they are gone."""
        with self._lock:
            if self._workers:
                idle = words(CONTROL_WORDS)
                idle[THREADS] = 1
                # A ticket without work; `lead` itself would run it, so it is given out by hand.
                self._block[WORK] = 0
                self._ring()
            for handle, _ in self._workers:
                self._library.pthread_join(handle, None)
            self._workers.clear()

    def _ring(self) -> None:
        library, base = self._library, self._address
        mutex, condition = (ctypes.c_void_p(base + 8 * place) for place in (executor.MUTEX, executor.CONDITION))
        library.pthread_mutex_lock(mutex)
        self._block[TICKET] += 1
        library.pthread_cond_broadcast(condition)
        library.pthread_mutex_unlock(mutex)


_team: Team | None = None
_making = threading.Lock()


def team() -> Team:
    """The team of this process, made when it is first needed."""
    global _team  # one per process, made anew in a forked child
    if _team is None:
        with _making:
            if _team is None:
                _team = Team()
    return _team


def _forget_team() -> None:
    """In a forked child the parent's threads do not exist."""
    global _team, _making  # as above
    _team, _making = None, threading.Lock()


def _dismiss_team() -> None:
    if _team is not None:
        _team.dismiss()


atexit.register(_dismiss_team)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_team)
