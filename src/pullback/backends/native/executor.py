"""The function that runs a schedule: every thread walks the same list of tasks and does its share of each.

    run(control, thread):
        for each step
            for each task
                where the task says so, wait until all threads are here
                kernel(arguments, first chunk, end of chunks)
            wait until all threads are here; the last to come counts the step

A control block is an array of 64-bit words; the constants below name its words. Words that threads write stand on
cache lines of their own. A task is four words: the kernel's address, its arguments' address, the number of chunks,
and flags. Also here: what a worker thread does all its life, and how it is given work.
"""

import platform
import sys
from collections.abc import Callable

from llvmlite import ir

# Words of a control block.
TASKS, COUNT, THREADS, STEPS, FLAG, PROFILE = range(6)
STEP, ARRIVED, GENERATION, STOPPED = 16, 32, 48, 64
CONTROL_WORDS = 80
TASK_WORDS, FLAGS = 4, 3
# Flags of a task: threads meet before it; and nothing runs from it on when the word at FLAG is not 0.
MEET, STOP_ON_FLAG = 1, 2

# Words of a team's block. Mutex and condition have more room than any system takes for them.
TICKET, WORK, DONE, MUTEX, CONDITION = 0, 16, 32, 48, 80
TEAM_WORDS = 112

_SPINS = (
    1_000  # pauses while waiting at a meeting (some tens of microseconds) before the processor is offered to others
)
_WORKER_SPINS = 2_000  # pauses while a worker waits for work before it sleeps
_FLUSH_DENORMALS = 0x8040  # FTZ and DAZ in MXCSR of x86
_FLUSH_TO_ZERO = 1 << 24  # FZ in FPCR of Arm

I1, I32, I64 = (ir.IntType(bits) for bits in (1, 32, 64))
POINTER = ir.PointerType()
VOID = ir.VoidType()
_KERNEL = ir.FunctionType(VOID, [POINTER, I64, I64])
HAS_TEAM = sys.platform != "win32"


def build_executor() -> str:
    """The LLVM module with `run(control, thread)`, `work(team and thread)` and `lead(team, control)`."""
    return str(_Executor().module)


class _Executor:
    def __init__(self) -> None:
        self.module = ir.Module("executor")
        self.pause = self._pause()
        self.barrier = self._barrier()
        self.run = self._run()
        if HAS_TEAM:
            self._work()
            self._lead()

    # Small things
    def _declared(self, name: str, result: ir.Type, *types: ir.Type) -> ir.Function:
        found = self.module.globals.get(name)
        return found or ir.Function(self.module, ir.FunctionType(result, types), name)

    @staticmethod
    def _word(b: ir.IRBuilder, block: ir.Value, place: int) -> ir.Value:
        return b.gep(block, [I64(place)], inbounds=True, source_etype=I64)

    def _load(self, b: ir.IRBuilder, block: ir.Value, place: int) -> ir.Value:
        return b.load(self._word(b, block, place), typ=I64)

    def _acquire(self, b: ir.IRBuilder, block: ir.Value, place: int) -> ir.Value:
        return b.load_atomic(self._word(b, block, place), "acquire", 8, typ=I64)

    def _release(self, b: ir.IRBuilder, number: ir.Value, block: ir.Value, place: int) -> None:
        # An exchange, since llvmlite stores atomically through typed pointers alone.
        b.atomic_rmw("xchg", self._word(b, block, place), number, "release")

    def _pause(self) -> Callable[[ir.IRBuilder], None]:
        """Tells the processor that a loop only waits."""
        machine = platform.machine().lower()

        def write(b: ir.IRBuilder) -> None:
            if machine in ("x86_64", "amd64"):
                b.call(self._declared("llvm.x86.sse2.pause", VOID), [])
            elif machine in ("arm64", "aarch64"):
                b.call(self._declared("llvm.aarch64.hint", VOID, I32), [I32(1)])

        return write

    def _wait(
        self, f: ir.Function, b: ir.IRBuilder, is_over: Callable[[ir.IRBuilder], ir.Value], name: str
    ) -> ir.IRBuilder:
        """Wait until something holds: at first in a loop, later offering the processor to others in between."""
        head, over, patient, impatient, after = (
            f.append_basic_block(f"{name}.{part}") for part in ("head", "look", "spin", "yield", "end")
        )
        b.branch(head)
        top = ir.IRBuilder(head)
        spins = top.phi(I64)
        spins.add_incoming(I64(0), b.block)
        top.cbranch(is_over(top), after, over)
        look = ir.IRBuilder(over)
        look.cbranch(look.icmp_signed("<", spins, I64(_SPINS)), patient, impatient)
        spin = ir.IRBuilder(patient)
        self.pause(spin)
        spins.add_incoming(spin.add(spins, I64(1)), patient)
        spin.branch(head)
        offer = ir.IRBuilder(impatient)
        if HAS_TEAM:
            offer.call(self._declared("sched_yield", I32), [])
        spins.add_incoming(spins, impatient)
        offer.branch(head)
        return ir.IRBuilder(after)

    # Meetings
    def _barrier(self) -> ir.Function:
        """meet(control, threads, latches, counts): all threads wait for one another; the last acts for all.

        It notes whether to stop where `latches`, and counts the step where `counts`.
        """
        f = ir.Function(self.module, ir.FunctionType(VOID, [POINTER, I64, I1, I1]), "meet")
        f.linkage = "internal"
        control, threads, latches, counts = f.args
        b = ir.IRBuilder(f.append_basic_block("entry"))
        generation = self._acquire(b, control, GENERATION)
        before = b.atomic_rmw("add", self._word(b, control, ARRIVED), I64(1), "acq_rel")
        last, wait = f.append_basic_block("last"), f.append_basic_block("wait")
        b.cbranch(b.icmp_signed("==", before, b.sub(threads, I64(1))), last, wait)
        b = ir.IRBuilder(last)
        with b.if_then(latches):
            flag = b.load(b.inttoptr(self._load(b, control, FLAG), POINTER), typ=I64)
            b.store(flag, self._word(b, control, STOPPED))
        with b.if_then(counts):
            b.store(b.add(self._load(b, control, STEP), I64(1)), self._word(b, control, STEP))
        b.store(I64(0), self._word(b, control, ARRIVED))
        self._release(b, b.add(generation, I64(1)), control, GENERATION)
        b.ret_void()
        b = ir.IRBuilder(wait)
        b = self._wait(
            f, b, lambda c: c.icmp_signed("!=", self._acquire(c, control, GENERATION), generation), "meeting"
        )
        b.ret_void()
        return f

    # A schedule
    def _run(self) -> ir.Function:
        f = ir.Function(self.module, ir.FunctionType(VOID, [POINTER, I64]), "run")
        control, thread = f.args
        b = ir.IRBuilder(f.append_basic_block("entry"))
        self._mode_box = b.alloca(I32)
        before = self._flush_denormals(b)
        self._words = {
            name: self._load(b, control, place)
            for name, place in (
                ("tasks", TASKS), ("count", COUNT), ("threads", THREADS), ("steps", STEPS), ("profile", PROFILE)
            )
        }  # fmt: skip
        ticks, self._shared = b.alloca(I64), b.alloca(I64)
        b.store(I64(0), self._shared)
        b.store(self._ticks(b), ticks)
        end = f.append_basic_block("end")
        step_head, tasks_done = f.append_basic_block("step"), f.append_basic_block("tasks.done")
        task_head, task_body = f.append_basic_block("task"), f.append_basic_block("task.body")
        entry = b.block
        b.cbranch(b.icmp_signed(">", self._words["steps"], I64(0)), step_head, end)
        b = ir.IRBuilder(step_head)
        step = b.phi(I64)
        step.add_incoming(I64(0), entry)
        b.branch(task_head)
        b = ir.IRBuilder(task_head)
        task = b.phi(I64)
        task.add_incoming(I64(0), step_head)
        b.cbranch(b.icmp_signed("<", task, self._words["count"]), task_body, tasks_done)
        b = self._task(f, ir.IRBuilder(task_body), task, ticks, end)
        task.add_incoming(b.add(task, I64(1)), b.block)
        b.branch(task_head)
        b = ir.IRBuilder(tasks_done)
        b.call(self.barrier, [control, self._words["threads"], I1(1), I1(1)])
        with b.if_then(b.icmp_signed("!=", self._words["profile"], I64(0))):
            self._note_time(b, thread, b.load(self._shared, typ=I64), ticks)
        following = b.add(step, I64(1))
        goes_on = b.and_(
            b.icmp_signed("<", following, self._words["steps"]),
            b.icmp_signed("==", self._load(b, control, STOPPED), I64(0)),
        )
        step.add_incoming(following, b.block)
        b.cbranch(goes_on, step_head, end)
        b = ir.IRBuilder(end)
        self._restore_denormals(b, before)
        b.ret_void()
        return f

    def _task(self, f: ir.Function, b: ir.IRBuilder, task: ir.Value, ticks: ir.Value, end: ir.Block) -> ir.IRBuilder:
        control, thread = f.args
        threads = self._words["threads"]
        place = b.mul(task, I64(TASK_WORDS))
        tasks = b.inttoptr(self._words["tasks"], POINTER)
        kernel, arguments, chunks, flags = (
            b.load(b.gep(tasks, [b.add(place, I64(k))], source_etype=I64), typ=I64) for k in range(TASK_WORDS)
        )
        meets = b.icmp_signed("!=", b.and_(flags, I64(MEET)), I64(0))
        stops = b.icmp_signed("!=", b.and_(flags, I64(STOP_ON_FLAG)), I64(0))
        profiled = b.icmp_signed("!=", self._words["profile"], I64(0))
        together = b.icmp_signed(">", threads, I64(1))
        with b.if_then(b.or_(stops, b.and_(together, meets))):
            b.call(self.barrier, [control, threads, stops, I1(0)])
        halted = b.and_(stops, b.icmp_signed("!=", self._load(b, control, STOPPED), I64(0)))
        go = f.append_basic_block("task.go")
        b.cbranch(halted, end, go)
        b = ir.IRBuilder(go)
        # To wait until others have done their part is time of the task that was shared out last.
        with b.if_then(profiled):
            self._note_time(b, thread, b.load(self._shared, typ=I64), ticks)
            b.store(b.select(b.icmp_signed(">", chunks, I64(1)), task, b.load(self._shared, typ=I64)), self._shared)
        # Rounded up, so that thread 0, which is there first, does what one thread does alone.
        up = b.sub(threads, I64(1))
        first = b.sdiv(b.add(b.mul(thread, chunks), up), threads)
        last = b.sdiv(b.add(b.mul(b.add(thread, I64(1)), chunks), up), threads)
        with b.if_then(b.icmp_signed("<", first, last)):
            b.call(b.inttoptr(kernel, _KERNEL.as_pointer()), [b.inttoptr(arguments, POINTER), first, last])
        with b.if_then(profiled):
            self._note_time(b, thread, task, ticks)
        return b

    def _note_time(self, b: ir.IRBuilder, thread: ir.Value, task: ir.Value, ticks: ir.Value) -> None:
        """Add the ticks of thread 0 since it last noted them to the task's sum."""
        with b.if_then(b.icmp_signed("==", thread, I64(0))):
            now = self._ticks(b)
            times = b.inttoptr(self._words["profile"], POINTER)
            box = b.gep(times, [task], source_etype=I64)
            passed = b.sub(now, b.load(ticks, typ=I64))
            b.store(b.add(b.load(box, typ=I64), passed), box)
            b.store(now, ticks)

    def _ticks(self, b: ir.IRBuilder) -> ir.Value:
        counter = self._declared("llvm.readcyclecounter", I64)
        return b.call(counter, [])

    def _flush_denormals(self, b: ir.IRBuilder) -> ir.Value | None:
        """Numbers too small for the format's full precision count as 0 from here on; how it was before."""
        machine = platform.machine().lower()
        if machine in ("x86_64", "amd64"):
            b.call(self._declared("llvm.x86.sse.stmxcsr", VOID, POINTER), [self._mode_box])
            before = b.load(self._mode_box, typ=I32)
            b.store(b.or_(before, I32(_FLUSH_DENORMALS)), self._mode_box)
            b.call(self._declared("llvm.x86.sse.ldmxcsr", VOID, POINTER), [self._mode_box])
            return before
        if machine in ("arm64", "aarch64"):
            before = b.call(self._declared("llvm.aarch64.get.fpcr", I64), [])
            b.call(self._declared("llvm.aarch64.set.fpcr", VOID, I64), [b.or_(before, I64(_FLUSH_TO_ZERO))])
            return before
        return None

    def _restore_denormals(self, b: ir.IRBuilder, before: ir.Value | None) -> None:
        if before is None:
            return
        if before.type == I32:
            b.store(before, self._mode_box)
            b.call(self._declared("llvm.x86.sse.ldmxcsr", VOID, POINTER), [self._mode_box])
        else:
            b.call(self._declared("llvm.aarch64.set.fpcr", VOID, I64), [before])

    # Worker threads
    def _locking(self, b: ir.IRBuilder, name: str, team: ir.Value, *places: int) -> None:
        words = [self._word(b, team, place) for place in places]
        b.call(self._declared(f"pthread_{name}", I32, *[POINTER] * len(words)), words)

    def _work(self) -> None:
        """work(pair of team and thread number): wait for a ticket, do the work, and so on until there is none."""
        f = ir.Function(self.module, ir.FunctionType(POINTER, [POINTER]), "work")
        b = ir.IRBuilder(f.append_basic_block("entry"))
        team = b.inttoptr(self._load(b, f.args[0], 0), POINTER)
        thread, first = self._load(b, f.args[0], 1), self._load(b, f.args[0], 2)
        wait, spin, sleep, asleep, awake, act, leave, share = (
            f.append_basic_block(n) for n in ("wait", "spin", "sleep", "asleep", "awake", "act", "leave", "share")
        )
        entry = b.block
        b.branch(wait)
        b = ir.IRBuilder(wait)
        seen, spins = b.phi(I64), b.phi(I64)
        seen.add_incoming(first, entry)
        spins.add_incoming(I64(0), entry)
        b.cbranch(b.icmp_signed("!=", self._acquire(b, team, TICKET), seen), act, spin)
        b = ir.IRBuilder(spin)
        self.pause(b)
        more = b.add(spins, I64(1))
        seen.add_incoming(seen, spin)
        spins.add_incoming(more, spin)
        b.cbranch(b.icmp_signed("<", more, I64(_WORKER_SPINS)), wait, sleep)
        b = ir.IRBuilder(sleep)
        self._locking(b, "mutex_lock", team, MUTEX)
        b.branch(asleep)
        b = ir.IRBuilder(asleep)
        still = f.append_basic_block("still")
        b.cbranch(b.icmp_signed("!=", self._acquire(b, team, TICKET), seen), awake, still)
        b = ir.IRBuilder(still)
        self._locking(b, "cond_wait", team, CONDITION, MUTEX)
        b.branch(asleep)
        b = ir.IRBuilder(awake)
        self._locking(b, "mutex_unlock", team, MUTEX)
        b.branch(act)
        b = ir.IRBuilder(act)
        ticket = self._acquire(b, team, TICKET)
        address = self._load(b, team, WORK)
        b.cbranch(b.icmp_signed("==", address, I64(0)), leave, share)
        ir.IRBuilder(leave).ret(ir.Constant(POINTER, None))
        b = ir.IRBuilder(share)
        control = b.inttoptr(address, POINTER)
        with b.if_then(b.icmp_signed("<", thread, self._load(b, control, THREADS))):
            b.call(self.run, [control, thread])
            b.atomic_rmw("add", self._word(b, team, DONE), I64(1), "release")
        seen.add_incoming(ticket, b.block)
        spins.add_incoming(I64(0), b.block)
        b.branch(wait)

    def _lead(self) -> None:
        """lead(team, control): give out a ticket, do thread 0's share, wait until the others are through."""
        f = ir.Function(self.module, ir.FunctionType(VOID, [POINTER, POINTER]), "lead")
        team, control = f.args
        b = ir.IRBuilder(f.append_basic_block("entry"))
        b.store(b.ptrtoint(control, I64), self._word(b, team, WORK))
        b.store(I64(0), self._word(b, team, DONE))
        self._locking(b, "mutex_lock", team, MUTEX)
        self._release(b, b.add(self._load(b, team, TICKET), I64(1)), team, TICKET)
        self._locking(b, "cond_broadcast", team, CONDITION)
        self._locking(b, "mutex_unlock", team, MUTEX)
        others = b.sub(self._load(b, control, THREADS), I64(1))
        b.call(self.run, [control, I64(0)])
        b = self._wait(f, b, lambda c: c.icmp_signed(">=", self._acquire(c, team, DONE), others), "finish")
        b.ret_void()
