"""What kind of work an op is, for whoever decides what is computed together with what."""

from pullback.ir.node import Node

# The number at a place is one of the source's numbers, at a place that depends on nothing but the place asked for.
MOVEMENT = frozenset("reshape permute broadcast slice flip detach".split())
# The number at a place follows from the inputs' numbers at that place (for pad, gather and iota: at one other place).
POINTWISE = frozenset(
    "full iota cast eq ne lt le where bitwise_and bitwise_or bitwise_xor bitwise_not shift_left shift_right "
    "neg abs sign exp expm1 log log1p sqrt rsqrt sin cos atan tanh sigmoid erf floor ceil round "
    "add sub mul div floor_divide remainder pow maximum minimum pad gather".split()
)
REDUCTIONS = frozenset("sum amax amin argmax argmin".split())
# Each is a kernel of its own.
WHOLE = frozenset("matmul scatter_add scatter concat cumsum argsort random_bits call attach_gradient".split())
LEAVES = frozenset(["constant"])


def is_inlined(node: Node | None) -> bool:
    """Whether the node's numbers can be worked out wherever they are used, one by one."""
    return node is not None and (node.op.name in MOVEMENT or node.op.name in POINTWISE) and not _is_left_to_numpy(node)


def _is_left_to_numpy(node: Node) -> bool:
    """Powers of integers go by repeated squaring, which no loop over places does well; no numbers need no loop."""
    is_empty = node.types[0].size == 0 or any(x.type.size == 0 for x in node.inputs)
    return is_empty or (node.op.name == "pow" and node.types[0].dtype.kind == "int")


def kind_of(node: Node) -> str:
    """`inlined`, `reduction`, `leaf`, or `whole` for what is a kernel of its own."""
    if is_inlined(node):
        return "inlined"
    if node.op.name in REDUCTIONS and not _is_left_to_numpy(node):
        return "reduction"
    return "leaf" if node.op.name in LEAVES else "whole"
