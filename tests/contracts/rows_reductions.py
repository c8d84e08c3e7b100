"""Rows for sums, extremes, orders and what is read and written by index."""

from tests.contracts.calls import HALVES, Call, calls, of, spread, without

# Reductions
REDUCTIONS = """
    lib.sum({x})
    {x}.sum(0)
    {x}.sum(-1, keepdim=True)
    {x}.sum((0, 2))
    {x}.sum(dim=(-1, 0), keepdim=True)
    lib.mean({x})
    {x}.mean(1)
    {x}.mean((0, 1), keepdim=True)
    lib.prod({x})
    {x}.prod(0)
    {x}.prod(-1, keepdim=True)
    lib.amax({x}, 1)
    {x}.amin((0, 2), keepdim=True)
    lib.amin({x}, -1)
    lib.max({x})
    {x}.max(0)
    {x}.max(-1, keepdim=True)
    lib.min({x})
    {x}.min(1)
    lib.argmax({x})
    {x}.argmax(1)
    {x}.argmax(-1, keepdim=True)
    lib.argmin({x}, 0)
    {x}.argmin()
    {x}.argmin(keepdim=True)
    lib.any({x} > 1)
    ({x} > 1).any(1)
    {x}.any(0, keepdim=True)
    lib.all({x} > -1)
    ({x} > -1).all(-1)
    {x}.all(0)
    lib.count_nonzero({x})
    {x}.count_nonzero(1)
    {x}.count_nonzero((0, 1))
    lib.cumsum({x}, 1)
    {x}.cumsum(-1)
    lib.sort({x})
    {x}.sort(0)
    {x}.sort(-1, descending=True)
    lib.argsort({x})
    {x}.argsort(0, descending=True)
    {x}.sum(5)
    {x}.sum((0, 0))
    {x}.max(3)
    {x}.prod(-4)
"""
# PyTorch has these for floats alone; here integers become floats first.
OF_FLOATS = """
    lib.norm({x})
    {x}.norm(1)
    {x}.norm(3)
    {x}.norm(float("inf"))
    {x}.detach().norm(0)
    {x}.norm(2, 1)
    {x}.norm(2, (0, 1), True)
    {x}.norm("fro")
    {x}.norm(p=1, dim=-1, keepdim=True)
    lib.softmax({x}, 1)
    {x}.softmax(-1)
    lib.log_softmax({x}, 0)
    {x}.log_softmax(-1)
    lib.logsumexp({x}, 1)
    {x}.logsumexp((0, 1), keepdim=True)
    lib.var({x})
    {x}.var(1)
    {x}.var((0, 1), keepdim=True)
    {x}.var(0, unbiased=False)
    {x}.var(dim=0, correction=0)
    {x}.var(unbiased=False)
    lib.std({x})
    {x}.std(-1)
    {x}.std(1, unbiased=False, keepdim=True)
    {x}.std(dim=1, correction=2)
"""


def reduction_rows() -> list[Call]:
    """The lines above on a cube of float64, and on other dtypes and shapes."""
    of_all, of_floats = REDUCTIONS.format(x="x"), OF_FLOATS.format(x="x")
    both = of_all + of_floats
    rows = calls(both, "(2, 3, 2)", x=spread(2, 3, 2))
    rows += calls(both, "0-d", x=spread(low=0.5))
    rows += calls(both, "one", x=spread(1, 1, 1))
    rows += calls(both, "no elements", x=spread(2, 0, 3))
    for dtype in ("float32", "float16", "bfloat16"):
        rows += calls(both, dtype, HALVES, x=spread(2, 2, 3, dtype=dtype))
    rows += calls(of_all, "int32", x=of([[[3, 0, 1], [2, 2, -5]]], "int32"))
    rows += calls(of_all, "uint8", x=of([[[200, 100, 1], [0, 2, 5]]], "uint8"))
    rows += calls(of_all, "bool", x=of([[[1, 0, 1], [0, 0, 1]]], "bool"))
    return without(
        rows,
        # PyTorch takes -1 in uint8 for 255, and any and all of uint8 stay uint8.
        *("uint8: lib.all(x > -1)", "uint8: (x > -1).all(-1)", "uint8: x.any(0, keepdim=True)", "uint8: x.all(0)"),
        # PyTorch finds no places of the largest bool; here False < True.
        *(f"bool: {line}" for line in ("lib.argmax(x)", "x.argmax(1)", "x.argmax(-1, keepdim=True)")),
        *(f"bool: {line}" for line in ("lib.argmin(x, 0)", "x.argmin()", "x.argmin(keepdim=True)")),
    )


MORE_REDUCTIONS = (
    calls(
        """
    x.sum(dtype=lib.float64)
    x.detach().sum(0, dtype=lib.int64)
    x.mean(dtype=lib.float32)
    x.prod(dtype=lib.float64)
    x.detach().prod(1, dtype=lib.int64)
    x.cumsum(0, dtype=lib.float64)
    x.softmax(0, dtype=lib.float64)
    x.log_softmax(0, dtype=lib.float64)
    """,
        "dtype asked for",
        x=of([[1, 2, 3], [4, 5, 7]], "float32"),
    )
    + calls(
        """
    x.sum(dtype=lib.float32)
    x.mean(dtype=lib.float64)
    x.softmax(1, dtype=lib.float32)
    """,
        "dtype asked for, of integers",
        x=of([[1, 2, 3], [4, 5, 7]], "int32"),
    )
    + calls(
        """
    x.prod()
    x.prod(0)
    x.prod(1)
    x.prod(1, keepdim=True)
    """,
        "zeros",
        x=of([[0.0, 2.0, 3.0, 1.0, 4.0], [0.0, 0.0, 1.5, 2.0, 1.0], [1.0, -2.0, 0.5, 3.0, 2.0]]),
    )
    + calls(
        """
    x.softmax(1)
    x.log_softmax(1)
    x.logsumexp(1)
    x.softmax(0).sum()
    """,
        "far apart",
        x=of([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4 - 1]]),
    )
    + calls(
        """
    lib.take_along_dim(x, x.argsort(1), 1)
    x.take_along_dim(x.argsort(0), dim=0)
    lib.gather(x, 1, i)
    x.gather(0, j)
    x.gather(1, i[:1])
    x.gather(-1, i)
    lib.scatter(x, 1, i, y.detach())
    lib.scatter(x, 0, j, y)
    x.scatter(0, j, 2.5)
    x.scatter(1, i[:, :1], y.detach())
    lib.scatter_add(x, 1, i, y.detach())
    x.scatter_add(0, j, y)
    x.scatter_add(0, j[:1], y.detach())
    lib.index_select(x, 1, k)
    x.index_select(0, k[:1])
    lib.masked_select(x, x > 0)
    x.masked_select(y[0] > 0)
    lib.nonzero(x > 0)
    (x > 0).nonzero()
    lib.nonzero(x[0, 0] > 0)
    lib.topk(x, 2)
    x.topk(1, 0)
    x.topk(3, dim=-1, largest=False)
    x.topk(0)
    x[0, 0].topk(1)
    x.topk(4)
    x.topk(-1)
    lib.kthvalue(x, 2)
    x.kthvalue(1, 0, keepdim=True)
    x.kthvalue(2, dim=0)
    x[0, 0].kthvalue(1)
    x.kthvalue(0)
    x.kthvalue(4)
    k.topk(1).values
    x.gather(1, x)
    x.gather(1, j[0])
    """,
        "by index",
        x=spread(2, 3),
        y=spread(2, 3, seed=4),
        i=of([[2, 0], [1, 1]], "int64"),
        j=of([[1, 0, 1], [1, 0, 0]], "int64"),
        k=of([1, 0, 1], "int64"),
    )
)

ORACLE_ROWS = [*reduction_rows(), *MORE_REDUCTIONS]
