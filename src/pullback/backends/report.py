"""What a compiled step does and how fast: the records that a backend fills in, and the report as a person reads it."""

import linecache
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pullback.ir.node import Node

_PHASES = ("forward", "backward", "update")
_MOST_LINES = 24  # of kernels; what takes least is summed up in one line
_WIDTH, _MOST_WHAT = 110, 32  # of a line, and of what a kernel is
_SMALL_PART = 0.05  # of a kernel's work: what has less of it is not named


# What a kernel serves
@dataclass(frozen=True)
class Place:
    """A place in the user's code that a kernel serves, and which part of the kernel's work is done for it.

    module: the dotted path, the class where that is only a number; parameter: the one that is updated.
    """

    phase: str
    module: str
    parameter: str
    file: str
    line: int
    part: float

    @property
    def source(self) -> str:
        """File and line, such as `train.py:12`; empty when unknown."""
        return f"{Path(self.file).name}:{self.line}" if self.file else ""

    @property
    def what(self) -> str:
        """The parameter in the update, else the module."""
        return self.parameter if self.phase == "update" and self.parameter else self.module


def places_of(nodes: Sequence[Node]) -> tuple[Place, ...]:
    """What these nodes, which run as one kernel, are there for; the place with most of the work comes first.

    A kernel of the backward pass often works out forward numbers again, and all updates may share some: so it is told
    by the phases and parameters of the nodes that nothing else in the kernel needs.
    """
    needed = {x for node in nodes for x in node.inputs}
    last = [n for n in nodes if needed.isdisjoint(y for y in n.outputs if y is not None)] or list(nodes)
    aims = {(n.origin.phase, n.origin.detail) for n in last}
    told = [n for n in nodes if (n.origin.phase, n.origin.detail) in aims]
    weights: dict[Place, float] = {}
    for node in told:
        place = _place(node)
        weights[place] = weights.get(place, 0) + _work(node)
    total = sum(weights.values())
    places = [replace(place, part=weight / total) for place, weight in weights.items()]
    return tuple(sorted(places, key=lambda place: -place.part))


def _place(node: Node) -> Place:
    origin = node.origin
    path, module = origin.module_path, ""
    if origin.modules and origin.phase != "update":
        kind = type(origin.modules[-1]).__name__
        module = path if path and not path.isdigit() else f"{path} ({kind})" if path else kind
    return Place(origin.phase, module, origin.detail if origin.phase == "update" else "", origin.file, origin.line, 0)


def _work(node: Node) -> float:
    """Operations; where nothing is computed, the numbers that are moved count for a little."""
    return node.op.count_flops([x.type for x in node.inputs], node.params) + 1e-3 * (1 + node.types[0].size)


# The records
@dataclass(frozen=True)
class Kernel:
    """One kernel of a step.

    kind:    product, loops, combine, copy, the name of an op, or numpy.
    what:    the same with sizes, to be read. `ops` are the ops in it, those with most work first.
    nodes:   numbers of the program's nodes that it serves; one that several kernels work out stands in each.
    seconds: of one run of the step, the median over all runs; `share` is its part of all kernels' seconds.
    limit:   what bounds it most closely, "compute" or "memory"; of that, it reaches `of_limit`. Empty when unknown.
    cached:  its data come from the caches, so that the speed of memory is no bound.
    why_numpy: why it runs through NumPy; empty when it does not.
    """

    kind: str
    what: str
    ops: tuple[str, ...]
    places: tuple[Place, ...]
    nodes: tuple[int, ...]
    calls: int
    threads: int
    seconds: float
    share: float
    flops: int
    nbytes: int
    limit: str = ""
    of_limit: float = 0.0
    cached: bool = False
    why_numpy: str = ""

    @property
    def gflops(self) -> float:
        """10⁹ operations a second."""
        return 1e-9 * self.flops / self.seconds if self.seconds else 0.0

    @property
    def gigabytes(self) -> float:
        """10⁹ bytes a second."""
        return 1e-9 * self.nbytes / self.seconds if self.seconds else 0.0

    @property
    def serves(self) -> str:
        """What it is there for: phases, modules or parameters, and lines."""
        told = [place for place in self.places if place.part >= _SMALL_PART]
        phases: dict[str, list[str]] = {}  # in which phases something is served
        for phase in _PHASES:
            mine = [place for place in told if place.phase == phase]
            if mine:
                phases.setdefault(_shortened(filter(None, (p.what for p in mine))), []).append(phase)
        parts = [f"{'+'.join(found)} {names}".strip() for names, found in phases.items()]
        return ", ".join(filter(None, (*parts, _shortened(place.source for place in told if place.source))))


def _shortened(names: Iterable[str]) -> str:
    first, *rest = dict.fromkeys(names) or [""]
    return first if not rest else f"{first}, {rest[0]}" if len(rest) == 1 else f"{first} and {len(rest)} more"


@dataclass(frozen=True)
class Memory:
    """Bytes that a step needs.

    arena: for what kernels leave to one another, at the peak; `without_reuse` if each value had a place of its own.
    state: that is read, `in_place` what of it is written where it stands. `constants` are part of the program.
    """

    arena: int
    without_reuse: int
    arguments: int
    state: int
    in_place: int
    results: int
    constants: int


@dataclass(frozen=True)
class Making:
    """How a step was made ready: seconds in all, and kernels compiled, read from disk, and there already."""

    seconds: float
    compiled: int
    from_disk: int
    known: int


@dataclass(frozen=True)
class Report:
    """What a compiled step does and how fast; printed as a table, longest kernels first.

    seconds: one run of the step, the median of `repeats`, without what Python does for a call; `watched` is the sum of
    the kernels' seconds, which are those of the calling thread, and of its waiting for others that share a kernel.
    peaks:   what this machine was measured to reach, as `backends.native.peaks.Peaks`; None on other backends.
    """

    name: str
    backend: str
    calls: int
    threads: int
    why_threads: str
    seconds: float
    watched: float
    repeats: int
    kernels: tuple[Kernel, ...]
    memory: Memory | None = None
    making: Making | None = None
    peaks: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings, ready for JSON."""
        kernels = [
            _plain(asdict(k)) | {"serves": k.serves, "gflops": k.gflops, "gigabytes": k.gigabytes} for k in self.kernels
        ]
        found: dict[str, Any] = _plain(asdict(self))
        return found | {"kernels": kernels, "phases": self.phases(), "lines": self.lines()}

    def phases(self) -> dict[str, float]:
        """The part of the time that each phase takes."""
        found = dict.fromkeys(_PHASES, 0.0)
        for kernel in self.kernels:
            for place in kernel.places:
                found[place.phase] += place.part * kernel.share
        return {phase: share for phase, share in found.items() if share}

    def lines(self) -> dict[str, float]:
        """The part of the time that each line of the user's takes, longest first; of each, `file:line`."""
        return {f"{file}:{line}" if file else "": share for (file, line), share in self._lines().items()}

    def _lines(self) -> dict[tuple[str, int], float]:
        found: dict[tuple[str, int], float] = {}
        for kernel in self.kernels:
            for place in kernel.places:
                key = place.file, place.line
                found[key] = found.get(key, 0.0) + place.part * kernel.share
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def flops(self) -> int:
        """Operations of one run."""
        return sum(k.flops for k in self.kernels)

    def __str__(self) -> str:
        sections = (self._head(), self._table(), self._told_lines(), self._facts())
        return "\n\n".join("\n".join(lines) for lines in map(list, sections) if lines)

    __repr__ = __str__

    # As text
    def _head(self) -> Iterator[str]:
        calls = "1 call" if self.calls == 1 else f"{self.calls:,} calls"
        speed = f", {1e-9 * self.flops / self.seconds:.3g} GFLOP/s" if self.seconds else ""
        count = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        yield f"{self.name} on {self.backend}: {time_text(self.seconds)} a run on {count}{speed}; {calls} so far"
        yield ", ".join(f"{phase} {_percent(share)}" for phase, share in self.phases().items())

    def _table(self) -> Iterator[str]:
        rows = _merged(self.kernels)
        shown, rest = rows[:_MOST_LINES], rows[_MOST_LINES:]
        if len(rest) == 1:
            shown, rest = rows, []
        scale, unit = (1e3, "ms") if max((k.seconds for k in rows), default=0) >= 0.01 else (1e6, "µs")
        limit = bool(self.peaks)
        told = [f"{k.calls}× {k.what}" if k.calls > 1 else k.what for k in shown]
        width = min(_MOST_WHAT, max(map(len, told), default=6))
        head = "GFLOP/s", "GB/s", "of limit" if limit else "", f"{'kernel':<{width}}"
        yield _columns(unit, "share", *head, "serves")
        for k, what in zip(shown, told, strict=True):
            speeds = _speed(k.gflops), _speed(k.gigabytes)
            yield _columns(
                _figure(scale * k.seconds), _percent(k.share), *speeds, _limit(k) if limit else "",
                f"{_fitted(what, width):<{width}}", k.serves,
            )  # fmt: skip
        if rest:
            seconds, share, calls = (sum(getattr(k, name) for k in rest) for name in ("seconds", "share", "calls"))
            yield _columns(_figure(scale * seconds), _percent(share), "", "", "", f"{calls} more, shorter ones", "")

    def _told_lines(self) -> Iterator[str]:
        for (file, line), share in list(self._lines().items())[:8]:
            if file and share >= 0.005:
                text = linecache.getline(file, line).strip()
                yield f"{_percent(share):>9}  {Path(file).name}:{line:<5} {_fitted(text, 84)}".rstrip()

    def _facts(self) -> Iterator[str]:
        yield from _fact("NumPy", self._numpy())
        yield from _fact("Memory", self._memory())
        yield from _fact("Threads", [f"{self.threads}: {self.why_threads}"])
        if self.making is not None:
            m = self.making
            kernels = f"{m.compiled} kernels compiled, {m.from_disk} from disk, {m.known} there already"
            yield from _fact("Made in", [f"{time_text(m.seconds)}: {kernels}"])
        yield from _fact("Limits", self._limits())
        yield from _fact("Measured", self._measured())

    def _numpy(self) -> list[str]:
        if self.backend == "reference":
            return ["every op runs through NumPy: that is what the reference backend is"]
        left = [k for k in _merged(self.kernels) if k.why_numpy]
        told = [f"{_percent(k.share)} in {k.what.removeprefix('NumPy ')} ({k.serves}): {k.why_numpy}" for k in left]
        return told or ["nothing runs through NumPy"]

    def _memory(self) -> list[str]:
        m = self.memory
        if m is None:
            return []
        constants = f", constants {bytes_text(m.constants)}" if m.constants else ""
        return [
            f"between kernels {bytes_text(m.arena)}, {bytes_text(m.without_reuse)} if none were reused{constants}",
            f"state {bytes_text(m.state)}, of which {bytes_text(m.in_place)} written in place; "
            f"arguments {bytes_text(m.arguments)}, results and gradients {bytes_text(m.results)}",
        ]

    def _limits(self) -> list[str]:
        p = self.peaks
        if p is None:
            return []
        told = f"{p['sgemm_one']:.0f} GFLOP/s in float32 and {p['memory_one']:.0f} GB/s of memory on 1 thread"
        if p["threads"] > 1:
            told += f", {p['sgemm_all']:.0f} and {p['memory_all']:.0f} on {p['threads']}"
        disturbed = ["other programs ran while these were measured, so they may be higher"] if p["disturbed"] else []
        is_cached = any(k.cached and k.limit for k in self.kernels)
        cached = ["cached: the data fit in the caches, so the share is of the operations alone"] if is_cached else []
        return [f"{told}, as measured here", *disturbed, *cached]

    def _measured(self) -> list[str]:
        on = "" if self.backend == "reference" else " on copies of the state"
        lines = [f"median of {self.repeats} runs{on}, without what Python does for a call"]
        if self.backend != "reference":
            lines.append(f"the kernels' own medians add up to {time_text(self.watched)}")
        return lines


# Rows that say the same
def _merged(kernels: Sequence[Kernel]) -> list[Kernel]:
    """One row for kernels that differ at most in the numbers of their modules, as layers do; longest first."""
    groups: dict[Any, list[Kernel]] = {}
    for kernel in kernels:
        key = kernel.kind, kernel.what, re.sub(r"\d+", "#", kernel.serves), kernel.why_numpy
        groups.setdefault(key, []).append(kernel)
    return sorted(map(_merge, groups.values()), key=lambda kernel: -kernel.seconds)


def _merge(kernels: Sequence[Kernel]) -> Kernel:
    first = kernels[0]
    if len(kernels) == 1:
        return first
    calls, seconds, share, flops, nbytes = (
        sum(getattr(k, name) for k in kernels) for name in ("calls", "seconds", "share", "flops", "nbytes")
    )
    of_limit = sum(k.of_limit * k.seconds for k in kernels) / seconds if seconds else 0.0
    places = tuple(
        replace(column[0], module=_range([p.module for p in column]), parameter=_range([p.parameter for p in column]))
        for column in zip(*(k.places for k in kernels), strict=False)
    )
    return replace(
        first, places=places, calls=calls, seconds=seconds, share=share, flops=flops, nbytes=nbytes, of_limit=of_limit
    )


def _range(names: Sequence[str]) -> str:
    """`blocks.0-5.attn` for names that differ in a number.

    >>> _range(["blocks.0.attn", "blocks.1.attn", "blocks.2.attn"]), _range(["0", "4"]), _range(["a", "a"])
    ('blocks.0-2.attn', '0,4', 'a')
    """
    pieces = [re.split(r"(\d+)", name) for name in names]
    if len({len(piece) for piece in pieces}) > 1:
        return names[0]
    told = []
    for column in zip(*pieces, strict=True):
        different = list(dict.fromkeys(column))
        if all(text.isdigit() for text in different) and len(different) > 1:
            numbers = sorted(map(int, different))
            neighbours = numbers[-1] - numbers[0] == len(numbers) - 1 and len(numbers) > 2
            told.append(f"{numbers[0]}-{numbers[-1]}" if neighbours else ",".join(map(str, numbers)))
        else:
            told.append(different[0])
    return "".join(told)


# Figures
def time_text(seconds: float) -> str:
    """A duration in the unit that suits it.

    >>> time_text(2.5e-6), time_text(0.01234), time_text(2)
    ('2.5 µs', '12.3 ms', '2 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def bytes_text(nbytes: int) -> str:
    """A size of memory.

    >>> bytes_text(12), bytes_text(3 << 19)
    ('12 B', '1.5 MiB')
    """
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if nbytes >> bits:
            return f"{nbytes / (1 << bits):.3g} {unit}"
    return f"{nbytes} B"


def _figure(x: float) -> str:
    return f"{x:.0f}" if x >= 1000 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def _speed(x: float) -> str:
    return "" if not x else f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 0.05 else "0.0"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.0095 or share < 0.0005 else f"{100 * share:.1f}%"


def _limit(kernel: Kernel) -> str:
    if not kernel.limit:
        return ""
    share = _percent(kernel.of_limit) if kernel.of_limit <= 1 else ">100%"
    return f"{share} {'cached' if kernel.cached else kernel.limit}"


def _columns(time: str, share: str, gflops: str, gigabytes: str, limit: str, what: str, serves: str) -> str:
    numbers = f"{time:>6} {share:>5} {gflops:>7} {gigabytes:>5}"
    return _fitted(f"{numbers}  {limit:<12} {what}  {serves}".rstrip(), _WIDTH)


def _fitted(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _fact(name: str, lines: Sequence[str]) -> Iterator[str]:
    for i, line in enumerate(lines):
        yield f"{'' if i else name:<9} {line}"


def _plain(found: Any) -> Any:
    """Tuples as lists."""
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    return [_plain(value) for value in found] if isinstance(found, (list, tuple)) else found
