"""Einstein's summation: products of any number of tensors, their axes named by letters."""

import itertools
import string
from collections.abc import Sequence
from typing import Any

from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.base.shapes import size_of
from pullback.tensor.linear import matmul
from pullback.tensor.pointwise import mul
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import diagonal, permute, reshape
from pullback.tensor.tensor import Tensor

_LETTERS = string.ascii_uppercase + string.ascii_lowercase
_NUMBERED: dict[Any, str] = {**dict(enumerate(_LETTERS)), Ellipsis: "..."}  # what a list of integers may hold
Label = str | int  # a letter; for the dims of an ellipsis, counted from its end, −1, −2, …
Term = tuple[Tensor, tuple[Label, ...]]


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum over all letters that the result does not have of the product of the operands.

    equation: a letter for each dim of each operand, with commas between them and the result's letters after "->".
    A letter that stands twice in an operand means its diagonal; "..." stands for any number of dims, which broadcast;
    without "->" the result has the dims of "..." and then the letters that stand once, in alphabetical order. Instead
    of letters, each operand may be followed by a list of integers from 0 to 51 and `...`, the result's at the end.

    Several operands are multiplied two at a time, first those that leave least; each product is one matmul.

    Raises ArgumentError for an equation that makes no sense, ShapeError where sizes do not fit.

    >>> import pullback as pb
    >>> pb.einsum("ij,jk->ik", pb.ones(2, 3), pb.ones(3, 4)).shape
    (2, 4)

    Source: torch.einsum.
    """
    if not isinstance(equation, str):
        equation, operands = _from_lists((equation, *operands))
    tensors = tuple(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    if not tensors or not all(isinstance(x, Tensor) for x in tensors):
        raise DTypeError(f"einsum needs tensors after the equation; got {[type(x).__name__ for x in tensors]}")
    terms, wanted = _parse(equation.replace(" ", ""), tensors)
    while len(terms) > 1:
        i, j = min(itertools.combinations(range(len(terms)), 2), key=lambda pair: _growth(terms, wanted, pair))
        kept = _needed(terms, wanted, (i, j))
        terms = [*(t for k, t in enumerate(terms) if k not in (i, j)), _product(terms[i], terms[j], kept)]
    return Tensor(_arranged(_summed(terms[0], set(wanted)), wanted).value)


def _from_lists(items: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands of `x, [0, 1], y, [1, 2], [0, 2]`."""
    try:
        lists = ["".join(map(_NUMBERED.__getitem__, axes)) for axes in (*items[1::2], *items[len(items) & ~1 :])]
    except (TypeError, KeyError):
        raise ArgumentError(
            "einsum without an equation takes tensors, each followed by a list of 0 … 51 and ..."
        ) from None
    count = len(items) // 2
    return "->".join([",".join(lists[:count]), *lists[count:]]), items[: 2 * count : 2]


def _parse(equation: str, tensors: Sequence[Tensor]) -> tuple[list[Term], tuple[Label, ...]]:
    """Each tensor with a different label on each of its axes, equal labels having equal sizes; the result's labels."""
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(tensors):
        raise ArgumentError(f"einsum's equation {equation!r} names {len(parts)} operands; got {len(tensors)}")
    named = [_labels(part, x.ndim) for part, x in zip(parts, tensors, strict=True)]
    sizes: dict[Label, int] = {}
    for labels, x in zip(named, tensors, strict=True):
        for label, n in zip(labels, x.shape, strict=True):
            if sizes.setdefault(label, n) == 1:
                sizes[label] = n
            if n not in (1, sizes[label]) or len({x.shape[i] for i, a in enumerate(labels) if a == label}) > 1:
                raise ShapeError(f"in einsum {equation!r} {label!r} has the sizes {sizes[label]} and {n}")
    every = [label for labels in named for label in labels]
    dots: tuple[Label, ...] = tuple(sorted({label for label in every if isinstance(label, int)}))
    once = sorted(label for label in set(every) if isinstance(label, str) and every.count(label) == 1)
    wanted = _labels(right, len(right.replace("...", "")) + len(dots) * ("..." in right)) if arrow else (*dots, *once)
    if len(set(wanted)) != len(wanted) or not set(wanted) <= set(every):
        raise ArgumentError(f"the result of einsum {equation!r} has letters of the operands, each once; got {right!r}")
    return [_plain(x, labels, sizes) for x, labels in zip(tensors, named, strict=True)], wanted


def _labels(part: str, rank: int) -> tuple[Label, ...]:
    head, dots, tail = part.partition("...")
    more = rank - len(head + tail)
    if not set(head + tail) <= set(_LETTERS):
        raise ArgumentError(f"an einsum equation is made of letters, commas, ... and ->; got {part!r}")
    if more < 0 or (more and not dots):
        raise ShapeError(f"{part!r} in einsum's equation names {len(head + tail)} dims; the operand has {rank}")
    return (*head, *range(-more, 0), *tail)


def _plain(x: Tensor, labels: tuple[Label, ...], sizes: dict[Label, int]) -> Term:
    """Diagonals taken, and dims left out that other operands have in more than size 1."""
    while len(set(labels)) < len(labels):
        i, j = next((i, labels.index(a, i + 1)) for i, a in enumerate(labels) if a in labels[i + 1 :])
        x, labels = diagonal(x, 0, i, j), (*labels[:i], *labels[i + 1 : j], *labels[j + 1 :], labels[i])
    kept = [(a, n) for a, n in zip(labels, x.shape, strict=True) if n == sizes[a]]
    return (x if len(kept) == x.ndim else reshape(x, [n for _, n in kept])), tuple(a for a, _ in kept)


def _needed(terms: list[Term], wanted: tuple[Label, ...], pair: tuple[int, int]) -> set[Label]:
    """The labels that the product of a pair must keep."""
    return set(wanted).union(*(labels for k, (_, labels) in enumerate(terms) if k not in pair))


def _growth(terms: list[Term], wanted: tuple[Label, ...], pair: tuple[int, int]) -> int:
    """How many elements more than its factors the product of a pair has."""
    sizes = {a: n for k in pair for a, n in zip(terms[k][1], terms[k][0].shape, strict=True)}
    kept = _needed(terms, wanted, pair)
    return size_of([n for a, n in sizes.items() if a in kept]) - sum(size_of(terms[k][0].shape) for k in pair)


def _summed(term: Term, kept: set[Label], dtype: Any = None) -> Term:
    x, labels = term
    spare = [i for i, a in enumerate(labels) if a not in kept]
    return (sum_over(x, spare, dtype=dtype), tuple(a for a in labels if a in kept)) if spare else term


def _arranged(term: Term, order: Sequence[Label]) -> Tensor:
    x, labels = term
    return x if labels == tuple(order) else permute(x, [labels.index(a) for a in order])


def _product(a: Term, b: Term, kept: set[Label]) -> Term:
    """The product of two, summed over the labels that nothing else needs."""
    a, b = (_summed(t, kept | set(other[1]), t[0].dtype) for t, other in ((a, b), (b, a)))
    sizes = {**dict(zip(a[1], a[0].shape, strict=True)), **dict(zip(b[1], b[0].shape, strict=True))}
    both = [label for label in a[1] if label in b[1]]
    stack, inner = [k for k in both if k in kept], [k for k in both if k not in kept]
    rows, columns = [k for k in a[1] if k not in both], [k for k in b[1] if k not in both]
    n, m, k = (size_of([sizes[i] for i in part]) for part in (rows, columns, inner))
    leading = [sizes[i] for i in stack]
    x = reshape(_arranged(a, [*stack, *rows, *inner]), [*leading, n, k])
    y = reshape(_arranged(b, [*stack, *inner, *columns]), [*leading, k, m])
    z = matmul(x, y) if inner else mul(x, y)
    return reshape(z, [sizes[i] for i in (*stack, *rows, *columns)]), (*stack, *rows, *columns)
