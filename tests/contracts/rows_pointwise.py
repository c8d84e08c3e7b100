"""Rows for functions that work place by place: values, dtypes, gradients, ties, NaN and infinity."""

from tests.contracts.calls import HALVES, Call, calls, of, spread, without

INF, NAN = float("inf"), float("nan")
EDGES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-4, 100.0]
LEFT = of([a for a in EDGES[:-2] for _ in EDGES[:-2]])
RIGHT = of([b for _ in EDGES[:-2] for b in EDGES[:-2]])

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

ORACLE_ROWS = [*unary_rows(), *binary_rows(), *with_numbers(), *MORE_POINTWISE]
