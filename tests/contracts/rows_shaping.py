"""Rows for shapes, joining and cutting, casts, and products of matrices."""

from tests.contracts.calls import HALVES, Call, calls, of, spread

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


ORACLE_ROWS = [*SHAPING, *LINEAR, *linear_dtypes()]
