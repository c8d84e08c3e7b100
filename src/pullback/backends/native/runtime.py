"""Runs lists of native tasks, alone or on a team of native threads that sleep while there is nothing to do.

The thread that calls is thread 0; the others are made when a run first asks for them. They know nothing of Python,
and between two runs they look for new work for some tens of microseconds, so that calls in a row find them awake.
"""

import atexit
import contextlib
import ctypes
import functools
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pullback.backends.native import executor_ir
from pullback.backends.native.compiler import compiler
from pullback.backends.native.executor_ir import (
    CONDITION,
    CONTROL_WORDS,
    COUNT,
    DESK_WORDS,
    FLAG,
    HAND_OVER,
    HAS_THREADS,
    LEAVE,
    MUTEX,
    NUMBER,
    PATIENCE,
    PROFILE,
    RUN_ALONE,
    RUN_TOGETHER,
    STEP,
    STOP,
    TASK_WORDS,
    TASKS,
    WORK,
)
from pullback.backends.native.hardware import allowed_cpus
from pullback.base.dtypes import Array

MOST_THREADS = 1024
_STACK_BYTES = 8 << 20
_ATTRIBUTE_BYTES = 256  # more than any system takes for the attributes of a thread
_LINE_BYTES = 128  # of the pair of cache lines that processors fetch together
_PATIENCE_NS = 50_000  # how long a worker looks for work before it sleeps
_SPINS = 400  # looks at a meeting, some ten microseconds, before the processor is offered to others
_SPINS_WHEN_CROWDED = 16  # the same when there are more threads than processors
# Signals that tell of a fault in the very thread that they interrupt; all others are for Python's threads.
_OWN_SIGNALS = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}


def aligned_words(count: int) -> Array:
    """Zeroed 64-bit words that share no cache line with anything else."""
    size = -(-8 * count // _LINE_BYTES) * _LINE_BYTES
    raw = np.zeros(size + _LINE_BYTES, np.uint8)
    start = -raw.ctypes.data % _LINE_BYTES
    return raw[start : start + 8 * count].view(np.int64)


@functools.cache
def _functions() -> dict[str, int]:
    names = [RUN_ALONE, RUN_TOGETHER, WORK, HAND_OVER] if HAS_THREADS else [RUN_ALONE]
    return compiler().load_module("executor", executor_ir.executor_text, names)


@functools.cache
def _run_alone() -> Callable[[int, int], int]:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(_functions()[RUN_ALONE])


class Plan:
    """A list of tasks that runs as a whole, as often as is wished.

    tasks: (n, 4) int64, as `executor_ir` describes. What the addresses in it point to is kept alive by the caller.
    flag: the address of a word that kernels set when something is wrong, or 0.

    Several Python threads may run plans at the same time. The same plan, and plans on more than one thread, wait for
    one another.
    """

    def __init__(self, tasks: Array, flag: int = 0) -> None:
        self.tasks = np.ascontiguousarray(tasks, np.int64).reshape(-1, TASK_WORDS)
        self._control = aligned_words(CONTROL_WORDS)
        self._control[[TASKS, COUNT, FLAG]] = self.tasks.ctypes.data, len(self.tasks), flag
        self.address = int(self._control.ctypes.data)
        self._lock = threading.Lock()
        self._alone = _run_alone()
        _plans.add(self)

    @property
    def step_address(self) -> int:
        """Where kernels read the number of the present step, from 0 at the beginning of a run."""
        return self.address + 8 * STEP

    @property
    def steps_done(self) -> int:
        """How many steps of the present run, or the last one, are complete. May be read while it runs."""
        return int(self._control[STEP])

    def run(self, threads: int, steps: int = 1) -> int:
        """Run the tasks `steps` times on so many threads; how many steps were completed.

        They are fewer after `stop`, or when the flag was set; then tasks that stop on it did not run.
        """
        with self._lock:
            if threads == 1 or not HAS_THREADS:
                return self._alone(self.address, steps)
            return team().run(self.address, threads, steps)

    def stop(self) -> None:
        """End the run after its present step. When nothing runs, the next run ends before its first step."""
        self._control[STOP] = 1

    def profile(self, threads: int, steps: int = 1) -> Array:
        """Run so, while thread 0 looks at the clock: (n, 2) nanoseconds and runs of each task.

        The time in which it waits for others belongs to the task before that was shared out last.
        """
        figures = np.zeros((len(self.tasks), 2), np.int64)
        self._control[PROFILE] = figures.ctypes.data
        try:
            self.run(threads, steps)
        finally:
            self._control[PROFILE] = 0
        return figures


class Team:
    """The worker threads of a process, each with a desk where it looks for work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._desks: list[Array] = []  # of threads 1, 2, ...
        self._threads: list[ctypes.c_size_t] = []
        self._addresses = aligned_words(MOST_THREADS + 1)  # of the desks, by thread number
        self._processors = len(allowed_cpus())
        functions, word = _functions(), ctypes.c_int64
        self._together = ctypes.CFUNCTYPE(word, word, word, word, word, word)(functions[RUN_TOGETHER])
        self._hand_over = ctypes.CFUNCTYPE(None, word, word)(functions[HAND_OVER])
        self._table = int(self._addresses.ctypes.data)

    def run(self, control: int, threads: int, steps: int = 1) -> int:
        """Run a control block on so many threads, the calling one among them; how many steps were completed.

        Runs on fewer threads where the system gives no more, after one warning.
        """
        with self._lock:
            if threads > len(self._desks) + 1:
                threads = self._hire(threads)
            spins = _SPINS if threads <= self._processors else _SPINS_WHEN_CROWDED
            return self._together(control, steps, threads, spins, self._table)

    def size(self) -> int:
        """How many worker threads there are."""
        return len(self._desks)

    def _hire(self, threads: int) -> int:
        """Start workers until there are so many threads in all; how many there are then."""
        self._processors = len(allowed_cpus())
        patience = _PATIENCE_NS if threads <= self._processors else 0
        with _signals_kept_away():
            for number in range(len(self._desks) + 1, min(threads, MOST_THREADS)):
                desk = _new_desk(number, patience)
                thread = _start_thread(_functions()[WORK], int(desk.ctypes.data))
                if thread is None:
                    _tell_of_missing_threads(number, threads)
                    break
                self._desks.append(desk)
                self._threads.append(thread)
                self._addresses[number] = desk.ctypes.data
        return len(self._desks) + 1

    def dismiss(self, seconds: float) -> bool:
        """End all workers, unless a run goes on for longer than so many seconds; whether they are gone."""
        if not self._lock.acquire(timeout=seconds):
            return False
        try:
            for desk in self._desks:
                self._hand_over(int(desk.ctypes.data), LEAVE)
            for thread in self._threads:
                _library().pthread_join(thread, None)
            self._desks.clear()
            self._threads.clear()
        finally:
            self._lock.release()
        return True


# Threads of the system
@functools.cache
def _library() -> Any:
    return ctypes.CDLL(None)


def _new_desk(number: int, patience: int) -> Array:
    desk = aligned_words(DESK_WORDS)
    desk[NUMBER], desk[PATIENCE] = number, patience
    base = int(desk.ctypes.data)
    _library().pthread_mutex_init(ctypes.c_void_p(base + 8 * MUTEX), None)
    _library().pthread_cond_init(ctypes.c_void_p(base + 8 * CONDITION), None)
    return desk


def _start_thread(main: int, argument: int) -> ctypes.c_size_t | None:
    """A new native thread that runs main(argument); None where the system gives none."""
    library, thread = _library(), ctypes.c_size_t()
    attributes = ctypes.create_string_buffer(_ATTRIBUTE_BYTES)
    library.pthread_attr_init(attributes)
    library.pthread_attr_setstacksize(attributes, ctypes.c_size_t(_STACK_BYTES))
    failed = library.pthread_create(ctypes.byref(thread), attributes, ctypes.c_void_p(main), ctypes.c_void_p(argument))
    library.pthread_attr_destroy(attributes)
    return None if failed else thread


@contextlib.contextmanager
def _signals_kept_away() -> Iterator[None]:
    """Threads started here leave signals such as Ctrl-C to Python's threads."""
    others = {number for number in signal.valid_signals() if getattr(number, "name", "") not in _OWN_SIGNALS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, others)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@functools.cache
def _tell_of_missing_threads(got: int, wanted: int) -> None:
    warnings.warn(
        f"the system gives {got} of {wanted} threads; set PULLBACK_THREADS to use fewer from the start", stacklevel=5
    )


# The team of this process
_team: Team | None = None
_team_lock = threading.Lock()
_plans: "weakref.WeakSet[Plan]" = weakref.WeakSet()


def team() -> Team:
    """The team of this process, made when it is first needed."""
    global _team  # one per process, made anew in a forked child
    if _team is None:
        with _team_lock:
            if _team is None:
                _team = Team()
    return _team


def _dismiss_idle_team() -> None:
    """Before a fork: a process without other threads forks safely, and later runs find new workers."""
    if _team is not None:
        _team.dismiss(0)


def _forget_team() -> None:
    """In a forked child: the parent's other threads do not exist, and what they had locked stays so."""
    global _team, _team_lock  # as above
    _team, _team_lock = None, threading.Lock()
    for plan in _plans:
        plan._lock = threading.Lock()


def _dismiss_at_exit() -> None:
    """No worker runs machine code while the interpreter takes the process apart."""
    if _team is not None:
        _team.dismiss(1)


atexit.register(_dismiss_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_dismiss_idle_team, after_in_child=_forget_team)
