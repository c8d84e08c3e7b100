"""`pb.source`: a compiled function, or a program, as a module of plain NumPy."""

from typing import Any

from pullback.base.errors import ArgumentError
from pullback.emit.compiled import CompiledFunction, latest_call
from pullback.emit.module import QUIET, Function, Module
from pullback.emit.names import Names
from pullback.emit.step import Step
from pullback.emit.titles import Titles
from pullback.ir.program import Program


def source(step: Any) -> str:
    """A compiled function as readable Python that needs NumPy alone: forward, backward and update, line by line.

    step: a function compiled with `pb.compile` that has been called at least once (what is written is the program of
        the latest call), or a Program.

    The module that comes back has one function of the same name. Its first parameter is the state, a dict of arrays
    by dotted name (`fc1.weight`), which it updates; then come the function's own arguments; numbers such as learning
    rates are keywords, with their present values as defaults. It gives the same bits as the reference backend. Each
    block of lines stands under the line of yours that it computes; each gradient under the line that it is the
    gradient of, with its formula.

    Raises ArgumentError for what is neither, TraceError for a compiled function that has not been called.

    >>> import pullback as pb
    >>> @pb.compile
    ... def double(x):
    ...     return 2 * x
    >>> _ = double(pb.ones(3))
    >>> text = pb.source(double)
    >>> print(text[text.index("def") :])  # doctest: +ELLIPSIS
    def double(x):
        x = np.asarray(x, np.float32, order="C")  # (3,)
    ...
        product = 2.0 * x  # (3,)
    <BLANKLINE>
        return product
    <BLANKLINE>
    """
    if isinstance(step, Program):
        return program_source(step)
    if not isinstance(step, CompiledFunction):
        raise ArgumentError(
            f"source() takes a function compiled with pb.compile, or a Program; got {type(step).__name__}"
        )
    return Step(step.function, latest_call(step)).text()


def program_source(program: Program) -> str:
    """A program as a module with one function `program` from its inputs to its outputs."""
    module = Module()
    module.reserve(program)
    module.names.keep("program")
    names = Names(module.names)
    titles = Titles(program, program.outputs)
    inputs = {x: names.fresh(x.name or f"x{place}") for place, x in enumerate(program.inputs)}
    titles.call(inputs)
    rows = [f"    {name:<24} {x.dtype.name:<8} {x.shape}" for x, name in inputs.items()]
    outputs = program.outputs
    module.add(
        Function(
            head=f"{QUIET}\ndef program({', '.join(inputs.values())}):",
            program=program,
            names=names,
            inputs=inputs,
            title_of=titles.of,
            named=lambda value, name: titles.call({value: name}),
            closing=lambda written: f"return {', '.join(map(written, outputs))}{',' if len(outputs) == 1 else ''}",
        )
    )
    return module.text("\n".join(['"""A program, written out by Pullback. Its inputs:', "", *rows, '"""']))
