"""The native functions that run a list of tasks on threads which know nothing of Python, as LLVM IR.

Every thread walks the same list and does its share of each task:

    for each step
        for each task
            where the task says so, meet: wait until all threads are here
            kernel(arguments, first chunk, end of chunks)
        meet; the last to come counts the step and decides whether there is another

A task may be a loop over the tasks behind it. Each thread then has a copy of all their arguments, in which addresses
move on from turn to turn. All threads walk through every turn together, or, where turns do not need one another, each
thread does its share of the turns alone.

A kernel is a function `void (ptr arguments, i64 first, i64 end)` that works on chunks first <= c < end. What the
words of a task, of a control block and of a worker's desk mean is said by the constants below.
"""

import platform
import sys
import time
from string import Template

from pullback.backends.native import executor_tasks
from pullback.backends.native.executor_clock import POSIX_CLOCK, TIMING, WINDOWS_CLOCK

# A task is four words: the kernel's address, its arguments' address, the number of chunks, and flags.
TASK_WORDS, CHUNKS, FLAGS = 4, 2, 3
MEET = 1  # flag: all threads have finished all earlier tasks before this one starts
STOP_ON_FLAG = 2  # flag: meet, and run nothing from here on when the word at FLAG is not 0
LOOP = 4  # flag: a loop; its arguments are a block as below, and as many tasks as that says stand behind it
APART = 8  # flag, beside LOOP: threads share out the turns, and each does its own alone

# A loop's block: turns, tasks inside (those of loops within included), arguments of them all, the address of a table,
# and then the arguments as they are in the first turn. The table says for each by how much it grows from turn to turn,
# and then for each by how much from thread to thread. The arguments' address of a task in a loop is an offset into
# these, in bytes.
TURNS, INSIDE, ARGUMENTS, GROWTH, BLOCK = 0, 1, 2, 3, 4

# A control block is an array of 64-bit words on two cache lines of their own for each that threads write (processors
# fetch lines in pairs). Set before a run: where the tasks are and how many; the address of the word that kernels set
# when something is wrong, or 0; the address of two words for each task, nanoseconds and runs, to add to, or 0.
TASKS, COUNT, FLAG, PROFILE = 0, 1, 2, 3
# Set by the run itself: threads, steps wanted, and how often a thread looks before it offers its processor to others.
THREADS, STEPS, SPINS = 4, 5, 6
STEP = 16  # steps done in this run, which is the number of the present one; constant during a step
GOES_ON = 17  # whether anything runs after the meeting that has just been held
STOP = 32  # whoever wants the run to end after the present step writes 1 here
ARRIVED = 48  # threads that are at the present meeting
GENERATION = 64  # meetings held
CONTROL_WORDS = 80

# A desk is where a worker looks for work. Set when it is made: which thread the worker is, and for how many
# nanoseconds it keeps looking before it sleeps. Mutex and condition have more room than any system takes for them.
NUMBER, PATIENCE = 0, 1
MAIL = 16  # 0, the address of a control block to work on, or LEAVE
SLEEPS = 32  # whether the worker sleeps until it is signalled
MUTEX, CONDITION = 48, 64
DESK_WORDS = 80
LEAVE = 1

HAS_THREADS = sys.platform != "win32"
RUN_ALONE, RUN_TOGETHER, WORK, HAND_OVER = (
    f"pullback_{name}" for name in ("run_alone", "run_together", "work", "hand_over")
)

_WAITING = """
; Returns when the word is another than it was: at first looking all the time, then offering the processor to others.
define internal void @wait_for_change(ptr %word, i64 %was, i64 %spins) nounwind noinline {
entry:
  br label %look
look:
  %left = phi i64 [ %spins, %entry ], [ %fewer, %spin ], [ 0, %offer ]
  %is = load atomic i64, ptr %word acquire, align 8
  %same = icmp eq i64 %is, %was
  br i1 %same, label %still, label %changed
still:
  %patient = icmp sgt i64 %left, 0
  br i1 %patient, label %spin, label %offer
spin:
  $pause
  %fewer = sub i64 %left, 1
  br label %look
offer:
  $offer
  br label %look
changed:
  ret void
}
"""

_MEETING = """
; What the last thread at a meeting does before all go on. After a flag: nothing more runs.
define internal void @heed_flag(ptr %control) nounwind {
entry:
  %at = getelementptr i64, ptr %control, i64 $FLAG
  %flag = load ptr, ptr %at
  %none = icmp eq ptr %flag, null
  br i1 %none, label %end, label %look
look:
  %value = load i64, ptr %flag
  %fine = icmp eq i64 %value, 0
  br i1 %fine, label %end, label %halt
halt:
  %goes_on = getelementptr i64, ptr %control, i64 $GOES_ON
  store i64 0, ptr %goes_on
  br label %end
end:
  ret void
}

; The same after the last task of a step: count it, and decide for all threads whether there is another.
define internal void @end_step(ptr %control) nounwind {
  call void @heed_flag(ptr %control)
  %step_at = getelementptr i64, ptr %control, i64 $STEP
  %step = load i64, ptr %step_at
  %done = add i64 %step, 1
  store atomic i64 %done, ptr %step_at release, align 8
  %steps_at = getelementptr i64, ptr %control, i64 $STEPS
  %steps = load i64, ptr %steps_at
  %stop_at = getelementptr i64, ptr %control, i64 $STOP
  %stop = load atomic i64, ptr %stop_at acquire, align 8
  %more = icmp slt i64 %done, %steps
  %unstopped = icmp eq i64 %stop, 0
  %goes_on_at = getelementptr i64, ptr %control, i64 $GOES_ON
  %before = load i64, ptr %goes_on_at
  %another = and i1 %more, %unstopped
  %wide = zext i1 %another to i64
  %goes_on = and i64 %before, %wide
  store i64 %goes_on, ptr %goes_on_at
  ret void
}

define internal void @act(ptr %control, i1 %heeds_flag, i1 %ends_step) nounwind {
entry:
  br i1 %ends_step, label %end, label %within
end:
  call void @end_step(ptr %control)
  ret void
within:
  br i1 %heeds_flag, label %heed, label %nothing
heed:
  call void @heed_flag(ptr %control)
  ret void
nothing:
  ret void
}

; All threads wait for one another. The generation can not move before this thread has arrived, so it is read first.
define internal void @meet(ptr %control, i64 %threads, i1 %heeds_flag, i1 %ends_step) nounwind {
entry:
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %only, label %arrive
only:
  call void @act(ptr %control, i1 %heeds_flag, i1 %ends_step)
  ret void
arrive:
  %generation_at = getelementptr i64, ptr %control, i64 $GENERATION
  %arrived_at = getelementptr i64, ptr %control, i64 $ARRIVED
  %generation = load atomic i64, ptr %generation_at acquire, align 8
  %before = atomicrmw add ptr %arrived_at, i64 1 acq_rel
  %others = sub i64 %threads, 1
  %is_last = icmp eq i64 %before, %others
  br i1 %is_last, label %last, label %wait
last:
  call void @act(ptr %control, i1 %heeds_flag, i1 %ends_step)
  store atomic i64 0, ptr %arrived_at monotonic, align 8
  %next = add i64 %generation, 1
  store atomic i64 %next, ptr %generation_at release, align 8
  ret void
wait:
  %spins_at = getelementptr i64, ptr %control, i64 $SPINS
  %spins = load i64, ptr %spins_at
  call void @wait_for_change(ptr %generation_at, i64 %generation, i64 %spins)
  ret void
}
"""

_STEPS = """
; Everything that one thread does in a run.
define internal void @do_steps(ptr %control, i64 %thread) nounwind noinline {
entry:
  %threads_at = getelementptr i64, ptr %control, i64 $THREADS
  %threads = load i64, ptr %threads_at
  %goes_on_at = getelementptr i64, ptr %control, i64 $GOES_ON
  %mode = call i64 @flush_denormals()
  br label %step
step:
  %whole = call i1 @do_step(ptr %control, i64 %thread, i64 %threads)
  br i1 %whole, label %finish, label %end
finish:
  call void @meet(ptr %control, i64 %threads, i1 0, i1 1)
  %goes_on = load i64, ptr %goes_on_at
  %another = icmp ne i64 %goes_on, 0
  br i1 %another, label %step, label %end
end:
  call void @restore_denormals(i64 %mode)
  ret void
}
"""

_RUN = """
; Prepare the words that a run changes, whatever state a run that never ended in another process left them in.
; Whether there is anything to do.
define internal i1 @begin(ptr %control, i64 %threads, i64 %steps, i64 %spins) nounwind {
  %threads_at = getelementptr i64, ptr %control, i64 $THREADS
  %steps_at = getelementptr i64, ptr %control, i64 $STEPS
  %spins_at = getelementptr i64, ptr %control, i64 $SPINS
  %step_at = getelementptr i64, ptr %control, i64 $STEP
  %goes_on_at = getelementptr i64, ptr %control, i64 $GOES_ON
  %arrived_at = getelementptr i64, ptr %control, i64 $ARRIVED
  %stop_at = getelementptr i64, ptr %control, i64 $STOP
  store i64 %threads, ptr %threads_at
  store i64 %steps, ptr %steps_at
  store i64 %spins, ptr %spins_at
  store atomic i64 0, ptr %step_at release, align 8
  store i64 1, ptr %goes_on_at
  store i64 0, ptr %arrived_at
  %stop = load atomic i64, ptr %stop_at acquire, align 8
  %unstopped = icmp eq i64 %stop, 0
  %some = icmp sgt i64 %steps, 0
  %go = and i1 %some, %unstopped
  ret i1 %go
}

; A wish to stop holds for one run. The number of steps done.
define internal i64 @end(ptr %control) nounwind {
entry:
  %stop_at = getelementptr i64, ptr %control, i64 $STOP
  %step_at = getelementptr i64, ptr %control, i64 $STEP
  %steps = load i64, ptr %step_at
  %stop = load atomic i64, ptr %stop_at acquire, align 8
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %clear, label %done
clear:
  store atomic i64 0, ptr %stop_at release, align 8
  br label %done
done:
  ret i64 %steps
}

define i64 @$RUN_ALONE(ptr %control, i64 %steps) nounwind {
entry:
  %go = call i1 @begin(ptr %control, i64 1, i64 %steps, i64 0)
  br i1 %go, label %run, label %done
run:
  call void @do_steps(ptr %control, i64 0)
  br label %done
done:
  %completed = call i64 @end(ptr %control)
  ret i64 %completed
}
"""

_WORKER = """
; What a worker does all its life: wait for mail, do what it says, empty the box.
define ptr @$WORK(ptr %desk) nounwind {
entry:
  %number = load i64, ptr %desk
  %patience_at = getelementptr i64, ptr %desk, i64 $PATIENCE
  %patience = load i64, ptr %patience_at
  %mail_at = getelementptr i64, ptr %desk, i64 $MAIL
  %sleeps_at = getelementptr i64, ptr %desk, i64 $SLEEPS
  %mutex = getelementptr i64, ptr %desk, i64 $MUTEX
  %condition = getelementptr i64, ptr %desk, i64 $CONDITION
  br label %idle
idle:
  %idle_since = call i64 @now()
  br label %look
look:
  %looks = phi i64 [ 0, %idle ], [ 0, %patient ], [ %more_looks, %pause ]
  %found = load atomic i64, ptr %mail_at acquire, align 8
  %nothing = icmp eq i64 %found, 0
  br i1 %nothing, label %pause, label %work
pause:
  $pause
  %more_looks = add i64 %looks, 1
  %again = icmp slt i64 %more_looks, 32
  br i1 %again, label %look, label %patient
patient:
  ; Whoever will bring work may be waiting for this very processor.
  call i32 @sched_yield()
  %now = call i64 @now()
  %passed = sub i64 %now, %idle_since
  %waits = icmp slt i64 %passed, %patience
  br i1 %waits, label %look, label %lie_down
lie_down:
  call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 1, ptr %sleeps_at seq_cst, align 8
  br label %asleep
asleep:
  %delivered = load atomic i64, ptr %mail_at seq_cst, align 8
  %still_nothing = icmp eq i64 %delivered, 0
  br i1 %still_nothing, label %sleep, label %rise
sleep:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %asleep
rise:
  store atomic i64 0, ptr %sleeps_at seq_cst, align 8
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %work
work:
  %mail = phi i64 [ %found, %look ], [ %delivered, %rise ]
  %leaves = icmp eq i64 %mail, $LEAVE
  br i1 %leaves, label %leave, label %run
run:
  %control = inttoptr i64 %mail to ptr
  call void @do_steps(ptr %control, i64 %number)
  store atomic i64 0, ptr %mail_at release, align 8
  br label %idle
leave:
  ret ptr null
}

; Put mail into a worker's box, and wake the worker. Either it sees the mail before it sleeps, or it is seen to sleep:
; all four accesses stand in one order.
define void @$HAND_OVER(ptr %desk, i64 %mail) nounwind {
entry:
  %mail_at = getelementptr i64, ptr %desk, i64 $MAIL
  %sleeps_at = getelementptr i64, ptr %desk, i64 $SLEEPS
  store atomic i64 %mail, ptr %mail_at seq_cst, align 8
  %sleeps = load atomic i64, ptr %sleeps_at seq_cst, align 8
  %awake = icmp eq i64 %sleeps, 0
  br i1 %awake, label %done, label %wake
wake:
  %mutex = getelementptr i64, ptr %desk, i64 $MUTEX
  %condition = getelementptr i64, ptr %desk, i64 $CONDITION
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_cond_signal(ptr %condition)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %done
done:
  ret void
}
"""

_TEAM = """
; Run with thread 0 here and the others at their desks, whose addresses stand in a row. It ends when all boxes are
; empty: from then on no worker looks at the control block.
define i64 @$RUN_TOGETHER(ptr %control, i64 %steps, i64 %threads, i64 %spins, ptr %desks) nounwind {
entry:
  %go = call i1 @begin(ptr %control, i64 %threads, i64 %steps, i64 %spins)
  br i1 %go, label %handing, label %done
handing:
  %mail = ptrtoint ptr %control to i64
  br label %hand
hand:
  %i = phi i64 [ 1, %handing ], [ %next, %hand_one ]
  %more = icmp slt i64 %i, %threads
  br i1 %more, label %hand_one, label %share
hand_one:
  %place = getelementptr ptr, ptr %desks, i64 %i
  %desk = load ptr, ptr %place
  call void @$HAND_OVER(ptr %desk, i64 %mail)
  %next = add i64 %i, 1
  br label %hand
share:
  call void @do_steps(ptr %control, i64 0)
  br label %collect
collect:
  %k = phi i64 [ 1, %share ], [ %k_next, %collect_one ]
  %k_more = icmp slt i64 %k, %threads
  br i1 %k_more, label %collect_one, label %done
collect_one:
  %k_place = getelementptr ptr, ptr %desks, i64 %k
  %k_desk = load ptr, ptr %k_place
  %k_mail_at = getelementptr i64, ptr %k_desk, i64 $MAIL
  call void @wait_for_change(ptr %k_mail_at, i64 %mail, i64 %spins)
  %k_next = add i64 %k, 1
  br label %collect
done:
  %completed = call i64 @end(ptr %control)
  ret i64 %completed
}
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @sched_yield()
"""

# How a run treats numbers too small for the format's full precision: as 0. The rest of the mode is the standard one,
# whatever the calling thread had set, so that all threads compute alike. 0x9fc0: flush results to zero (FTZ), take
# operands as zero (DAZ), round to nearest, no traps.
_X86 = """
define internal i64 @flush_denormals() nounwind {
  %mode = alloca i32, align 4
  call void @llvm.x86.sse.stmxcsr(ptr %mode)
  %before = load i32, ptr %mode
  store i32 u0x9fc0, ptr %mode
  call void @llvm.x86.sse.ldmxcsr(ptr %mode)
  %wide = zext i32 %before to i64
  ret i64 %wide
}
define internal void @restore_denormals(i64 %before) nounwind {
  %mode = alloca i32, align 4
  %narrow = trunc i64 %before to i32
  store i32 %narrow, ptr %mode
  call void @llvm.x86.sse.ldmxcsr(ptr %mode)
  ret void
}
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
declare void @llvm.x86.sse2.pause()
"""

# Bit 24 of FPCR is FZ, which flushes operands and results.
_ARM = """
define internal i64 @flush_denormals() nounwind {
  %before = call i64 @llvm.aarch64.get.fpcr()
  call void @llvm.aarch64.set.fpcr(i64 u0x1000000)
  ret i64 %before
}
define internal void @restore_denormals(i64 %before) nounwind {
  call void @llvm.aarch64.set.fpcr(i64 %before)
  ret void
}
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
declare void @llvm.aarch64.isb(i32)
"""

_OTHERS = """
define internal i64 @flush_denormals() nounwind {
  ret i64 0
}
define internal void @restore_denormals(i64 %before) nounwind {
  ret void
}
"""

_PROCESSORS = {"x86": _X86, "arm": _ARM, "": _OTHERS}
# Tells the processor that a loop only waits. On Arm `yield` does nothing and `isb` takes some nanoseconds.
_PAUSES = {"x86": "call void @llvm.x86.sse2.pause()", "arm": "call void @llvm.aarch64.isb(i32 15)", "": ""}


def _family(machine: str) -> str:
    """Processors that are told the same things in the same way."""
    names = {"x86_64": "x86", "amd64": "x86", "arm64": "arm", "aarch64": "arm"}
    return names.get(machine.lower(), "")


def executor_text(machine: str = "", has_threads: bool = HAS_THREADS) -> str:
    """The LLVM module of the executor, for this machine or the one named.

    It defines RUN_ALONE(control, steps); and where there are threads RUN_TOGETHER(control, steps, threads, spins,
    desks), WORK(desk), which is the main function of a worker, and HAND_OVER(desk, mail). Both runs give the number
    of steps done.
    """
    family = _family(machine or platform.machine())
    clock = POSIX_CLOCK if has_threads else WINDOWS_CLOCK
    walking = [executor_tasks.TASK, TIMING, executor_tasks.LOOPS, executor_tasks.STEP, _STEPS]
    parts = [_WAITING, _MEETING, *walking, _RUN, clock, _PROCESSORS[family]]
    if has_threads:
        parts += [_WORKER, _TEAM]
    words = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int | str)}
    return Template("".join(parts)).substitute(
        words,
        MEET_OR_STOP=MEET | STOP_ON_FLAG,
        pause=_PAUSES[family],
        offer="call i32 @sched_yield()" if has_threads else "",
        clock=getattr(time, "CLOCK_MONOTONIC", 1),
    )
