"""Rows for x[key] and x[key] = y: every kind of key, alone and mixed, with the gradients of both."""

from tests.contracts.calls import calls, of, spread

KEYS = """
    0
    -1
    1, 2
    1, -1, 0
    5
    0, 0, 0, 0
    :
    1:
    :1
    :, 1:3
    ..., 0
    0, ...
    ..., 1, :
    ...
    :, ::2
    :, 1::2, ::3
    :, :-1
    :, -2:
    :, 5:9
    :, 2:1
    None
    :, None
    ..., None
    None, 0, None, :2
    True
    False
    b
    :, c
    m
    ~m
    m, 0
    i
    :, j
    ..., k
    i, j
    j, :, i2
    :, j, k
    i, :, k
    0, j
    0, :, k
    :, 0, k
    i, 0
    j, 0, 0
    None, i
    :, None, j
    ..., j, 0
    i[:, None], j
    i[:, None], j[None, :]
    jj
    :, jj
    [0]
    [0, 1, 1]
    [-1]
    :, [2, 0]
    [0, 1], [1, 2]
    [True, False]
    [False, False]
    b, 1:
    1:, :, [0, 1]
    b[:, None] & c
    s
    s, s
    lib.tensor([True, False, False])
    lib.tensor([True])
    :, lib.tensor([[True, False]])
    lib.tensor(True)
    0, lib.tensor(False)
    :, s
    i.int()
    i.to(lib.uint8) > 0
    []
    np.array([0, 1])
    np.int64(1)
    slice(None, 1)
    (slice(None), 1)
    lib.tensor([7])
    :, lib.tensor([-4])
    :, lib.tensor([-3])
    "a"
    1.5
    1.5,
    lib.tensor([0.5])
"""

GIVEN = {
    "x": spread(2, 3, 4),
    "b": of([1, 0], "bool"),
    "c": of([1, 0, 1], "bool"),
    "m": of([[1, 0, 1], [0, 0, 1]], "bool"),
    "i": of([1, 0], "int64"),
    "i2": of([3, 0], "int64"),
    "j": of([2, 0], "int64"),
    "jj": of([[1, 0], [1, 1]], "int64"),
    "k": of([3, 3, 1], "int64"),
    "s": of(1, "int64"),
}
NAMES = [line.strip() for line in KEYS.strip().splitlines()]

READS = calls("\n".join(f"x[{key}]" for key in NAMES), **GIVEN)
# What is written: a number, a tensor that broadcasts, a tensor of another dtype.
WRITES = (
    calls("\n".join(f"y = x.clone(); y[{key}] = 7; y" for key in NAMES), **GIVEN)
    + calls("\n".join(f"y = x.clone(); y[{key}] = v; y" for key in NAMES if key != "False"), v=of(2.5), **GIVEN)
    + calls("\n".join(f"y = x.clone(); y[{key}] = x[{key}] * 2; y" for key in NAMES if "k" not in key), **GIVEN)
)

MORE = (
    calls(
        """
    y = x.clone(); y[0] = r; y
    y = x.clone(); y[:, 1] = r; y
    y = x.clone(); y[:, 1:] = c3; y
    y = x.clone(); y[..., 0] = x[..., 1]; y
    y = x.clone(); y[m] = 0; y
    y = x.clone(); y[m] = r; y
    y = x.clone(); y[x > 0] = 0.5; y
    y = x.clone(); y[x > 0] = x[x > 0] * 3; y
    y = x.clone(); y[i, j] = w; y
    y = x.clone(); y[[0, 1], [1, 1]] = w; y
    y = x.clone(); y[0, 0, 0] = 3; y[1] = y[0]; y
    y = x.clone(); y[0] += 1; y
    y = x.clone(); y[0] *= x[1]; y
    y = x.clone(); y[m] -= 2; y
    y = x.clone(); y[0] = r.float(); y
    y = x.clone(); y[0] = True; y
    y = x.clone(); y[0] = w; y
    y = x.clone(); y[0] = x; y
    y = x.clone(); y[0] = r[None, None]; y
    y = x.clone(); y[None, 0] = r; y
    y = x.clone(); y[:0] = 5; y
    y = x.clone(); y[[]] = 5; y
    y = x.detach().clone(); y[0] = r; y
    y = x.detach().int(); y[0] = 2.9; y
    y = x.detach().int(); y[0] = r; y
    y = lib.zeros(2, 3, 4, dtype=lib.float64); y[1] = x[0]; y
    y = lib.zeros(3, dtype=lib.bool); y[1] = True; y
    y = x[0].clone(); y[0] = 9; x + y
    x[0][1][2]
    x[0].T[1]
    x[x > 0]
    x[x > 100]
    x[m][0]
    x[m, 1:3]
    x[i][:, j]
    x[(i, j)]
    x[i, j].sum() + x[j, i].sum()
    x[[1, 1, 1]]
    x[::2][0]
    x[:, [0, 2]][:, :, [1]]
    x[1:2, ..., 1:2]
    x[-1, -1, -1]
    x.tolist()[0][1][2] == x[0, 1, 2].item()
    """,
        x=spread(2, 3, 4),
        r=spread(4, seed=2),
        w=spread(2, 4, seed=3),
        c3=spread(2, 4, seed=4).reshaped(1, 2, 4),
        i=of([1, 0], "int64"),
        j=of([1, 2], "int64"),
        m=of([[1, 0, 1], [0, 0, 1]], "bool"),
    )
    + calls(
        "x[0]\nx[:2]\nx[None]\nx[[]]\nx[..., None]\nx[i]\nx[x > 0]\nx[:, 1]\nx[:, [0, 1]]",
        "empty",
        x=spread(0, 3),
        i=of([], "int64"),
    )
    + calls(
        "x[...]\nx[None]\nx[()]\nx[0]\nx[True]\nx[x > 0]\ny = x.clone(); y[...] = 3; y\ny = x.clone(); y[()] = 3; y",
        "0-d",
        x=spread(low=0.5),
    )
)

ORACLE_ROWS = [*READS, *WRITES, *MORE]
