"""What kind of work a node is, for whoever decides what is computed together with what."""

from pullback.base.shapes import size_of
from pullback.ir.node import Node

# The number at a place is one of the source's numbers, at a place that depends on nothing but the place asked for.
MOVEMENT = frozenset("reshape permute broadcast slice flip detach windows".split())
# The number at a place follows from the inputs' numbers at that place (for pad, gather and iota: at one other place).
POINTWISE = frozenset(
    "full iota cast eq ne lt le where bitwise_and bitwise_or bitwise_xor bitwise_not shift_left shift_right "
    "neg abs sign exp expm1 log log1p sqrt rsqrt sin cos atan tanh sigmoid erf floor ceil round "
    "add sub mul div floor_divide remainder pow maximum minimum pad gather".split()
)
REDUCTIONS = frozenset("sum amax amin argmax argmin".split())
LEAVES = frozenset(["constant"])

# A reduction over up to so many places, as of a pooling window, is written out where its result is wanted.
UNROLLED = 16


def reduction_form(node: Node) -> tuple[str, int, int]:
    """How a reduction runs over its input: `row`, `column`, `total` or `mixed`; rows and columns."""
    (x,), axes = node.inputs, node.params.get("axes", (node.params.get("axis"),))
    real = [(i in axes, n) for i, n in enumerate(x.shape) if n != 1]
    reduced, kept = (size_of([n for is_reduced, n in real if is_reduced is wanted]) for wanted in (True, False))
    flags = [is_reduced for is_reduced, _ in real]
    can_accumulate = node.op.name in ("sum", "amax", "amin")
    if kept == 1 and node.op.name == "sum" and reduced > 1:
        return "total", 1, reduced
    if flags == sorted(flags):
        return "row", kept, reduced
    if flags == sorted(flags, reverse=True) and can_accumulate:
        return "column", reduced, kept
    return "mixed", kept, reduced


def is_unrolled(node: Node) -> bool:
    """Whether a reduction runs over a few places that lie apart: it is worked out for each place like a pointwise op.

    A reduction over the first or the last axes keeps loops of its own, which sweep over memory as it lies.
    """
    if node.op.name not in REDUCTIONS or _is_left_to_numpy(node):
        return False
    form, _, count = reduction_form(node)
    return form == "mixed" and count <= UNROLLED


def unrolled_count(node: Node) -> int:
    """How often a node's inputs are looked at for one of its numbers."""
    return reduction_form(node)[2] if is_unrolled(node) else 1


def is_inlined(node: Node | None) -> bool:
    """Whether the node's numbers can be worked out wherever they are used, one by one."""
    if node is None or _is_left_to_numpy(node):
        return False
    return node.op.name in MOVEMENT or node.op.name in POINTWISE or is_unrolled(node)


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
