"""Write a program anew by local rules: each node, as it is about to be written, may become something simpler."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pullback.base.errors import PullbackError
from pullback.ir.mode import mode
from pullback.ir.node import Op, Value
from pullback.ir.program import Program, Recorder, live_nodes, recording
from pullback.ir.types import Type
from pullback.passes.dedupe import frozen

# They cost nothing wherever they stand, so one node is enough for all who want the same.
_FREE = frozenset(["full", "iota", "constant"])
_MOST_ROUNDS = 8
# For what a rule has just written: who else will read it shows in the next round.
_MANY = 1_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A node that is about to be written: its inputs are written already.

    `write(op, *inputs, **params)` writes another one, to which the rules apply as well: a rule that has begun to write
    applies. `uses` counts who reads a value, the program's outputs included.
    """

    op: Op
    inputs: tuple[Value, ...]
    params: dict[str, Any]
    write: Callable[..., Value]
    uses: Callable[[Value], int]

    @property
    def type(self) -> Type:
        """The type of the node's output."""
        return self.op.infer([x.type for x in self.inputs], self.params)[0]


# What stands for the draft; None where the rule does not apply.
Rewrite = Callable[[Draft], Value | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite and the ops, by name, whose nodes it may apply to."""

    rewrite: Rewrite
    ops: frozenset[str]

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.rewrite.__name__


def rule(rewrite: Rewrite, ops: str | Iterable[str]) -> Rule:
    """A row of a table of rules; the ops as names between spaces."""
    return Rule(rewrite, frozenset(ops.split() if isinstance(ops, str) else ops))


def rewrite(program: Program, rules: Sequence[Rule]) -> Program:
    """The program after the rules, in their order, wherever they apply, until none does (at most eight rounds).

    Nodes that become equal become one. Nodes that are equal from the start stay apart: they are computed twice on
    purpose, as a checkpoint does.
    """
    by_op: dict[str, list[Rewrite]] = {}
    for row in rules:
        for name in row.ops:
            by_op.setdefault(name, []).append(row.rewrite)
    for _ in range(_MOST_ROUNDS):
        if not _some_rule_applies(program, by_op):
            break
        program = _Round(program, by_op).run()
    return program


class _Applies(Exception):  # no error: it ends the search
    """A rule has begun to write."""


def _begin_to_write(op: Op, *inputs: Value, **params: Any) -> Value:
    raise _Applies


def _some_rule_applies(program: Program, rules: Mapping[str, Sequence[Rewrite]]) -> bool:
    """Whether a round would change the program, found out without writing it."""
    uses = _count_uses(program)
    try:
        for node in program.nodes:
            candidates = rules.get(node.op.name)
            if candidates:
                draft = Draft(node.op, node.inputs, node.params, _begin_to_write, uses.__getitem__)
                if any(candidate(draft) is not None for candidate in candidates):
                    return True
    except _Applies:
        return True
    return False


class _Round:
    """Writes a program once, node by node."""

    def __init__(self, program: Program, rules: Mapping[str, Sequence[Rewrite]]) -> None:
        self._program = program
        self._rules = rules
        self._repeats = _repeats(program)
        self._repeat = 0
        self._known: dict[Hashable, tuple[Value, ...]] = {}
        self._uses: dict[Value, int] = {}  # by the program that is rewritten
        self._readers: dict[Value, int] = {}  # among what is written so far

    def run(self) -> Program:
        """The program as the rules leave it."""
        program, recorder, old_uses = self._program, Recorder(), _count_uses(self._program)
        found = recorder.inputs_of(program)
        with recording(recorder), mode.holding(origin=None):
            for node, repeat in zip(program.nodes, self._repeats, strict=True):
                mode.origin, self._repeat = node.origin, repeat
                results = self._apply(node.op, tuple([found[x] for x in node.inputs]), node.params)
                for old, new in zip(node.outputs, results, strict=True):
                    if old is not None:
                        found[old] = new
                        new.name = new.name or old.name
                        self._uses[new] = self._uses.get(new, 0) + old_uses.get(old, 0)
        outputs = tuple(found[y] for y in program.outputs)
        return Program(tuple(found[x] for x in program.inputs), live_nodes(recorder.nodes, outputs), outputs)

    def _write(self, op: Op, *inputs: Value, **params: Any) -> Value:
        return self._apply(op, inputs, params)[0]

    def _apply(self, op: Op, inputs: tuple[Value, ...], params: dict[str, Any]) -> tuple[Value, ...]:
        candidates = self._rules.get(op.name)
        if candidates:
            draft = Draft(op, inputs, params, self._write, self._count)
            for candidate in candidates:
                found = candidate(draft)
                if found is not None:
                    _check_type(candidate, draft, found)
                    return (found,)
        key = (op.name, inputs, frozen(params), 0 if op.name in _FREE else self._repeat)
        if key not in self._known:
            self._known[key] = op.apply(inputs, params)
            for x in inputs:
                self._readers[x] = self._readers.get(x, 0) + 1
        return self._known[key]

    def _count(self, value: Value) -> int:
        return max(self._uses.get(value, _MANY), self._readers.get(value, 0))


def _check_type(candidate: Rewrite, draft: Draft, found: Value) -> None:
    if found.type != draft.type:
        raise PullbackError(f"the rule {candidate.__name__} makes {found.type} of {draft.op.name}, {draft.type}")


def _count_uses(program: Program) -> dict[Value, int]:
    uses: dict[Value, int] = {}
    for values in (*(node.inputs for node in program.nodes), program.outputs):
        for value in values:
            uses[value] = uses.get(value, 0) + 1
    return uses


def _repeats(program: Program) -> list[int]:
    """For each node, how many before it compute the same."""
    classes: dict[Value, int] = {value: -1 - i for i, value in enumerate(program.inputs)}
    known: dict[Hashable, list[int]] = {}  # the class of the first output, and how often it has been met
    result: list[int] = []
    fresh = 0
    for node in program.nodes:
        key = (node.op.name, tuple([classes[x] for x in node.inputs]), frozen(node.params))
        first = known.setdefault(key, [fresh, 0])
        result.append(first[1])
        fresh, first[1] = fresh + len(node.types), first[1] + 1
        classes.update((value, first[0] + i) for i, value in enumerate(node.outputs) if value is not None)
    return result
