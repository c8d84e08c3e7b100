"""How values lie in memory, as far as it is known: sums and products of matrices may depend on it to the last bit."""

from collections.abc import Iterable

from pullback.emit.meaning import PROGRAMS
from pullback.ir.node import Node, Value
from pullback.ir.program import Program

# Results lie like the input of full shape that lies row by row, if there is one.
ELEMENTWISE = frozenset(
    "add sub mul div floor_divide remainder pow maximum minimum eq ne lt le where bitwise_and bitwise_or bitwise_xor "
    "shift_left shift_right".split()
)
_ONE_INPUT = frozenset(
    "neg abs sign exp expm1 log log1p sqrt rsqrt sin cos atan tanh sigmoid erf floor ceil round bitwise_not cast "
    "reshape detach".split()
)
_ALWAYS = frozenset("gather scatter scatter_add pad iota random_bits".split())
# Results may be views, which keep the strides of their input.
VIEWS = frozenset("full broadcast permute reshape slice flip detach attach_gradient constant argsort".split())


def rows_in_order(program: Program, inputs: Iterable[Value]) -> set[Value]:
    """The values that certainly lie row by row without gaps, given the inputs that do."""
    found = set(inputs)
    for node in program.nodes:
        if _is_in_order(node, found):
            found.update(v for v in node.outputs if v is not None)
    return found


def _is_in_order(node: Node, known: set[Value]) -> bool:
    name, shape = node.op.name, node.types[0].shape
    if name in ELEMENTWISE:
        return any(x in known and x.shape == shape for x in node.inputs)
    if name in _ONE_INPUT:
        return node.inputs[0] in known
    if name == "matmul":
        return len(shape) == 2 or all(x in known for x in node.inputs)
    return name in _ALWAYS or (len(shape) <= 1 and name not in VIEWS and name not in PROGRAMS)


def may_broadcast(node: Node, known: set[Value]) -> bool:
    """Whether NumPy's own broadcasting of an operand gives a result that lies in memory just as the explicit one.

    With three or more axes and one of size 1, the strides of that one may differ.
    """
    shape = node.types[0].shape
    plain = len(shape) <= 2 or 1 not in shape
    return node.op.name in ELEMENTWISE and (plain or any(x in known and x.shape == shape for x in node.inputs))
