"""Rows for einsum: products, sums, diagonals, ellipses, broadcasting, lists of integers, and what it refuses."""

from tests.contracts.calls import HALVES, calls, of, spread

EQUATIONS = """
    lib.einsum("ij,jk->ik", x, y)
    lib.einsum("ij,jk", x, y)
    lib.einsum("ij,jk->ki", x, y)
    lib.einsum("ij,kj->ik", x, x)
    lib.einsum("ij,ij->i", x, x)
    lib.einsum("ij,jk->", x, y)
    lib.einsum("ij,jk->ijk", x, y)
    lib.einsum("i,j->ij", x[:, 0], y[0])
    lib.einsum("ij->ji", x)
    lib.einsum("ji", x)
    lib.einsum("ij->j", x)
    lib.einsum("ij->", x)
    lib.einsum("ij", x)
"""
MORE = """
    lib.einsum("bij,bjk->bik", a, b)
    lib.einsum("bij,bjk->kbi", a, b)
    lib.einsum("bij,jk->bik", a, y)
    lib.einsum("bij,bkj->ik", a, a)
    lib.einsum("bthd,bshd->bhts", q, q)
    lib.einsum("bhts,bshd->bthd", q[:, :, :, :2], q)
    lib.einsum("ii->i", s)
    lib.einsum("ii", s)
    lib.einsum("ii->", s)
    lib.einsum("iji->ij", c)
    lib.einsum("iij->ij", c.permute(0, 2, 1))
    lib.einsum("iii->i", lib.einsum("i,j,k->ijk", s[0], s[1], s[2]))
    lib.einsum("ii,ij->j", s, s)
    lib.einsum("...ij,...jk->...ik", a, b)
    lib.einsum("...ij,jk->...ik", a, y)
    lib.einsum("...ij,jk", a, y)
    lib.einsum("...i,...i", a, a)
    lib.einsum("i...->...", a)
    lib.einsum("i...k->...", a)
    lib.einsum("b...j,j->b...", a, y[:, 0])
    lib.einsum("...->", a)
    lib.einsum("...->...", a)
    lib.einsum("...i->i", a)
    lib.einsum("i...->i", y[0])
    lib.einsum("...ij,...jk->...ik", a, b[:1])
    lib.einsum("...ij,...jk->...ik", a[0], b)
    lib.einsum("ij,jk->ik", x[:, :1], y)
    lib.einsum("ij,jk->ik", x, y[:1])
    lib.einsum("ij,ik->jk", x[:1], x)
    lib.einsum("ij,ij->ij", x[:, :1], x)
    lib.einsum("ij,jk,kl->il", x, y, y.T)
    lib.einsum("ij,jk,kl,lm->im", x, y, y.T, y)
    lib.einsum("i,j,k->kji", x[0], x[1], y[0])
    lib.einsum("i,ij,j->", x[:, 0], x, x[0])
    lib.einsum("bd,bsd,se->be", a[:, 0], a, x)
    lib.einsum("ij,,jk->ik", x, y[0, 0], y)
    lib.einsum("->", y[0, 0])
    lib.einsum("", y[0, 0])
    lib.einsum("aB,Bc", x, y)
    lib.einsum("bA", x)
    lib.einsum(" i j , j k -> i k ", x, y)
    lib.einsum("ij,jk->ik", [x, y])
    lib.einsum("ij,jk->ik", (x, y))
    lib.einsum("ij,jk->ik", x[:0], y)
    lib.einsum("ij,jk->ik", x[:, :0], y[:0])
    lib.einsum("ij->i", x[:, :0])
    lib.einsum(x, [0, 1], y, [1, 2], [0, 2])
    lib.einsum(x, [0, 1], y, [1, 2])
    lib.einsum(x, [26, 1])
    lib.einsum(a, [..., 1, 2], y, [2, 3], [..., 3, 1])
    lib.einsum(s, [51, 51])
"""
REFUSED = """
    lib.einsum("ij,jk->ik", x)
    lib.einsum("ij->i", x, y)
    lib.einsum("ij,jk->ik", x, x)
    lib.einsum("ijk->i", x)
    lib.einsum("i->i", x)
    lib.einsum("ij->ii", x)
    lib.einsum("ij->ijk", x)
    lib.einsum("ii->i", x)
    lib.einsum("ii->i", x[:1])
    lib.einsum("i1->i", x)
    lib.einsum("i.j->i", x)
    lib.einsum("i...j...->i", x)
    lib.einsum("ij->i->j", x)
    lib.einsum("ij", 2.0)
    lib.einsum("ij")
    lib.einsum(x, [0, 52])
    lib.einsum(x, [0, -1])
    lib.einsum(x, 0)
    lib.einsum("...ij,...jk->...ik", a, a)
    lib.einsum("...i,...i->...", a, q)
    lib.einsum("ij,jk->ik", x, y.float())
"""
X, Y = spread(2, 3), spread(3, 4, seed=2)
INTEGERS = {"x": of([[1, 2, 3], [4, 5, 6]], "int64"), "y": of([[1, 0, 2, -1], [3, 1, 0, 0], [2, 2, 1, -5]], "int64")}

ORACLE_ROWS = [
    *calls(
        EQUATIONS + MORE + REFUSED,
        "einsum",
        x=X,
        y=Y,
        a=spread(2, 2, 3, seed=3),
        b=spread(2, 3, 2, seed=4),
        c=spread(3, 2, 3, seed=5),
        q=spread(2, 3, 2, 4, seed=6),
        s=spread(3, 3, seed=7),
    ),
    *calls(EQUATIONS, "einsum of integers", **INTEGERS),
    *calls(EQUATIONS, "einsum in float32", x=spread(2, 3, dtype="float32"), y=spread(3, 4, dtype="float32", seed=2)),
    *calls(
        EQUATIONS, "einsum in float16", HALVES, x=spread(2, 3, dtype="float16"), y=spread(3, 4, dtype="float16", seed=2)
    ),
]
