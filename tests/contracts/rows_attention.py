"""Rows of attention."""

from tests.contracts.calls import Call, calls, of, spread

T, F = True, False
SOME = of([[T, F, T, F, F], [F, F, F, F, F], [T, T, T, T, T]], "bool")  # the second query may look at nothing
FLOATS = of(
    [[0.0, 1.0, -1.0, float("-inf"), 2.0], [float("-inf")] * 5, [0.5, 0.0, 0.0, float("-inf"), 1.0]],
    requires_grad=False,
)
ATTEND = "lib.nn.functional.scaled_dot_product_attention"

DOT_PRODUCTS: list[Call] = [
    *calls(
        f"""
        {ATTEND}(q, k, v)
        {ATTEND}(q, k, v, some)
        {ATTEND}(q, k, v, attn_mask=floats)
        {ATTEND}(q, k, v, bias)
        {ATTEND}(q, k, v, is_causal=True)
        {ATTEND}(q, k, v, None, 0.0, False, scale=0.25)
        {ATTEND}(q, k, v, scale=-2.0)
        {ATTEND}(k, q, q, is_causal=True)
        {ATTEND}(q[0], k[0], v[0], some)
        {ATTEND}(q[0, 0], k[0, 0], v[0, 0])
        {ATTEND}(q, k[:, :1], v)
        {ATTEND}(q, k[:, :, :0], v[:, :, :0])
        {ATTEND}(q[:, :, :0], k, v)
        {ATTEND}(lib.cat([q, q], 1), k, v, enable_gqa=True)
        {ATTEND}(lib.cat([q, q], 1), k, v, some, enable_gqa=True)
        {ATTEND}(lib.cat([q, q], 1), k, v[:, :1], is_causal=True, enable_gqa=True)
        {ATTEND}(q[0], k[0, :1], v[0, :1], enable_gqa=True)
        {ATTEND}(q.detach(), k.detach(), v.detach(), some)
        {ATTEND}(q.detach(), k, v.detach())
        {ATTEND}(q, k, v, dropout_p=1.0)
        {ATTEND}(q, k, v, dropout_p=1.5)
        {ATTEND}(q, k, v, some[:, :3])
        {ATTEND}(q, k, v, some[0])
        {ATTEND}(q, k, v, some.long())
        {ATTEND}(q, k, v[:, :, 1:])
        {ATTEND}(q, k[..., 1:], v)
        {ATTEND}(lib.cat([q, q], 1), k, v)
        {ATTEND}(lib.cat([q, q[:, :1]], 1), k, v, enable_gqa=True)
        {ATTEND}(q, k, v.float())
        {ATTEND}(q[0, 0, 0], k[0, 0], v[0, 0])
        """,
        q=spread(2, 2, 3, 4, seed=41),
        k=spread(2, 2, 5, 4, seed=42),
        v=spread(2, 2, 5, 3, seed=43),
        some=SOME,
        floats=FLOATS,
        bias=spread(2, 3, 5, seed=44),
    ),
    *calls(
        f"""
        {ATTEND}(q, q, q, is_causal=True)
        {ATTEND}(q, q, q, narrow)
        {ATTEND}(half, half, half)
        {ATTEND}(brief, brief, brief, is_causal=True)
        """,
        q=spread(1, 2, 3, 4, dtype="float32", seed=45),
        narrow=spread(3, 3, dtype="float32", seed=46),
        half=spread(1, 2, 3, 4, dtype="float16", seed=47),
        brief=spread(1, 2, 3, 4, dtype="bfloat16", seed=48),
    ),
]

ORACLE_ROWS = [*DOT_PRODUCTS]
