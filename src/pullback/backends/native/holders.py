"""Who holds what a step overwrites: the reference counts of Python objects, looked at all at once."""

import ctypes
import functools
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np
from llvmlite import ir

from pullback.backends.native.compiler import compiler

_NAMES = "note_holders", "same_holders"
_I32, _I64, _POINTER = ir.IntType(32), ir.IntType(64), ir.PointerType()


def build_counting() -> str:
    """The LLVM module with `note_holders(table, n)` and `same_holders(table, n)`.

    The table has two words for each object: its address, and how often it was held. `note` fills in the second, `same`
    says whether it is so still.
    """
    module = ir.Module("holders")
    for name, compares in zip(_NAMES, (False, True), strict=True):
        f = ir.Function(module, ir.FunctionType(_I64, [_I64, _I64]), name)
        _write(f, compares)
    return str(module)


def _write(f: ir.Function, compares: bool) -> None:
    entry, head, body, following, end = (f.append_basic_block(n) for n in ("entry", "head", "body", "next", "end"))
    table = ir.IRBuilder(entry).inttoptr(f.args[0], _POINTER)
    ir.IRBuilder(entry).branch(head)
    b = ir.IRBuilder(head)
    i = b.phi(_I64)
    i.add_incoming(_I64(0), entry)
    b.cbranch(b.icmp_signed("<", i, f.args[1]), body, end)
    b = ir.IRBuilder(body)
    place = b.gep(table, [b.mul(i, _I64(2))], source_etype=_I64)
    noted = b.gep(place, [_I64(1)], source_etype=_I64)
    # The count is the first word of an object; its lower half holds it in all of CPython 3.11 to 3.14.
    count = b.zext(b.load(b.inttoptr(b.load(place, typ=_I64), _POINTER), typ=_I32), _I64)
    differs = f.append_basic_block("differs")
    if compares:
        b.cbranch(b.icmp_signed("==", count, b.load(noted, typ=_I64)), following, differs)
    else:
        b.store(count, noted)
        b.branch(following)
    b = ir.IRBuilder(following)
    i.add_incoming(b.add(i, _I64(1)), following)
    b.branch(head)
    ir.IRBuilder(differs).ret(_I64(0))
    ir.IRBuilder(end).ret(_I64(1))


@functools.cache
def _native() -> tuple[Callable[[int, int], int], Callable[[int, int], int]] | None:
    """`note` and `same`, or None where objects do not begin with their count."""
    found = compiler().load_module("holders", build_counting, _NAMES)
    # Called without letting go of Python's lock: nobody takes or drops an object meanwhile.
    prototype = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    note, same = (prototype(found[name]) for name in _NAMES)
    thing: Any = object()
    table = np.array([id(thing), 0], np.int64)
    address = int(table.ctypes.data)
    note(address, 1)
    alone, is_same = int(table[1]), same(address, 1)
    other = [thing, thing]
    is_other = not same(address, 1)
    note(address, 1)
    works = alone == getrefcount(thing) - 3 and is_same and is_other and int(table[1]) == alone + len(other)
    return (note, same) if works else None


class Holders:
    """Objects that are watched; `are_same` says whether each is held as often as when they were noted."""

    def __init__(self) -> None:
        self._things: list[Any] = []
        self._counts: list[int] = []
        self._functions = _native()
        self._table = np.zeros(0, np.int64)
        self._call = 0, 0

    def watch(self, things: Sequence[Any]) -> None:
        """Watch these objects from now on; nothing is noted yet."""
        self._things = list(things)
        self._counts = []

    def note(self, first: int = 0) -> None:
        """This is how often each, from the first on, is held when nobody else holds it."""
        if self._functions is None:
            self._counts[first:] = list(map(getrefcount, self._things[first:]))
            return
        if not first:
            self._table = np.zeros(2 * len(self._things), np.int64)
            self._table[::2] = list(map(id, self._things))
            self._call = int(self._table.ctypes.data), len(self._things)
        address, count = self._call
        self._functions[0](address + 16 * first, count - first)

    def are_same(self) -> bool:
        """Whether each is held as often as when it was noted."""
        if self._functions is None:
            return list(map(getrefcount, self._things)) == self._counts
        return bool(self._functions[1](*self._call))

    def alone(self) -> list[bool]:
        """The same for each of them."""
        if self._functions is None:
            now = list(map(getrefcount, self._things))
            return [a == b for a, b in zip(now, self._counts, strict=True)]
        address, _ = self._call
        return [bool(self._functions[1](address + 16 * k, 1)) for k in range(len(self._things))]
