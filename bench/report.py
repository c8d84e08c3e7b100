"""The figures as tables: in the terminal while they come in, and as a section of RESULTS.md."""

from collections.abc import Iterator

from bench.field import BASELINE, PEERS, title
from bench.judge import Entries, Verdict, best, counting, median, ratio, verdicts
from bench.quiet import QUIET
from bench.results import Result
from bench.workload import Workload

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
HEAD = (
    "contender",
    "a step (lowest–highest)",
    "× PyTorch eager",
    "first call cold / warm",
    "import",
    "threads",
    "peak memory",
    "mean loss",
)

BARS_HEAD = (
    "",
    "workload",
    "per call × PyTorch eager (bar)",
    "in an epoch × PyTorch eager (bar)",
    "best mode × the best peer in its best mode (bar)",
)
PREAMBLE = """
`make bench` measures this. Each contender runs in a process of its own, in float32, with the number of threads that it
takes by itself; one runs at a time, in rounds A B C … A B C …; a figure is the median of the rounds. All start from the
same weights and see the same batches; the losses of the first hundred steps are compared (of ten where a step takes
long), and a contender that differs by more than a thousandth (a hundredth in bfloat16) does not count. Called step by
step, a contender finds its batches cut out beforehand, as tensors of its own; inside an epoch (JAX's scan, Pullback's
epoch) they are gathered by row number, and that is part of the time. The loss is fetched every hundred calls. "Cold" is
a first call with nothing kept on disk by an earlier process. Peak memory is the most that the process ever held,
libraries and data included.
""".strip()


def duration(seconds: float) -> str:
    """Three digits with a fitting unit: `12.3 µs`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= size * 0.9995 or unit == "ns":
            number = seconds / size
            return f"{number:.{0 if number >= 99.95 else 1 if number >= 9.995 else 2}f} {unit}"
    raise AssertionError


def spread(seconds: list[float]) -> str:
    """Lowest and highest, the unit once where it is the same: `12.3–14.5 µs`."""
    low, high = duration(min(seconds)), duration(max(seconds))
    return f"{low.split()[0]}–{high}" if low.split()[1] == high.split()[1] else f"{low}–{high}"


def size(bytes: int | None) -> str:
    """Gigabytes of 10⁹: `2.54 GB`; a dash where it is not known."""
    return "–" if bytes is None else f"{bytes / 1e9:.2f} GB"


def times(number: float | None) -> str:
    """A ratio: `12.3×`; a dash where there is none."""
    return "–" if number is None else f"{number:.{2 if number < 10 else 1}f}×"


def table_rows(entries: Entries) -> Iterator[tuple[str, ...]]:
    """A row per contender, the fastest first; those that do not count at the end."""
    usable = counting(entries)
    for key in sorted(usable, key=lambda key: median(usable[key])):
        yield _row(key, entries)
    for key, entry in entries.items():
        if key not in usable:
            yield (f"{title(key)} ✗", f"not counted: {entry.problem}", *[""] * (len(HEAD) - 2))


def _row(key: str, entries: Entries) -> tuple[str, ...]:
    entry = entries[key]
    return (
        title(key) + (" *" if entry.note else ""),
        f"{duration(median(entry))} ({spread(entry.seconds)})",
        times(ratio(entries, key, BASELINE)),
        f"{duration(entry.first_cold)} / {duration(entry.first_warm)}",
        duration(entry.import_seconds),
        entry.threads,
        size(entry.peak),
        f"{sum(entry.losses) / len(entry.losses):.5f}",
    )


def verdict_line(verdict: Verdict) -> str:
    """A bar in words: `✓ Pullback per call against PyTorch eager: 12.3×, bar 10×`."""
    names = f"{title(verdict.what)} against {title(verdict.against) if '/' in verdict.against else verdict.against}"
    return f"{'✓' if verdict.reached else '✗'} {names}: {times(verdict.ratio)}, bar {verdict.bar:g}×"


def lines_below(work: Workload, entries: Entries, rate: float | None) -> Iterator[str]:
    """What stands under a workload's table: bars, product rate, Python's share, and notes."""
    yield from (verdict_line(verdict) for verdict in verdicts(entries, work.bars) if verdict.bar is not None)
    if work.bars.gigabytes is not None:
        yield _memory_line(entries, work.bars.gigabytes)
    ours = best(entries, ours=True)
    if work.product_flops and ours:
        yield _product_line(work, median(entries[ours]), rate)
    for key, entry in counting(entries).items():
        if entry.native is not None:
            share = 1 - entry.native / median(entry)
            yield f"Python's share of {title(key)}: {share:.0%} ({duration(median(entry) - entry.native)} of a step)"
    for key, entry in entries.items():
        if entry.note:
            yield f"* {title(key)}: {entry.note}"


def _memory_line(entries: Entries, bar: float) -> str:
    peaks = {key: entry.peak for key, entry in counting(entries).items() if key.startswith("pullback/") and entry.peak}
    reached = bool(peaks) and max(peaks.values()) <= bar * 1e9
    told = ", ".join(f"{title(key)} {size(peak)}" for key, peak in peaks.items())
    return f"{'✓' if reached else '✗'} peak memory: {told or '–'}, bar {bar:g} GB"


def _product_line(work: Workload, seconds: float, rate: float | None) -> str:
    reached = work.product_flops / seconds / 1e9
    done = f"{work.product_flops / 1e9:.3f} GFLOP of products a step, {reached:.0f} GFLOP/s in the whole step"
    if rate is None:
        return f"✗ {done}; this machine's own rate could not be measured (bar {work.product_bar:.0%} of it)"
    mark = "✓" if reached >= work.product_bar * rate else "✗"
    share = f"{reached / rate:.0%} of the {rate:.0f} that this machine's products reach"
    return f"{mark} {done}: {share}, bar {work.product_bar:.0%}"


def section(results: dict[str, Result]) -> str:
    """The section for RESULTS.md, markers included."""
    parts = [BEGIN, "## Beside the peers", "", PREAMBLE, "", "![A step of each contender](results.png)", ""]
    parts += markdown_table(BARS_HEAD, map(_bars_row, results.values()))
    for result in results.values():
        parts += ["", f"### {result.name}: {result.workload.title}", "", circumstances(result), ""]
        parts += markdown_table(HEAD, table_rows(result.entries))
        parts += ["", *(f"- {line}" for line in lines_below(result.workload, result.entries, result.product_rate))]
    return "\n".join([*parts, END])


def markdown_table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    """The lines of a table."""
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def _bars_row(result: Result) -> tuple[str, ...]:
    work = result.workload
    found = verdicts(result.entries, work.bars)[: len(BARS_HEAD) - 2]
    return (work.name, work.title, *("–" if v.bar is None else _against_bar(v) for v in found))


def _against_bar(verdict: Verdict) -> str:
    return f"{'✓' if verdict.reached else '✗'} {times(verdict.ratio)} ({verdict.bar:g}×)"


def circumstances(result: Result) -> str:
    """Machine, versions, date and rounds in a sentence."""
    machine = result.machine
    versions = {PEERS[key.split("/")[0]].title: entry.version for key, entry in result.entries.items() if entry.version}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['system']}, Python {machine['python']}; {told}. "
        f"{result.rounds} rounds of {result.seconds:g} s on {machine['date']}. {_quietness(result.others)}"
    )


def _quietness(others: float | None) -> str:
    if others is None:
        return "How much other programs ran meanwhile is not known."
    warning = "" if others <= QUIET else ", **so that the figures say little**"
    return f"Other programs took {others:.0%} of the processor meanwhile{warning}."


def rewrite(document: str, new: str) -> str:
    """The document with the section between the markers in its place, or at its end where there is none yet."""
    if BEGIN not in document:
        return f"{document.rstrip()}\n\n{new}\n"
    before, _, rest = document.partition(BEGIN)
    return before + new + rest.partition(END)[2]
