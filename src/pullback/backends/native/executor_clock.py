"""The executor's clock, and how a profiled run looks at it, as LLVM IR; see `executor_ir`."""

POSIX_CLOCK = """
; Nanoseconds on a clock that only moves forward.
define internal i64 @now() nounwind noinline {
  %time = alloca [2 x i64], align 8
  call i32 @clock_gettime(i32 $clock, ptr %time)
  %seconds = load i64, ptr %time
  %rest_at = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %rest_at
  %scaled = mul i64 %seconds, 1000000000
  %nanoseconds = add i64 %scaled, %rest
  ret i64 %nanoseconds
}
declare i32 @clock_gettime(i32, ptr)
"""

# Its counter's unit is 100 ns wherever Windows now runs.
WINDOWS_CLOCK = """
define internal i64 @now() nounwind noinline {
  %count = alloca i64, align 8
  call i32 @QueryPerformanceCounter(ptr %count)
  %ticks = load i64, ptr %count
  %nanoseconds = mul i64 %ticks, 100
  ret i64 %nanoseconds
}
declare i32 @QueryPerformanceCounter(ptr)
"""

TIMING = """
; A thread's share of a task, while thread 0 looks at the clock.
define internal void @time_task(ptr %control, ptr %task, i64 %i, i64 %base, i64 %thread, i64 %threads)
    nounwind noinline {
  %start = call i64 @now()
  call void @do_task(ptr %task, i64 %base, i64 %thread, i64 %threads)
  call void @note(ptr %control, i64 %i, i64 %start, i64 %thread, i64 1)
  ret void
}

; Meet others, which is time of the task that was shared out last.
define internal void @time_meeting(ptr %control, i64 %shared, i64 %thread, i64 %threads, i1 %heeds) nounwind noinline {
  %start = call i64 @now()
  call void @meet(ptr %control, i64 %threads, i1 %heeds, i1 0)
  call void @note(ptr %control, i64 %shared, i64 %start, i64 %thread, i64 0)
  ret void
}

; Add what has passed on thread 0 since `start`, and so many runs, to the figures of task i.
define internal void @note(ptr %control, i64 %i, i64 %start, i64 %thread, i64 %more_runs) nounwind noinline {
entry:
  %end = call i64 @now()
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %note, label %done
note:
  %profile_at = getelementptr i64, ptr %control, i64 $PROFILE
  %profile = load ptr, ptr %profile_at
  %place = shl i64 %i, 1
  %sum_at = getelementptr i64, ptr %profile, i64 %place
  %runs_at = getelementptr i64, ptr %sum_at, i64 1
  %passed = sub i64 %end, %start
  %sum = load i64, ptr %sum_at
  %new_sum = add i64 %sum, %passed
  store i64 %new_sum, ptr %sum_at
  %runs = load i64, ptr %runs_at
  %new_runs = add i64 %runs, %more_runs
  store i64 %new_runs, ptr %runs_at
  br label %done
done:
  ret void
}
"""
