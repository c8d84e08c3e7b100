"""How the executor goes through tasks, and through loops over tasks, as LLVM IR; see `executor_ir`."""

TASK = """
; A thread's share of so many things, rounded up: thread 0, which is there first, does what one thread does alone.
define internal {i64, i64} @share(i64 %count, i64 %thread, i64 %threads) nounwind alwaysinline {
entry:
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %whole, label %divide
divide:
  %exact = mul i64 %thread, %count
  %up = sub i64 %threads, 1
  %scaled = add i64 %exact, %up
  %part = udiv i64 %scaled, %threads
  %scaled_end = add i64 %scaled, %count
  %part_end = udiv i64 %scaled_end, %threads
  br label %whole
whole:
  %first = phi i64 [ 0, %entry ], [ %part, %divide ]
  %end = phi i64 [ %count, %entry ], [ %part_end, %divide ]
  %half = insertvalue {i64, i64} undef, i64 %first, 0
  %both = insertvalue {i64, i64} %half, i64 %end, 1
  ret {i64, i64} %both
}

; A thread's share of a task. `base` is where a loop's arguments are; 0 outside of loops.
define internal void @do_task(ptr %task, i64 %base, i64 %thread, i64 %threads) nounwind {
entry:
  %kernel = load ptr, ptr %task
  %arguments_at = getelementptr i64, ptr %task, i64 1
  %offset = load i64, ptr %arguments_at
  %place = add i64 %base, %offset
  %arguments = inttoptr i64 %place to ptr
  %chunks_at = getelementptr i64, ptr %task, i64 2
  %chunks = load i64, ptr %chunks_at
  %mine = call {i64, i64} @share(i64 %chunks, i64 %thread, i64 %threads)
  %first = extractvalue {i64, i64} %mine, 0
  %end = extractvalue {i64, i64} %mine, 1
  %any = icmp slt i64 %first, %end
  br i1 %any, label %work, label %done
work:
  call void %kernel(ptr %arguments, i64 %first, i64 %end)
  br label %done
done:
  ret void
}
"""

LOOPS = """
; All turns of the loop that is task i, or a thread's share of them. Whether it came to the end.
define internal i1 @do_loop(ptr %control, i64 %i, i64 %base, i1 %apart, i64 %thread, i64 %threads) nounwind {
entry:
  %tasks = load ptr, ptr %control
  %row = mul i64 %i, $TASK_WORDS
  %task = getelementptr i64, ptr %tasks, i64 %row
  %arguments_at = getelementptr i64, ptr %task, i64 1
  %offset = load i64, ptr %arguments_at
  %place = add i64 %base, %offset
  %block = inttoptr i64 %place to ptr
  %turns = load i64, ptr %block
  %inside_at = getelementptr i64, ptr %block, i64 $INSIDE
  %inside = load i64, ptr %inside_at
  %words_at = getelementptr i64, ptr %block, i64 $ARGUMENTS
  %words = load i64, ptr %words_at
  %growth_at = getelementptr i64, ptr %block, i64 $GROWTH
  %per_turn = load ptr, ptr %growth_at
  %per_thread = getelementptr i64, ptr %per_turn, i64 %words
  %first_turn = getelementptr i64, ptr %block, i64 $BLOCK
  %mine = alloca i64, i64 %words, align 64
  %mine_at = ptrtoint ptr %mine to i64
  %begin = add i64 %i, 1
  %end = add i64 %begin, %inside
  %share = call {i64, i64} @share(i64 %turns, i64 %thread, i64 %threads)
  %share_first = extractvalue {i64, i64} %share, 0
  %share_end = extractvalue {i64, i64} %share, 1
  %first = select i1 %apart, i64 %share_first, i64 0
  %last = select i1 %apart, i64 %share_end, i64 %turns
  %team = select i1 %apart, i64 1, i64 %threads
  br label %head
head:
  %turn = phi i64 [ %first, %entry ], [ %next_turn, %run ]
  %more = icmp slt i64 %turn, %last
  br i1 %more, label %copying, label %whole
copying:
  %k = phi i64 [ 0, %head ], [ %next_k, %copy ]
  %left = icmp slt i64 %k, %words
  br i1 %left, label %copy, label %run
copy:
  %from = getelementptr i64, ptr %first_turn, i64 %k
  %turn_growth_at = getelementptr i64, ptr %per_turn, i64 %k
  %thread_growth_at = getelementptr i64, ptr %per_thread, i64 %k
  %to = getelementptr i64, ptr %mine, i64 %k
  %word = load i64, ptr %from
  %turn_growth = load i64, ptr %turn_growth_at
  %thread_growth = load i64, ptr %thread_growth_at
  %by_turn = mul i64 %turn_growth, %turn
  %by_thread = mul i64 %thread_growth, %thread
  %partly = add i64 %word, %by_turn
  %now = add i64 %partly, %by_thread
  store i64 %now, ptr %to
  %next_k = add i64 %k, 1
  br label %copying
run:
  %fine = call i1 @do_tasks(ptr %control, i64 %begin, i64 %end, i64 %mine_at, i64 %thread, i64 %team)
  %next_turn = add i64 %turn, 1
  br i1 %fine, label %head, label %broken_off
whole:
  ret i1 1
broken_off:
  ret i1 0
}
"""

STEP = """
; The tasks from `begin` to `end`. Whether it came to the end of them.
define internal i1 @do_tasks(ptr %control, i64 %begin, i64 %end, i64 %base, i64 %thread, i64 %threads) nounwind {
entry:
  %tasks = load ptr, ptr %control
  %profile_at = getelementptr i64, ptr %control, i64 $PROFILE
  %profile = load i64, ptr %profile_at
  %profiled = icmp ne i64 %profile, 0
  %goes_on_at = getelementptr i64, ptr %control, i64 $GOES_ON
  br label %head
head:
  %i = phi i64 [ %begin, %entry ], [ %following, %next ], [ %behind, %looped ]
  %shared = phi i64 [ %begin, %entry ], [ %shared_now, %next ], [ %i, %looped ]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %body, label %whole
body:
  %place = mul i64 %i, $TASK_WORDS
  %task = getelementptr i64, ptr %tasks, i64 %place
  %flags_at = getelementptr i64, ptr %task, i64 $FLAGS
  %flags = load i64, ptr %flags_at
  %meeting_flags = and i64 %flags, $MEET_OR_STOP
  %flagged = icmp ne i64 %meeting_flags, 0
  %stop_flag = and i64 %flags, $STOP_ON_FLAG
  %stops = icmp ne i64 %stop_flag, 0
  br i1 %flagged, label %meeting, label %go
meeting:
  br i1 %profiled, label %timed_meeting, label %plain_meeting
plain_meeting:
  call void @meet(ptr %control, i64 %threads, i1 %stops, i1 0)
  br label %met
timed_meeting:
  call void @time_meeting(ptr %control, i64 %shared, i64 %thread, i64 %threads, i1 %stops)
  br label %met
met:
  br i1 %stops, label %check, label %go
check:
  %goes_on = load i64, ptr %goes_on_at
  %halted = icmp eq i64 %goes_on, 0
  br i1 %halted, label %broken_off, label %go
go:
  %loop_flag = and i64 %flags, $LOOP
  %is_loop = icmp ne i64 %loop_flag, 0
  br i1 %is_loop, label %loop, label %simple
loop:
  %apart_flag = and i64 %flags, $APART
  %apart = icmp ne i64 %apart_flag, 0
  %fine = call i1 @do_loop(ptr %control, i64 %i, i64 %base, i1 %apart, i64 %thread, i64 %threads)
  br i1 %fine, label %looped, label %broken_off
looped:
  %arguments_at = getelementptr i64, ptr %task, i64 1
  %offset = load i64, ptr %arguments_at
  %block_at = add i64 %base, %offset
  %block = inttoptr i64 %block_at to ptr
  %inside_at = getelementptr i64, ptr %block, i64 $INSIDE
  %inside = load i64, ptr %inside_at
  %skipped = add i64 %inside, 1
  %behind = add i64 %i, %skipped
  br label %head
simple:
  br i1 %profiled, label %timed, label %plain
plain:
  call void @do_task(ptr %task, i64 %base, i64 %thread, i64 %threads)
  br label %next
timed:
  call void @time_task(ptr %control, ptr %task, i64 %i, i64 %base, i64 %thread, i64 %threads)
  br label %next
next:
  %following = add i64 %i, 1
  %chunks_at = getelementptr i64, ptr %task, i64 2
  %chunks = load i64, ptr %chunks_at
  %is_shared = icmp sgt i64 %chunks, 1
  %shared_now = select i1 %is_shared, i64 %i, i64 %shared
  br label %head
whole:
  ; The wait at the end of a step is time of the task that was shared out last.
  %outermost = icmp eq i64 %base, 0
  %times_end = and i1 %profiled, %outermost
  br i1 %times_end, label %timed_end, label %done
timed_end:
  call void @time_meeting(ptr %control, i64 %shared, i64 %thread, i64 %threads, i1 0)
  br label %done
done:
  ret i1 1
broken_off:
  ret i1 0
}

; The tasks of one step. Whether it came to the end of them.
define internal i1 @do_step(ptr %control, i64 %thread, i64 %threads) nounwind {
entry:
  %count_at = getelementptr i64, ptr %control, i64 $COUNT
  %count = load i64, ptr %count_at
  %whole = call i1 @do_tasks(ptr %control, i64 0, i64 %count, i64 0, i64 %thread, i64 %threads)
  ret i1 %whole
}
"""
