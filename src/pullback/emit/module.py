"""An emitted module: its functions, the helpers and constants that they need, and the page that they stand on."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pullback.emit.body import Body, Context, Statement, Store
from pullback.emit.constants import UNPACK, Constants
from pullback.emit.meaning import PROGRAMS, Helper, is_expression
from pullback.emit.names import Names, local_name
from pullback.emit.page import broken, indented, page, statements
from pullback.emit.titles import Title, Titles
from pullback.ir.node import Node, Value
from pullback.ir.program import Program

QUIET = '@np.errstate(all="ignore")  # NaN and infinity are results here, not accidents'
_UNNAMED = "<unnamed>"

# By op, and whether it belongs to the backward pass: how a program within the program is called, and what it is.
_FUNCTIONS = {
    ("call", False): "segment",
    ("call", True): "recomputed_gradients",
    ("scan", False): "loop_step",
    ("scan", True): "loop_step_back",
}
_DESCRIPTIONS = {
    ("call", False): "A part of the step of which nothing is kept for the backward pass.",
    ("call", True): "The gradients of a part of the step whose forward pass is run a second time.",
    (
        "scan",
        False,
    ): "One step of a loop: from what is carried on and the step's rows to what is carried on and results.",
    ("scan", True): "One step of a loop's backward pass, which runs the other way.",
}


@dataclass
class Function:
    """What an emitted function is made of, besides the nodes of its program.

    inputs: the name of each input. in_order: the inputs that lie row by row in memory (see `layout`).
    opening: the lines before the nodes. closing: the last line, given how a value is written.
    stores, late: the assignments of values that outlive the call, made as soon as they are known, or at the end.
    title_of, original, named, parameters: see `body.Context`.
    """

    head: str
    program: Program
    names: Names
    inputs: dict[Value, str]
    title_of: Callable[[Value], Title]
    closing: Callable[[Callable[[Value], str]], str]
    original: Callable[[Value], Value] = lambda value: value
    named: Callable[[Value, str], None] = lambda value, name: None
    in_order: set[Value] = field(default_factory=set)
    documentation: Sequence[str] = ()
    opening: Sequence[Statement] = ()
    stores: dict[Value, list[Store]] = field(default_factory=dict)
    late: dict[Value, list[Store]] = field(default_factory=dict)
    late_heading: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass
class Module:
    """Collects the functions of an emitted module."""

    names: Names = field(default_factory=Names)
    helpers: dict[str, Helper] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    nested: dict[Program, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.constants = Constants(self.names)

    def reserve(self, program: Program) -> None:
        """Keep the names that the ops of a program need for their helpers."""
        for node in program.nodes:
            if node.op.name in PROGRAMS:
                self.names.keep("run_steps")
                self.reserve(node.params["program"])
            elif not is_expression(node.op):
                self.names.keep(node.op.name)

    def add(self, function: Function) -> None:
        """Write a function, and in front of it those that it calls."""
        context = Context(
            function.title_of, function.original, function.named, self._function_of, self.constants, function.parameters
        )
        stores = {value: list(kept) for value, kept in function.stores.items()}
        body = Body(function.program, function.names, context, function.inputs, function.in_order, stores)
        blocks = body.write()
        late = [body.stored(value, store) for value, kept in function.late.items() for store in kept]
        lines = [*function.documentation, *statements(function.opening), *page(blocks)]
        lines += ["", f"# {function.late_heading}", *statements(late)] if late else []
        closing = function.closing(body.written)
        lines += ["", *broken(closing)] if closing else []
        self.helpers.update(body.expressions.helpers)
        self.functions.append("\n".join([*broken_head(function.head), *indented(lines)]))

    def _function_of(self, node: Node) -> str:
        """The function that a program inside the program is written as; one for all that read the same."""
        program = node.params["program"]
        if program not in self.nested:
            what = (node.op.name, node.origin.phase == "backward")
            self.add(self._nested(program, _DESCRIPTIONS[what]))
            text = self.functions.pop()
            if text not in self.known:
                self.known[text] = self.names.fresh(_FUNCTIONS[what])
                self.functions.append(text.replace(_UNNAMED, self.known[text], 1))
            self.nested[program] = self.known[text]
        return self.nested[program]

    def _nested(self, program: Program, what: str) -> Function:
        titles = Titles(program, program.outputs)
        names = Names(self.names)
        inputs = {x: names.fresh(local_name(titles.of(x).text, titles.numbered)) for x in program.inputs}
        titles.call(inputs)
        return Function(
            head=f"def {_UNNAMED}({', '.join(inputs.values())}):",
            program=program,
            names=names,
            inputs=inputs,
            title_of=titles.of,
            closing=lambda written: f"return {', '.join(map(written, program.outputs))}",
            documentation=[f'"""{what}"""'],
        )

    def text(self, introduction: str, imports: Sequence[str] = (), closing: Sequence[str] = ()) -> str:
        """The module as a file: introduction, imports, constants, helpers, functions, and what closes it."""
        helpers = [helper.text for helper in self.helpers.values()]
        packed = [UNPACK, *self.constants.packed.values()] if self.constants.packed else []
        code = [*packed, *helpers, *self.functions, *closing]
        if any("SimpleNamespace(" in part for part in code):
            imports = [*imports, "from types import SimpleNamespace"]
        standard = sorted([*imports, *(["import base64", "import zlib"] if packed else [])], key=_import_order)
        halves = ["from ml_dtypes import bfloat16"] if re.search(r"\bbfloat16\b", "\n".join(code)) else []
        lines = [*standard, *([""] if standard else []), "import numpy as np", *halves]
        return f"{introduction}\n\n" + "\n".join(lines) + "\n\n\n" + "\n\n\n".join(code) + "\n"


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def broken_head(head: str) -> list[str]:
    """A `def` line, broken where it is too long; decorators stand in lines above it."""
    *above, last = head.split("\n")
    (signature,) = broken(last.removeprefix("def ").removesuffix(":")) if len(last) <= 110 else ("",)
    if signature:
        return [*above, last]
    name, _, rest = last.partition("(")
    return [*above, f"{name}(", f"    {rest.removesuffix('):')},", "):"]
