"""Rows for the functions of tensors and the methods of Tensor: values, dtypes, gradients and edge cases."""

from tests.contracts.calls import Call, calls, of, spread

INF, NAN = float("inf"), float("nan")
EDGES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-4, 100.0]
LEFT = of([a for a in EDGES[:-2] for _ in EDGES[:-2]])
RIGHT = of([b for _ in EDGES[:-2] for b in EDGES[:-2]])
HALVES = {"float16": (2e-3, 2e-3), "bfloat16": (1.6e-2, 1.6e-2)}


def without(rows: list[Call], *names: str) -> list[Call]:
    """The rows but those with these names, where Pullback means to differ or does more; the reason stands beside."""
    missing = set(names) - {row.name for row in rows}
    assert not missing, missing
    return [row for row in rows if row.name not in names]


# Elementwise, one operand
UNARY = """
    abs atan ceil cos cosh erf exp expm1 floor frac isfinite isinf isnan log log10 log1p log2 logical_not neg
    reciprocal relu round rsqrt sigmoid sign sin sinh sqrt square tan tanh trunc nan_to_num
""".split()
# PyTorch rounds no bools and has no frac for integers; Pullback gives them back, and zeros.
NO_BOOLS = "ceil floor relu round trunc frac".split()


def unary_rows() -> list[Call]:
    """Every function of one operand: in its domain, at the edges, in every dtype, without elements."""
    rows: list[Call] = []
    for name in UNARY:
        call = f"lib.{name}(x)"
        positive = name in ("log", "log10", "log2", "log1p", "sqrt", "rsqrt")
        low = 0.25 if positive else -2.0
        rows += calls(call, "float64", x=spread(3, 2, low=low))
        rows += calls(f"x.{name}()", "edges", x=of(EDGES))
        for dtype in ("float32", "float16", "bfloat16"):
            rows += calls(call, dtype, x=spread(5, dtype=dtype, low=low))
            rows += calls(call, f"{dtype} edges", x=of([NAN, INF, -INF, 0.0, 1.0, -1.0], dtype))
        rows += calls(call, "empty", x=spread(0, 2))
        rows += calls(call, "0-d", x=spread(low=0.5))
        if name != "frac":
            for dtype in ("int64", "int32", "uint8"):
                rows += calls(call, dtype, x=of([0, 1, 3], dtype))
            rows += calls(call, "negative int", x=of([-3, -1, 0, 2], "int32"))
        if name not in NO_BOOLS:
            rows += calls(call, "bool", x=of([0, 1], "bool"))
    return rows


# Elementwise, two operands
BINARY = "add sub mul div true_divide divide multiply pow maximum minimum remainder fmod".split()
COMPARISONS = "eq ne lt le gt ge".split()
LOGICAL = "logical_and logical_or logical_xor".split()
BITS = "bitwise_and bitwise_or bitwise_xor".split()
SHIFTS = "bitwise_left_shift bitwise_right_shift".split()


def binary_rows() -> list[Call]:
    """Every function of two operands: broadcast, at the edges, at ties, between dtypes, with numbers."""
    rows: list[Call] = []
    for name in BINARY:
        rows += calls(f"lib.{name}(x, y)", "broadcast", x=spread(2, 3, low=0.25), y=spread(3, low=0.5, seed=2))
        rows += calls(f"lib.{name}(x, y)", "both ways", x=spread(2, 1, low=0.25), y=spread(1, 3, low=0.5, seed=2))
        rows += calls(f"x.{name}(y)", "signs", x=spread(6), y=spread(6, seed=3))
        # Where fmod is NaN, its gradient is NaN here, and in PyTorch sometimes infinite.
        line = f"x.{name}(y)" if name != "fmod" else "x.detach().fmod(y.detach())"
        rows += calls(line, "edges", x=LEFT, y=RIGHT)
        rows += calls(f"x.{name}(y)", "empty", x=spread(0, 3), y=spread(3))
        rows += calls(f"x.{name}(y)", "0-d", x=spread(low=0.5), y=spread(2, low=0.5, seed=2))
    # PyTorch's floor_divide has no gradient; here it is 0, as that of floor.
    plain = {"x": of(LEFT.array, requires_grad=False), "y": of(RIGHT.array, requires_grad=False)}
    rows += calls("lib.floor_divide(x, y)\nx // y\nlib.div(x, y, rounding_mode='floor')", "edges", **plain)
    whole = {"x": of([7, -7, 7, -7], "int32"), "y": of([2, 2, -2, -2], "int32")}
    rows += calls("x.floor_divide(y)\nx % y\nx.fmod(y)", "int", **whole)
    for name in COMPARISONS + LOGICAL:
        rows += calls(f"lib.{name}(x, y)", "broadcast", x=of([[1, 2], [0, 3]]), y=of([1, 3]))
        rows += calls(f"x.{name}(y)", "edges", x=LEFT, y=RIGHT)
        rows += calls(f"x.{name}(y)", "mixed", x=of([1, 2, 0], "int32"), y=of([1, 2.5, 0], "float16"))
    for name in BITS:
        for dtype in ("int64", "int32", "uint8", "bool"):
            rows += calls(f"lib.{name}(x, y)", dtype, x=of([0, 1, 1, 0], dtype), y=of([[0], [1]], dtype))
        rows += calls(f"x.{name}(y)", "signs", x=of([-5, 12, 7], "int16"), y=of([3, -1, 6], "int16"))
        rows += calls(f"x.{name}(y)", "mixed", x=of([-5, 12, 7], "int16"), y=of([3, 200, 6], "uint8"))
    for name in SHIFTS:
        rows += calls(f"lib.{name}(x, y)", "int", x=of([-5, 12, 7], "int32"), y=of([3, 1, 0], "int32"))
        rows += calls(f"x.{name}(2)", "number", x=of([5, 12, 200], "uint8"))
    return rows


NUMBERS = calls(
    """
    x + 2
    2 + x
    x - 0.5
    1 - x
    x * 3
    x / 3
    1 / x
    x.detach() // 2
    7 // x.detach()
    x % 3
    x % -3
    7 % x.detach()
    -x
    +x
    abs(x)
    x ** 2
    x ** 3
    x ** 1
    x ** 0
    x ** -1
    x ** -2
    x ** 0.5
    x ** -0.5
    x ** 2.5
    2 ** x
    x == 1
    x != 1
    x < 1
    x <= 1
    x > 1
    x >= 1
    1 < x
    True + x
    x * True
    lib.pow(2, x)
    lib.pow(x, 3)
    lib.add(x, 2, alpha=3)
    lib.sub(x, 2, alpha=3)
    x.remainder(1.5)
    x.fmod(1.5)
    lib.div(x, 2, rounding_mode="floor")
    lib.div(x, 2, rounding_mode="trunc")
    x.detach().floor_divide(2)
    x.true_divide(4)
    x.clamp(-1, 1)
    lib.where(x > 1, x, 0)
    lib.where(x > 1, 0.5, x)
    lib.where(x > 1, 1, 0)
    lib.where(x > 1, 1.0, 0)
    lib.where(x > 1, True, False)
    x.masked_fill(x > 1, 5)
    """
)


def with_numbers() -> list[Call]:
    """The lines above in several dtypes."""
    rows: list[Call] = []
    for dtype in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"):
        numbers = {"uint8": [0, 1, 3, 250], "bool": [0, 1], "int64": [-7, -1, 0, 4], "int32": [-7, -1, 0, 4]}
        given = of(numbers.get(dtype, [-2.5, -1.0, 0.0, 0.75, 1.0, 3.0]), dtype)
        rows += [Call(row.line, {"x": given}, f"numbers {dtype}", HALVES) for row in NUMBERS]
    rows += [Call(row.line, {"x": of(EDGES)}, "edges") for row in NUMBERS]
    return without(
        rows,
        # PyTorch takes -1 in uint8 for 255, so that the lower bound lies above the upper one.
        "numbers uint8: x.clamp(-1, 1)",
        # PyTorch refuses the difference of bools; here they count as 0 and 1.
        *("numbers bool: x - 0.5", "numbers bool: 1 - x", "numbers bool: +x", "numbers bool: lib.sub(x, 2, alpha=3)"),
        # Gradients where the value is NaN.
        *("edges: x ** -0.5", "edges: x.clamp(-1, 1)"),
    )


MORE_POINTWISE = (
    calls(
        """
    lib.add(x, y, alpha=2.5)
    x.sub(y, alpha=2)
    lib.lerp(x, y, 0.25)
    x.lerp(y, w)
    lib.addcmul(x, y, w, value=0.5)
    x.addcmul(y, w)
    lib.addcdiv(x, y, p, value=0.5)
    x.addcdiv(y, p)
    lib.clamp(x, -0.5, 0.5)
    lib.clamp(x, min=0)
    x.clamp(max=0.25)
    x.clamp(w, p)
    x.clamp(min=w)
    lib.clamp(x, 1.0, -1.0)
    x.clamp()
    lib.where(x > 0, x, y)
    lib.where(x > 0, x * y, row)
    lib.where(row > 0, x, s)
    lib.where(x > 0, 1.5, y)
    lib.where(x, x, y)
    lib.isclose(x, x + 1e-9)
    x.isclose(y)
    lib.allclose(x, x)
    x.allclose(y)
    lib.equal(x, x)
    x.equal(y)
    x.equal(row)
    lib.masked_fill(x, x > 0, 7.0)
    x.masked_fill(row > 0, s)
    x.atan() + lib.atan(y)
    lib.nan_to_num(x)
    lib.nan_to_num(x / 0)
    (x / 0).nan_to_num(nan=1.0, posinf=2.0, neginf=3.0)
    lib.result_type(x, 1)
    x @ y.T
    x.T @ y
    x @ row
    (x > 0) & (y > 0)
    (x > 0) | (y > 0)
    (x > 0) ^ (y > 0)
    ~(x > 0)
    lib.bitwise_not(x > 0)
    (x > 0).bitwise_not()
    x.int().bitwise_not()
    lib.numel(x)
    lib.erf(x) * x.erf()
    """,
        x=spread(2, 3),
        y=spread(2, 3, seed=5),
        w=spread(2, 3, low=-1, high=0, seed=6),
        p=spread(2, 3, low=0.5, high=2, seed=7),
        row=spread(3, seed=8),
        s=spread(low=1, seed=9),
    )
    + calls(
        """
    x.clamp(-1, 1)
    x.clamp(min=0)
    x.relu()
    abs(x)
    x.sign()
    lib.maximum(x, y)
    lib.minimum(x, y)
    lib.max(x, y)
    lib.min(x, y)
    x.max()
    x.min()
    x.amax()
    x.amin(0)
    x.amax((0, 1))
    x.amin((0, 1), keepdim=True)
    x.amax(1)
    x.max(1)
    x.min(0)
    x.max(dim=1, keepdim=True)
    x.sort()
    x.sort(0, descending=True)
    x.argsort(dim=1, stable=True)
    x.argsort(dim=0, descending=True, stable=True)
    x.argmax()
    x.argmin(1)
    x.argmax(0, keepdim=True)
    x.norm()
    x.norm(1)
    lib.where(x > 0, x, 0)
    x.remainder(y + 2)
    x.std(1)
    x.var(0)
    """,
        "ties",
        x=of([[1.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 2.0, 2.0, 2.0]]),
        y=of([[1.0, 0.0, 0.0, -1.0], [0.0, 1.0, -1.0, 0.0], [1.0, 2.0, 2.0, -2.0]]),
    )
    + calls(
        """
    lib.maximum(x, y)
    lib.minimum(x, y)
    x.max(1)
    x.min(1)
    x.amax(1)
    x.amin(1)
    x.detach().max()
    x.argmax(1)
    x.argmin(1)
    x.sort(1)
    x.sort(1, descending=True)
    x.sum(1)
    x.mean(0)
    x.prod(1)
    x.cumsum(1)
    x.logsumexp(1)
    x.softmax(1)
    x.log_softmax(1)
    x.detach().clamp(-1, 1)
    x.any(1)
    x.all(1)
    x.count_nonzero(1)
    x.norm(dim=1)
    x.detach().var(1)
    x.detach().std(1)
    lib.where(x > 0, x, y)
    x.isclose(y)
    x.isclose(x, equal_nan=True)
    x.equal(x)
    x.allclose(x, equal_nan=True)
    """,
        "NaN and inf",
        x=of([[NAN, 1.0, 2.0], [INF, -INF, 0.0], [INF, INF, 1.0], [-INF, -INF, -INF], [0.0, -0.0, 1.0]]),
        y=of([[1.0, NAN, 2.0], [INF, -INF, NAN], [1.0, INF, -INF], [0.0, 0.0, -INF], [-0.0, 0.0, 1.0]]),
    )
)

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

# Shapes
SHAPING = (
    calls(
        """
    lib.reshape(x, (4, 3))
    x.reshape(-1)
    x.reshape(2, -1)
    x.reshape(5, 2)
    x.reshape(-1, -1)
    x.view(6, 2)
    lib.flatten(x)
    x.flatten(1)
    x.flatten(0, 1)
    x.flatten(-2)
    lib.unflatten(x, 1, (2, 1))
    x.unflatten(0, (2, -1))
    x.unsqueeze(0).squeeze(0)
    lib.unsqueeze(x, -1)
    lib.squeeze(x.unsqueeze(1))
    x.unsqueeze(1).squeeze(0)
    x[None, :, None].squeeze((0, 2))
    lib.permute(x, (2, 0, 1))
    x.permute(1, 2, 0)
    x.permute(0, 0, 1)
    lib.transpose(x, 0, 2)
    x.transpose(-1, -2)
    lib.t(x[0])
    x[0].t()
    x[0, 0].t()
    x.t()
    x[0].T
    x.mT
    lib.movedim(x, 0, 2)
    x.movedim(-1, 0)
    x.movedim((0, 1), (1, 2))
    x[:1].expand(3, 3, 2)
    x[:1].expand(4, 3, -1, -1)
    x[:, :1].expand(-1, 5, -1)
    x.expand(3, 3, 3)
    x[0].expand_as(x)
    lib.broadcast_to(x[0], (4, 3, 2))
    x[:1].broadcast_to((2, 3, 2))
    lib.cat([x, y])
    lib.cat((x, y, x), dim=1)
    lib.cat([x, y], -1)
    lib.cat([x, e.detach()])
    lib.cat([x, y[0]])
    lib.cat([x, y[:, :2]], 0)
    lib.cat([x, lib.zeros(0, 3, 2, dtype=lib.float64)], 0)
    lib.concat([x, y], 1)
    lib.concatenate([x, y])
    lib.cat([])
    lib.stack([x, y])
    lib.stack((x, y), dim=1)
    lib.stack([x, y], -1)
    lib.stack([x, y[0]])
    lib.narrow(x, 1, 1, 2)
    x.narrow(0, -1, 1)
    x.narrow(0, 1, 2)
    lib.split(x, 2, 1)
    x.split([1, 2], dim=1)
    x.split(1)
    x.split([1, 1], dim=1)
    lib.chunk(x, 2, 1)
    x.chunk(3)
    x.chunk(2, dim=1)
    lib.select(x, 1, 0)
    x.select(-1, -1)
    lib.unbind(x)
    x.unbind(1)
    lib.flip(x, (0, 2))
    x.flip(1)
    x.flip(-1, 0)
    lib.roll(x, 1, 0)
    x.roll(-2, 1)
    x.roll(5)
    lib.roll(x, (1, 2), (0, 1))
    x.repeat(2, 1, 3)
    x.repeat(2, 1, 1, 2)
    x.repeat(2)
    lib.tile(x, (2, 2))
    x.tile(2, 1, 1, 1)
    lib.repeat_interleave(x, 2)
    x.repeat_interleave(3, dim=1)
    x.repeat_interleave(2, -1)
    lib.tril(x)
    x.tril(-1)
    lib.triu(x)
    x.triu(1)
    x[0, 0].triu()
    lib.diagonal(x, 0, 1, 2)
    x.diagonal()
    x.diagonal(1)
    x.diagonal(-1, 1, 2)
    x.diagonal(offset=5)
    lib.diag(x[0])
    x[0].diag(1)
    x[0, :, 0].diag()
    lib.diag(x[0, :, 0], -1)
    x.size()
    x.size(1)
    x.size(-1)
    x.shape
    x.numel()
    x.nelement()
    x.dim()
    x.ndim
    x.ndimension()
    len(x)
    x.element_size()
    x.contiguous().cpu().clone()
    lib.clone(x)
    x.clone()
    x.detach()
    list(x)
    [row.sum() for row in x]
    x.type_as(x.float())
    x.new_zeros(2, 3)
    x.is_floating_point()
    x.device.type
    x.dtype
    x[0, 0].tolist()
    x[0, 0, 0].item()
    x.detach().numpy()
    x.to(lib.float32)
    x.to("cpu")
    x.to("cpu", lib.float32)
    x.to(dtype=lib.float16)
    x.to(x.float())
    x.float()
    x.double()
    x.half()
    x.bfloat16()
    x.int()
    x.long()
    x.short()
    x.char()
    (x * x).byte()
    x.bool()
    """,
        x=spread(2, 3, 2),
        y=spread(2, 3, 2, seed=3),
        e=spread(0),
    )
    + calls(
        """
    x.reshape(0)
    x.reshape(3, 0, 2)
    x.reshape(-1)
    x.reshape(-1, 0)
    x.flatten()
    x.flatten(1)
    x.flip(0)
    x.permute(1, 0)
    x.T
    x.expand(4, 0, 3)
    x.repeat(2, 2)
    x.roll(1, 0)
    x.tril()
    x.sum(0)
    x.unsqueeze(0)
    x.chunk(2)
    x.split(2)
    lib.cat([x, x])
    lib.cat([x, x], 1)
    lib.stack([x, x])
    x.unbind()
    x.cumsum(0)
    x.sort()
    x.clone()
    x.nonzero()
    x @ x.T
    x.T @ x
    """,
        "empty",
        x=spread(0, 3),
    )
    + calls(
        """
    x.reshape(1, 1)
    x.reshape(())
    x.reshape(-1)
    x.flatten()
    x.unsqueeze(0)
    x.unsqueeze(-1)
    x.squeeze()
    x.squeeze(0)
    x.permute(())
    x.transpose(0, 0)
    x.t()
    x.T
    x.expand(2, 3)
    x.expand(2)
    x.repeat(3)
    x.repeat_interleave(3)
    x.flip(())
    x.roll(1)
    lib.stack([x, x])
    lib.cat([x, x])
    x.item()
    x.tolist()
    x.size()
    len(x)
    x.cumsum(0)
    x.sort()
    x.argsort()
    x.softmax(0)
    x.chunk(2)
    x.unbind()
    float(x)
    int(x)
    bool(x)
    x.detach().clone().fill_(2)
    """,
        "0-d",
        x=spread(low=0.5),
    )
)

LINEAR = (
    calls(
        """
    lib.matmul(a, b)
    a @ b
    a.matmul(b)
    a @ v
    u @ a
    u.matmul(u)
    c @ b
    c @ d
    c @ v
    u @ c
    c[:1] @ d
    c[:, None] @ d[None]
    a @ a
    a @ s
    lib.mm(a, b)
    a.mm(b)
    a.mm(v)
    lib.bmm(c, d)
    c.bmm(d)
    c.bmm(b)
    lib.mv(a, v)
    a.mv(v)
    lib.dot(u, u)
    u.dot(u)
    u.dot(v)
    lib.outer(u, v)
    u.outer(v)
    lib.addmm(w, a, b)
    w.addmm(a, b, beta=0.5, alpha=2)
    lib.trace(a)
    lib.trace(a.T)
    lib.trace(c)
    (a @ b).T @ (a @ b)
    """,
        "linear",
        a=spread(2, 3),
        b=spread(3, 4, seed=2),
        u=spread(2, seed=3),
        v=spread(3, seed=4),
        c=spread(2, 2, 3, seed=5),
        d=spread(2, 3, 2, seed=6),
        w=spread(4, seed=7),
        s=spread(),
    )
    + calls("a @ b", "no inner elements", a=spread(2, 0), b=spread(0, 3))
    + calls("a @ b", "no rows", a=spread(0, 2), b=spread(2, 3))
)


def linear_dtypes() -> list[Call]:
    """Matrix products in every dtype, and of two dtypes."""
    rows: list[Call] = []
    for dtype in ("float32", "float16", "bfloat16"):
        given = {"a": spread(3, 5, dtype=dtype), "b": spread(5, 2, dtype=dtype, seed=2), "v": spread(5, dtype=dtype)}
        rows += calls("a @ b\na @ v\nlib.dot(v, v)\nlib.outer(v, v)\nlib.addmm(b[:1], a, b)", dtype, HALVES, **given)
    for dtype in ("int64", "int32", "uint8", "bool"):
        given = {"a": of([[1, 2], [0, 1]], dtype), "b": of([[1, 0], [3, 1]], dtype)}
        rows += calls("a @ b\na.mv(b[0])\nlib.outer(a[0], b[1])", dtype, **given)
    rows += calls("a @ b", "float64 with float32", a=spread(2, 2), b=spread(2, 2, dtype="float32"))
    return rows


CREATION = calls(
    """
    lib.zeros(2, 3)
    lib.zeros((2, 3))
    lib.zeros([2], dtype=lib.int32)
    lib.zeros(())
    lib.zeros(0, 2)
    lib.ones(2, dtype=lib.bfloat16)
    lib.ones(2, requires_grad=True)
    lib.ones(2, dtype=lib.int64, requires_grad=True)
    lib.empty(2, 3).shape
    lib.full((2, 2), 7)
    lib.full((2,), 7.5)
    lib.full((2,), True)
    lib.full((), 3.0)
    lib.full((2,), 7, dtype=lib.float16)
    lib.zeros_like(x)
    lib.ones_like(x, dtype=lib.int64)
    lib.full_like(x, 2)
    lib.full_like(x, 2.5, dtype=lib.float64)
    lib.empty_like(x).shape
    lib.arange(5)
    lib.arange(2, 8)
    lib.arange(1, 7, 2)
    lib.arange(5, 0, -2)
    lib.arange(0.0, 1.0, 0.25)
    lib.arange(3.5)
    lib.arange(3, dtype=lib.float32)
    lib.arange(0, 1, 0.1)
    lib.arange(0, 5, -1)
    lib.arange(0)
    lib.linspace(0, 1, 5)
    lib.linspace(-1, 2, 4, dtype=lib.float64)
    lib.linspace(3, 3, 2)
    lib.linspace(0, 1, 1)
    lib.eye(3)
    lib.eye(2, 3, dtype=lib.int64)
    lib.tensor(3)
    lib.tensor(3.5)
    lib.tensor(True)
    lib.tensor([1, 2])
    lib.tensor([1, 2.5])
    lib.tensor([True, False])
    lib.tensor([[1.0], [2.0]])
    lib.tensor([])
    lib.tensor([], dtype=lib.int64)
    lib.tensor([[], []])
    lib.tensor([1, 2], dtype=lib.float64)
    lib.tensor([1.7, -1.7], dtype=lib.int32)
    lib.tensor([0.0, 2.0], dtype=lib.bool)
    lib.tensor([1, 300], dtype=lib.uint8)
    lib.tensor([[1, 2], [3]])
    lib.tensor(np.array([1.0, 2.0]))
    lib.tensor(np.array([1, 2], dtype=np.int16))
    lib.tensor(np.float32(2.5))
    lib.tensor([lib.tensor(1.0), lib.tensor(2.0)])
    lib.tensor([1.5], requires_grad=True)
    lib.tensor([True, 2])
    lib.tensor([2, True])
    lib.tensor("text")
    lib.tensor(None)
    lib.tensor(2**40)
    lib.tensor(1e300)
    lib.tensor(1e300, dtype=lib.float64)
    lib.tensor(float("nan"))
    lib.as_tensor([1, 2])
    lib.as_tensor(x, dtype=lib.float64)
    lib.as_tensor(np.arange(3))
    lib.from_numpy(np.arange(3))
    lib.from_numpy(np.array([1.5], dtype=np.float32))
    lib.get_default_dtype()
    lib.numel(lib.zeros(3, 4))
    x.to(lib.int64)
    """,
    "creation",
    x=of([[1.5, -2.5]], "float32"),
)

INPLACE = calls(
    """
    y = x.clone(); y.add_(1); y
    y = x.clone(); y.add_(x, alpha=2); y
    y = x.clone(); y.sub_(0.5); y
    y = x.clone(); y.mul_(x); y
    y = x.clone(); y.div_(2); y
    y = x.clone(); y.pow_(2); y
    y = x.clone(); y.neg_(); y
    y = x.clone(); y.abs_(); y
    y = x.clone(); y.exp_(); y
    y = x.clone(); y.abs_().log_(); y
    y = x.clone(); y.abs_().sqrt_(); y
    y = x.clone(); y.abs_().rsqrt_(); y
    y = x.clone(); y.tanh_(); y
    y = x.clone(); y.sigmoid_(); y
    y = x.clone(); y.clamp_(-1, 1); y
    y = x.clone(); y.floor_(); y
    y = x.clone(); y.ceil_(); y
    y = x.clone(); y.round_(); y
    y = x.clone(); y.trunc_(); y
    y = x.clone(); y.relu_(); y
    y = x.clone(); y.lerp_(x * 2, 0.5); y
    y = x.clone(); y.addcmul_(x, x, value=2); y
    y = x.clone(); y.addcdiv_(x, x + 5); y
    y = x.clone(); y.remainder_(1.5); y
    y = x.clone(); y.square_(); y
    y = x.clone(); y.reciprocal_(); y
    y = x.clone(); y.sin_(); y
    y = x.clone(); y.cos_(); y
    y = x.clone(); y.fill_(3); y.detach()
    y = x.clone(); y.zero_(); y.detach()
    y = x.clone(); y.copy_(x * 2); y
    y = x.clone(); y.copy_(x[0]); y
    y = x.clone(); y.masked_fill_(y > 0, 9.0); y
    y = x.clone(); y.scatter_(0, i, 5.0); y
    y = x.clone(); y.scatter_(0, i, x * 2); y
    y = x.clone(); y.scatter_add_(0, i, x); y
    y = x.clone(); y.logical_not_(); y.detach()
    y = x.clone(); y.logical_and_(x > 0); y.detach()
    y = x.clone(); y.logical_or_(x > 0); y.detach()
    y = x.clone(); z = y * 2; y.add_(z); y + z
    y = x.clone(); y += 1; y
    y = x.clone(); y -= x; y
    y = x.clone(); y *= 2; y
    y = x.clone(); y /= 4; y
    y = x.clone(); y.requires_grad
    y = x.detach().clone(); y.add_(1); y
    y = x.detach().clone().int(); y.add_(1); y
    y = x.detach().clone().int(); y.add_(1.5); y
    y = x.detach().clone().float(); y.add_(x.detach()); y
    x.add_(1)
    x.zero_()
    x.detach().add_(1)
    x.is_leaf, (x + 1).is_leaf, x.detach().is_leaf
    x.requires_grad, x.detach().requires_grad
    x.grad is None, x.grad_fn is None, (x * 2).grad_fn is None
    x.detach().requires_grad_().requires_grad
    x.data
    """,
    "in place",
    x=spread(2, 3),
    i=of([[0, 1, 0], [1, 0, 1]], "int64"),
)

ORACLE_ROWS = [
    *unary_rows(), *binary_rows(), *with_numbers(), *MORE_POINTWISE, *reduction_rows(), *MORE_REDUCTIONS, *SHAPING,
    *LINEAR, *linear_dtypes(), *CREATION, *INPLACE,
]  # fmt: skip
