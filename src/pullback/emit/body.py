"""The body of an emitted function: which values get a line of their own, and which stand inside another's."""

import ast
import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pullback.emit.constants import Constants
from pullback.emit.expressions import Expressions, Form, stored
from pullback.emit.formulas import formula_of
from pullback.emit.layout import rows_in_order
from pullback.emit.literals import expression, literal
from pullback.emit.meaning import PROGRAMS, function_helper
from pullback.emit.names import Names
from pullback.emit.placement import BACKWARD, Heading, headings
from pullback.emit.titles import Title
from pullback.ir.node import Node, Value
from pullback.ir.program import Program
from pullback.ops.control import run_steps

WIDTH = 80  # of an expression; a longer one is cut in two lines
ELIDED = 256 * 1024  # bytes from which NumPy reuses the memory, and so the layout, of an unnamed operand
RULES = 3  # of differentiation in one line
FEW = 16  # elements


class Statement(NamedTuple):
    """One line of code, the shape of what it computes, and the formulas that it follows."""

    code: str
    shape: str = ""
    formulas: tuple[str, ...] = ()


@dataclass(slots=True)
class Block:
    """The lines that belong to one line of the user's; without a heading, what is left at the end."""

    heading: Heading | None
    statements: list[Statement] = field(default_factory=list)


class Store(NamedTuple):
    """Where a value is kept, such as `state["w"]`; and whether it is put in rows, or copied, for that."""

    target: str
    in_rows: bool = False
    copied: bool = False


class Context(NamedTuple):
    """What the bodies of one emitted module share.

    title_of: the title of a value.
    original: the value, as it was when the function was traced, that a value of the program stands for.
    named: is told the name that a value got. function: writes a program inside the program as a function; its name.
    parameters: what the user calls the parameters that an optimiser knows by another name.
    """

    title_of: Callable[[Value], Title]
    original: Callable[[Value], Value]
    named: Callable[[Value, str], None]
    function: Callable[[Node], str]
    constants: Constants
    parameters: dict[str, str]


@dataclass
class Body:
    """Writes the nodes of a program as blocks of statements.

    inputs: the name of each input. in_order: the inputs that lie row by row (see `layout`).
    stores: where each value that outlives the call is kept.
    """

    program: Program
    names: Names
    context: Context
    inputs: dict[Value, str]
    in_order: set[Value]
    stores: dict[Value, list[Store]]
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.in_order = rows_in_order(self.program, self.in_order)
        self.expressions = Expressions(self.in_order)
        for value, name in self.inputs.items():
            self.expressions.forms[value] = Form(expression(name))
        self.headings = headings(self.program, self.stores, self.context.parameters)
        self.renamed = _telling_aliases(self.program, self.context.title_of)
        self.transparent = {node for node in self.program.nodes if self._is_transparent(node)}
        self.uses, self.user = _uses(self.program, self.transparent)

    def write(self) -> list[Block]:
        """The blocks of all nodes, in order."""
        for node in self.program.nodes:
            if node.op.name == "full":
                self.expressions.number(node.output, node.params["value"])
                self._store(node.output, node)
            elif _repeats(node, self.in_order):
                self._repeat(node)
            elif self._is_known(node):
                self.expressions.known(node)
            else:
                self._compute(node)
        for value in [*self.stores]:
            self._store(value, None)
        return self.blocks

    def written(self, value: Value) -> str:
        """How a value is written once everything is computed."""
        if value in self.expressions.numbers:
            return ast.unparse(stored(self.expressions.numbers[value], value.shape, value.dtype))
        return ast.unparse(self.expressions.form(value).expression)

    def _is_transparent(self, node: Node) -> bool:
        """Whether the node is written wherever its output is used. A gradient that has a name gets its line."""
        if not _is_light(node, self.in_order):
            return _repeats(node, self.in_order)
        return self.headings[node].section != BACKWARD or not self._title(node.output).is_telling

    # Nodes
    def _repeat(self, node: Node) -> None:
        for x, y in zip(node.inputs[node.params.get("inputs", 0) :], node.outputs, strict=True):
            if y is not None:
                self.expressions.repeat(y, x)

    def _is_known(self, node: Node) -> bool:
        """Whether the node makes a few integers of numbers in the program, which then stand there themselves."""
        numbers = self.expressions.numbers
        few = node.types[0].size <= FEW and not node.types[0].dtype.is_floating_point
        return (
            few
            and node.op.name not in (*PROGRAMS, "constant")
            and bool(node.inputs)
            and all(x in numbers for x in node.inputs)
        )

    def _compute(self, node: Node) -> None:
        if len(node.outputs) > 1:
            self._assign_many(node)
            return
        value = node.output
        self.expressions.forms[value] = self._form(node)
        if value in self.stores and self.uses[value] == len(self.stores[value]) == 1:
            self._store(value, node)
        elif not self._stays_inside(node):
            self._give_line(value, node)
            self._store(value, node)

    def _form(self, node: Node) -> Form:
        """The node's expression. Operands that make it too long are moved to lines of their own first."""
        if node.op.name == "constant":
            return Form(self.context.constants.expression(node.params["array"], self._title(node.output).text))
        while True:
            operands = self.expressions.operands(node)
            written = self._expression(node, operands)
            steps = [*(f for form in operands for f in form.formulas), *formula_of(node, self.context.original)]
            formulas = tuple(dict.fromkeys(steps))
            moved = self._to_be_moved(node, len(ast.unparse(written)) > WIDTH or len(formulas) > RULES)
            if moved is None:
                temporary = node not in self.transparent or any(form.is_temporary for form in operands)
                return Form(written, temporary, formulas)
            self._give_line(moved, node)

    def _expression(self, node: Node, operands: list[Form]) -> ast.expr:
        if node.op.name in PROGRAMS:
            function = ast.Name(self.context.function(node), ast.Load())
            written = [form.expression for form in operands]
            return ast.Call(function, written, []) if node.op.name == "call" else self._loop(node, function, written)
        return self.expressions.compute(node, operands)

    def _loop(self, node: Node, step: ast.expr, operands: list[ast.expr]) -> ast.expr:
        name = run_steps.__name__
        self.expressions.helpers.setdefault(name, function_helper(run_steps, name, inspect.getdoc(run_steps) or ""))
        given = [literal(node.params[key]) for key in ("carries", "sequences", "length", "reverse")]
        return ast.Call(ast.Name(name, ast.Load()), [step, ast.Tuple(operands, ast.Load()), *given], [])

    def _to_be_moved(self, node: Node, crowded: bool) -> Value | None:
        """The longest unnamed operand when the line is too long; one whose memory NumPy would reuse in any case."""
        sources = [self.expressions.source(x) for x in node.inputs]
        inner = [x for x in sources if self.expressions.forms[x].is_temporary]
        reused = [x for x in inner if x.type.nbytes >= ELIDED and x not in self.in_order]
        lengths = {x: len(ast.unparse(self.expressions.forms[x].expression)) for x in (inner if crowded else reused)}
        return next((x for x, length in lengths.items() if length > max(lengths.values()) // 2), None)

    def _stays_inside(self, node: Node) -> bool:
        """Whether the value needs no line: it is cheap to write again, or used once, nearby, and has no name."""
        if node in self.transparent:
            return node.output not in self.stores
        user = self.user.get(node.output)
        if self.uses[node.output] != 1 or user is None or node.op.name in PROGRAMS:
            return False
        return not self._title(node.output).is_telling and self.headings[user] == self.headings[node]

    # Lines
    def _title(self, value: Value) -> Title:
        return self.renamed.get(value) or self.context.title_of(value)

    def _give_line(self, value: Value, node: Node) -> None:
        """Assign the value to a name, in the block of this node."""
        form = self.expressions.forms[value]
        name = self.names.fresh(self._title(value).text)
        self._add(node, Statement(f"{name} = {ast.unparse(form.expression)}", str(value.shape), form.formulas))
        self._is_called(value, name)

    def _is_called(self, value: Value, name: str) -> None:
        self.expressions.forms[value] = Form(ast.Name(name, ast.Load()))
        self.context.named(value, name)

    def _assign_many(self, node: Node) -> None:
        form = self._form(node)
        names = ["_" if y is None else self.names.fresh(self._title(y).text) for y in node.outputs]
        shapes = ", ".join(str(t.shape) for t in node.types)
        self._add(node, Statement(f"{', '.join(names)} = {ast.unparse(form.expression)}", shapes, form.formulas))
        for name, y in zip(names, node.outputs, strict=True):
            if y is not None:
                self._is_called(y, name)
                self._store(y, node)

    def _store(self, value: Value, node: Node | None) -> None:
        for store in self.stores.pop(value, ()):
            self._add(node, self.stored(value, store))

    def stored(self, value: Value, store: Store) -> Statement:
        """The assignment that keeps a value."""
        written = self.written(value)
        fresh = value in self.expressions.numbers
        if store.copied:
            written = f'np.array({written}, order="C")'
        elif store.in_rows and value.shape and not fresh and value not in self.in_order:
            written = f"np.ascontiguousarray({written})"
        return Statement(f"{store.target} = {written}", str(value.shape), self.expressions.form(value).formulas)

    def _add(self, node: Node | None, statement: Statement) -> None:
        heading = self.headings[node] if node is not None else None
        if not self.blocks or self.blocks[-1].heading != heading:
            self.blocks.append(Block(heading))
        self.blocks[-1].statements.append(statement)


def _repeats(node: Node, in_order: set[Value]) -> bool:
    """Whether the node gives its inputs on, at most repeated along some axes."""
    name, params = node.op.name, node.params
    if name == "reshape":
        return node.inputs[0].shape == node.types[0].shape or node.types[0].size == 1
    if name == "slice":
        return node.inputs[0].shape == node.types[0].shape
    if name == "pad":
        return not any((*params["low"], *params["high"], *params["inner"])) and node.inputs[0] in in_order
    return name in ("broadcast", "detach", "attach_gradient")


def _is_light(node: Node, in_order: set[Value]) -> bool:
    """Whether the node only looks at its input in another way, so that it may be written wherever it is used."""
    x = node.inputs[0] if node.inputs else None
    if node.op.name == "reshape":
        return x in in_order or (x is not None and len(x.shape) < 2)
    return node.op.name == "permute" or (node.op.name == "cast" and not node.types[0].shape)


def _uses(program: Program, transparent: set[Node]) -> tuple[Counter[Value], dict[Value, Node]]:
    """How often each value is written, seeing through what takes no line; and the first node that does so."""
    uses: Counter[Value] = Counter(program.outputs)
    user: dict[Value, Node] = {}
    for node in reversed(program.nodes):
        first = len(node.inputs) - len(node.outputs) if node in transparent else len(node.inputs)
        for place, x in enumerate(node.inputs):
            if node not in transparent:
                uses[x] += 1
                user[x] = node
            elif place >= first and (y := node.outputs[place - first]) is not None:
                uses[x] += uses[y]
                user.update({x: user[y]} if y in user else {})
    return uses, user


def _telling_aliases(program: Program, title_of: Callable[[Value], Title]) -> dict[Value, Title]:
    """Titles of values that have a better one under another identity, as the results of a user's own function."""
    found: dict[Value, Title] = {}
    for node in program.nodes:
        if node.op.name == "attach_gradient":
            for x, y in zip(node.inputs[node.params["inputs"] :], node.outputs, strict=True):
                if y is not None and title_of(y).rank > title_of(x).rank:
                    found[x] = title_of(y)
    return found
