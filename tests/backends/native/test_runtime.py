"""Native threads that run lists of tasks: right for any number of them, quiet when idle, and gone when it is time."""

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pullback.backends.native import executor_ir, runtime
from pullback.backends.native.compiler import compile_kernels, compiler, symbol
from pullback.backends.native.executor_ir import FLAG, HAS_THREADS, MEET, STOP, STOP_ON_FLAG, executor_text
from pullback.backends.native.runtime import Plan, Team, aligned_words, team

Array = Any
THREADS = (1, 2, 3, 8)
with_threads = pytest.mark.skipif(not HAS_THREADS, reason="this system has no POSIX threads")

# Kernels whose chunk is one entry; `{body}` does the work on chunk %i with the arguments %a, %b, %c, %d.
LOOP = """
define void @{symbol}(ptr %arguments, i64 %lo, i64 %hi) {{
entry:
  %b_at = getelementptr ptr, ptr %arguments, i64 1
  %c_at = getelementptr ptr, ptr %arguments, i64 2
  %d_at = getelementptr ptr, ptr %arguments, i64 3
  %a = load ptr, ptr %arguments
  %b = load ptr, ptr %b_at
  %c = load ptr, ptr %c_at
  %d = load i64, ptr %d_at
  br label %head
head:
  %i = phi i64 [ %lo, %entry ], [ %next, %after ]
  %more = icmp slt i64 %i, %hi
  br i1 %more, label %work, label %done
work:
{body}
  br label %after
after:
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}}
"""
BODIES = {
    # a[i] += 1
    "count": """
  %at = getelementptr i64, ptr %a, i64 %i
  %old = load i64, ptr %at
  %new = add i64 %old, 1
  store i64 %new, ptr %at""",
    # b[i] = 3 a[(i + 1) mod d] + i: wrong unless all of a is there
    "mix": """
  %i1 = add i64 %i, 1
  %neighbour = srem i64 %i1, %d
  %at = getelementptr i64, ptr %a, i64 %neighbour
  %old = load i64, ptr %at
  %scaled = mul i64 %old, 3
  %new = add i64 %scaled, %i
  %to = getelementptr i64, ptr %b, i64 %i
  store i64 %new, ptr %to""",
    # b[step, i] = step, for d entries a step and the step's number at a
    "note_step": """
  %step = load i64, ptr %a
  %row = mul i64 %step, %d
  %place = add i64 %row, %i
  %to = getelementptr i64, ptr %b, i64 %place
  store i64 %step, ptr %to""",
    # b[0] = 1 when the step's number, at a, is d
    "raise": """
  %step = load i64, ptr %a
  %now = icmp eq i64 %step, %d
  br i1 %now, label %set, label %after
set:
  store i64 1, ptr %b""",
    # a[0] = 1, then wait until b[0] is not 0
    "hold": """
  store atomic i64 1, ptr %a release, align 8
  br label %wait
wait:
  %open = load atomic i64, ptr %b acquire, align 8
  %shut = icmp eq i64 %open, 0
  br i1 %shut, label %wait, label %on
on:""",
    # b[i] = a[i] c[i], in float64
    "multiply": """
  %x_at = getelementptr double, ptr %a, i64 %i
  %y_at = getelementptr double, ptr %c, i64 %i
  %x = load double, ptr %x_at
  %y = load double, ptr %y_at
  %xy = fmul double %x, %y
  %to = getelementptr double, ptr %b, i64 %i
  store double %xy, ptr %to""",
}


def text_of(name: str) -> str:
    return LOOP.format(symbol=symbol(name), body=BODIES[name])


class Tasks:
    """A list of tasks under construction, which keeps alive what the tasks point to."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int]] = []
        self.kept: list[Array] = []

    def add(self, name: str, chunks: int, *arguments: Array | int, flags: int = 0) -> "Tasks":
        address = compile_kernels({name: lambda: text_of(name)}).addresses[name]
        words = np.zeros(4, np.int64)
        for i, argument in enumerate(arguments):
            words[i] = argument if isinstance(argument, int) else argument.ctypes.data
        self.kept += [words, *arguments]
        self.rows.append((address, words.ctypes.data, chunks, flags))
        return self

    def plan(self, flag: Array | None = None) -> Plan:
        self.kept.append(flag)
        plan = Plan(np.array(self.rows, np.int64).reshape(-1, 4), 0 if flag is None else flag.ctypes.data)
        plan.kept = self.kept  # type: ignore[attr-defined]  # as long as the plan lives
        return plan


@pytest.fixture(autouse=True)
def a_test_that_hangs_ends() -> Iterator[None]:
    faulthandler.dump_traceback_later(120, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


# Tasks, chunks, meetings
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("chunks", [0, 1, 2, 7, 8, 1000])
def test_every_chunk_is_done_once(threads: int, chunks: int) -> None:
    seen, beyond = np.zeros(chunks, np.int64), np.zeros(1, np.int64)
    plan = Tasks().add("count", chunks, seen).add("count", 1, beyond, flags=MEET).plan()
    for runs in range(1, 4):
        assert plan.run(threads) == 1
        assert (seen == runs).all()
        assert beyond[0] == runs


class Chain:
    """Ten tasks, each of which needs all of what the one before it made; and what NumPy makes of the same."""

    def __init__(self, size: int, length: int = 10) -> None:
        self.state = [np.arange(size), np.zeros(size, np.int64)]
        self.expected = np.arange(size)
        self.length = length
        tasks = Tasks()
        for k in range(length):
            tasks.add("mix", size, self.state[k % 2], self.state[1 - k % 2], 0, size, flags=MEET)
        self.plan = tasks.plan()

    def expect(self, runs: int) -> None:
        with np.errstate(over="ignore"):
            for _ in range(runs * self.length):
                self.expected = np.roll(self.expected, -1) * 3 + np.arange(len(self.expected))

    @property
    def is_right(self) -> bool:
        return bool((self.state[0] == self.expected).all())


@pytest.mark.parametrize("threads", THREADS)
def test_a_task_that_meets_finds_all_earlier_work_done(threads: int) -> None:
    for size in (1, 2, 3, 8, 13, 64):
        chain = Chain(size)
        for _ in range(100):
            assert chain.plan.run(threads) == 1
        assert chain.plan.run(threads, steps=100) == 100
        chain.expect(200)
        assert chain.is_right, size


@pytest.mark.parametrize("runs", [1_000, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("threads", [3, 8])
def test_many_runs_on_more_threads_than_processors(threads: int, runs: int) -> None:
    chain = Chain(11)
    for _ in range(runs):
        assert chain.plan.run(threads) == 1
    chain.expect(runs)
    assert chain.is_right


def test_runs_on_changing_numbers_of_threads() -> None:
    """A worker that was not needed in one run, and looks late, must not take part in the next one twice."""
    first, second = Chain(9, 2), Chain(5, 2)
    for _ in range(500):
        for chain, threads in ((first, 8), (second, 2), (first, 3), (second, 1), (first, 2), (second, 8)):
            chain.plan.run(threads)
    for chain in (first, second):
        chain.expect(1500)
        assert chain.is_right


def test_no_tasks_and_no_steps() -> None:
    empty, chain = Tasks().plan(), Chain(5)
    for threads in THREADS:
        assert empty.run(threads, steps=3) == 3
        assert chain.plan.run(threads, steps=0) == 0
    assert chain.is_right


# Steps
@pytest.mark.parametrize("threads", THREADS)
def test_kernels_read_the_number_of_the_step(threads: int) -> None:
    noted, tasks = np.full((50, 6), -1), Tasks().add("note_step", 6, 0, 0, 0, 6).add("count", 1, np.zeros(1, np.int64))
    plan = tasks.plan()
    tasks.kept[0][:2] = plan.step_address, noted.ctypes.data
    for _ in range(2):
        assert plan.run(threads, steps=50) == plan.steps_done == 50
        assert (noted == np.arange(50)[:, None]).all()
        noted[:] = -1


@pytest.mark.parametrize("threads", THREADS)
def test_a_stop_ends_the_run_after_the_step_for_all_threads(threads: int) -> None:
    counted, tasks = np.zeros(9, np.int64), Tasks().add("raise", 1, 0, 0, 0, 20)
    plan = tasks.add("count", 9, counted).plan()
    tasks.kept[0][:2] = plan.step_address, plan.address + 8 * STOP
    assert plan.run(threads, steps=1000) == 21
    assert (counted == 21).all()
    assert plan.run(threads, steps=10) == 10  # it held for one run
    assert (counted == 31).all()


@pytest.mark.parametrize("threads", THREADS)
def test_a_stop_before_a_run_ends_it_before_its_first_step(threads: int) -> None:
    counted = np.zeros(9, np.int64)
    plan = Tasks().add("count", 9, counted).plan()
    plan.stop()
    assert (plan.run(threads, steps=5), plan.run(threads, steps=5)) == (0, 5)
    assert (counted == 5).all()


@with_threads
def test_python_goes_on_meanwhile_and_sees_and_stops_the_run() -> None:
    chain, done = Chain(16), []
    runner = threading.Thread(target=lambda: done.append(chain.plan.run(2, steps=1 << 40)))
    runner.start()
    while chain.plan.steps_done < 100:
        time.sleep(0.001)
    chain.plan.stop()
    runner.join()
    assert done[0] >= 100
    assert done[0] == chain.plan.steps_done
    if done[0] < 50_000:
        chain.expect(done[0])
        assert chain.is_right


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("commits", [False, True])
def test_a_flag_ends_the_run_and_spares_what_outlives_it(threads: int, commits: bool) -> None:
    flag, before, after, tasks = np.zeros(1, np.int64), np.zeros(9, np.int64), np.zeros(9, np.int64), Tasks()
    tasks.add("raise", 1, 0, flag, 0, 3).add("count", 9, before)
    tasks.add("count", 9, after, flags=STOP_ON_FLAG if commits else MEET)
    plan = tasks.plan(flag)
    tasks.kept[0][0] = plan.step_address
    assert plan.run(threads, steps=10) == (3 if commits else 4)
    assert (before == 4).all()
    assert (after == (3 if commits else 4)).all()
    flag[0] = 0
    assert plan.run(threads, steps=2) == 2


# Times
@pytest.mark.parametrize("threads", THREADS)
def test_a_profile_times_every_task(threads: int) -> None:
    long, short = np.zeros(300_000, np.int64), np.zeros(1, np.int64)
    plan = Tasks().add("count", 300_000, long).add("count", 1, short).plan()
    started = time.perf_counter_ns()
    figures = plan.profile(threads, steps=5)
    whole = time.perf_counter_ns() - started
    assert (figures[:, 1] == 5).all()
    assert (figures[:, 0] > 0).all()
    assert figures[:, 0].sum() <= whole
    # The long task takes most of the time, unless threads that have no processor of their own wait for one.
    if threads == 1:
        assert figures[0, 0] > figures[1, 0]
    assert plan.run(threads) == 1
    assert (figures[:, 1] == 5).all()  # later runs are not timed
    assert (long == 6).all()


# Denormals
@pytest.mark.skipif(not executor_ir._family(os.uname().machine if HAS_THREADS else ""), reason="no such mode")
@pytest.mark.parametrize("threads", THREADS)
def test_kernels_see_no_denormals_and_numpy_still_does(threads: int) -> None:
    tiny = np.finfo(np.float64).smallest_normal
    x = np.tile([tiny, tiny / 4, 2.0], 8)  # a result that is too small, an operand that is, and neither
    y = np.tile([0.25, 2.0**60, 3.0], 8)
    results = np.full(24, -1.0)
    Tasks().add("multiply", 24, x, results, y).plan().run(threads)
    assert (results == np.tile([0.0, 0.0, 6.0], 8)).all()
    assert (x * y == np.tile([tiny / 4, tiny * 2.0**58, 6.0], 8)).all()
    assert (x * y)[0] > 0


# The team
@with_threads
def test_workers_sleep_when_there_is_nothing_to_do() -> None:
    chain = Chain(16)
    chain.plan.run(3)
    assert team().size() >= 2
    time.sleep(0.05)
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.02
    chain.plan.run(3)
    chain.expect(2)
    assert chain.is_right


@with_threads
def test_one_thread_needs_no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Team:
        raise AssertionError("a run on one thread asked for a team")

    monkeypatch.setattr(runtime, "team", refuse)
    assert Chain(5).plan.run(1) == 1


@with_threads
def test_runs_of_several_python_threads_at_once() -> None:
    """Plans of their own, and one that all of them run."""
    shared, chains = Chain(12), [Chain(7 + k) for k in range(4)]

    def work(number: int) -> None:
        for i in range(150):
            chains[number].plan.run(1 + (number + i) % 3)
            shared.plan.run(1 + i % 3)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for chain, runs in ((shared, 600), *((chain, 150) for chain in chains)):
        chain.expect(runs)
        assert chain.is_right


@with_threads
def test_fewer_threads_do_where_the_system_gives_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    given = runtime._start_thread
    monkeypatch.setattr(runtime, "_start_thread", lambda main, desk: given(main, desk) if crew.size() < 2 else None)
    runtime._tell_of_missing_threads.cache_clear()
    crew, chain = Team(), Chain(16)
    try:
        with pytest.warns(UserWarning, match="gives 3 of 8 threads; set PULLBACK_THREADS"):
            assert crew.run(chain.plan.address, 8) == 1
        assert crew.run(chain.plan.address, 8, steps=9) == 9  # a second warning would be an error
        assert crew.size() == 2
        chain.expect(10)
        assert chain.is_right
    finally:
        assert crew.dismiss(1)


@with_threads
def test_a_dismissed_team_is_gone_and_hires_anew() -> None:
    crew, chain = Team(), Chain(16)
    before = threads_of_process()
    for runs in (1, 2):
        crew.run(chain.plan.address, 3)
        assert len(threads_of_process() - before) == 2
        assert crew.dismiss(1)
        wait_until(lambda: threads_of_process() == before)
        chain.expect(1)
        assert chain.is_right, runs


@with_threads
def test_a_team_at_work_is_not_dismissed() -> None:
    crew, started, opened = Team(), np.zeros(1, np.int64), np.zeros(1, np.int64)
    plan = Tasks().add("hold", 1, started, opened).plan()
    runner = threading.Thread(target=crew.run, args=(plan.address, 2))
    runner.start()
    wait_until(lambda: started[0] == 1)
    assert not crew.dismiss(0)
    opened[0] = 1
    runner.join()
    assert crew.dismiss(1)


@with_threads
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_leave_signals_to_python() -> None:
    before, crew, plan = threads_of_process(), Team(), Tasks().plan()
    crew.run(plan.address, 3)
    try:
        workers = threads_of_process() - before
        assert len(workers) == 2
        for worker in workers:
            blocked = signals_blocked_by(worker)
            assert blocked >> (signal.SIGINT - 1) & 1
            assert blocked >> (signal.SIGALRM - 1) & 1
            assert not blocked >> (signal.SIGSEGV - 1) & 1
        assert not signals_blocked_by(threading.get_native_id()) >> (signal.SIGINT - 1) & 1
    finally:
        crew.dismiss(1)


def threads_of_process() -> set[int]:
    """The system's numbers of all threads; where it does not tell, the test is skipped."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    return {int(name) for name in os.listdir("/proc/self/task")}


def signals_blocked_by(thread: int) -> int:
    lines = Path(f"/proc/self/task/{thread}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("SigBlk")), 16)


def wait_until(holds: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.001)


# Processes
SCRIPT = f"""
import multiprocessing, os, sys, threading, time
import numpy as np
from pullback.backends.native.compiler import compile_kernels, symbol
from pullback.backends.native.runtime import Plan, team

class Task:
    def __init__(self, name, body, arrays, chunks):
        text = {LOOP!r}
        address = compile_kernels({{name: lambda: text.format(symbol=symbol(name), body=body)}}).addresses[name]
        self.arrays = arrays
        self.words = np.array([array.ctypes.data for array in arrays] + [0] * 4, np.int64)
        self.plan = Plan(np.array([[address, self.words.ctypes.data, chunks, 1]] * 3))

counted, started, opened = np.zeros(8, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)

def counting():
    return Task("count", {BODIES["count"]!r}, [counted], 8)

def check(threads, times):
    task = counting()
    counted[:] = 0
    for _ in range(times):
        task.plan.run(threads)
    if not (counted == 3 * times).all():
        os._exit(3)

def hold():
    task = Task("hold", {BODIES["hold"]!r}, [started, opened], 1)
    runner = threading.Thread(target=task.plan.run, args=(3,), daemon=True)
    runner.start()
    while not started[0]:
        time.sleep(0.001)
    return task, runner

def in_child(context, *arguments):
    child = multiprocessing.get_context(context).Process(target=check, args=arguments)
    child.start()
    child.join(30)
    assert child.exitcode == 0, child.exitcode

def main():
"""
ENDINGS = {
    "while workers look for work": "check(3, 50)",
    "while workers sleep": "check(3, 50); time.sleep(0.2)",
    "without a run": "counting()",
    "while another thread is in a run": "hold()",
    "by SystemExit": "check(3, 5); raise SystemExit(0)",
    "after a fork": "check(3, 50); in_child('fork', 3, 50); check(3, 50); in_child('fork', 2, 50)",
    "after a spawn": "check(3, 50); in_child('spawn', 3, 50); check(3, 50)",
    "after a fork in a fork": """
    check(3, 5)
    if os.fork() == 0:
        check(3, 5)
        if os.fork() == 0:
            check(2, 5)
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    check(3, 5)""",
    "after a fork in the middle of a run": """
    task, runner = hold()
    if os.fork() == 0:
        opened[0] = 1  # the child's own memory
        if task.plan.run(3) != 1:
            os._exit(4)
        check(3, 50)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    opened[0] = 1
    runner.join()
    check(3, 50)""",
}


@with_threads
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_quietly(tmp_path: Path, ending: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + f"    {ENDINGS[ending].strip()}\n\nif __name__ == '__main__':\n    main()\n")
    # From Python 3.12 on a fork while another thread is in a run is worth a warning, which here is meant.
    options = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    assert outcome([sys.executable, *options, str(script)]) == (0, "")


def outcome(command: Sequence[str]) -> tuple[int, str]:
    """Exit status and what stands on stderr. A process that hangs is ended with all that it forked."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            told = process.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, told


# The executor's text
@pytest.mark.parametrize(
    ("triple", "machine", "signs"),
    [
        ("x86_64-unknown-linux-gnu", "x86_64", ["pause", "ldmxcsr", "stmxcsr", "lock"]),
        ("aarch64-unknown-linux-gnu", "aarch64", ["isb", "fpcr", "ldar", "stlr"]),
        ("arm64-apple-macosx", "arm64", ["isb", "fpcr"]),
    ],
)
def test_the_executor_is_valid_for_other_processors(triple: str, machine: str, signs: Sequence[str]) -> None:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this LLVM makes no code for {triple}")
    module = llvm.parse_assembly(executor_text(machine), llvm.create_context())
    module.triple = triple
    module.verify()
    assembly = target.create_target_machine(opt=2).emit_assembly(module).lower()
    assert [sign for sign in signs if sign not in assembly] == []


def test_the_executor_without_threads_runs_alone() -> None:
    text = executor_text("", has_threads=False)
    assert "pthread" not in text
    assert "sched_yield" not in text
    text = text.replace("pullback_run_alone", "pb_test_run_alone")
    # Windows' clock, which only a profile looks at.
    text = text.replace("declare i32 @QueryPerformanceCounter(ptr)", "")
    text = text.replace("call i32 @QueryPerformanceCounter(ptr %count)", "store i64 0, ptr %count")
    address = compiler().load_module("executor without threads", text, ["pb_test_run_alone"])["pb_test_run_alone"]
    chain = Chain(7)
    run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(address)
    assert run(chain.plan.address, 5) == 5
    chain.expect(5)
    assert chain.is_right


def test_words_share_no_cache_line() -> None:
    blocks = [aligned_words(n) for n in (1, 16, 17, 80)]
    for block in blocks:
        assert block.ctypes.data % 128 == 0
        assert block.flags.writeable
        assert not block.any()
    assert FLAG < executor_ir.STEP // 16 * 16  # what threads only read stands before what they write
