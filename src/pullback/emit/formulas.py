"""The formula that a line of the backward pass follows, from the record of the op that it is the gradient of."""

from collections.abc import Callable

from pullback.ir.node import Node, Value

# Their gradients put g into another shape or dtype: the code says it better.
_PLAIN = ("permute", "reshape", "cast", "detach")


def formula_of(node: Node, original: Callable[[Value], Value]) -> list[str]:
    """The rule that a gradient follows, as `mul z = x · y: gx = g · y`; nothing for a node that completes none.

    `original` gives the value, as it was when the gradients were taken, that a value of the program stands for.
    """
    of = node.origin.of
    if of is None or len(node.outputs) != 1:
        return []
    values = original(node.output).gradient_of
    if node.op.name == "add" and all(set(values) & set(original(part).gradient_of) for part in node.inputs):
        return ["the sum over all uses"]
    places = [i for i, given in enumerate(of.inputs) if given in values]
    if not places or not of.op.backward or of.op.name in _PLAIN:
        return []
    formulas = of.op.backward
    rule = formulas[places[0]] if len(formulas) == len(of.inputs) else formulas[0]
    return [f"{of.op.name} {of.op.formula}: {rule}"]


LEGEND = """\
Beside a gradient stands the rule that it follows. In `mul z = x · y: gx = g · y`, x and y are what was multiplied,
whatever they are called here, z is the product, g is the gradient at z, and gx the gradient at x."""
