"""Rows for new tensors, and for those that are written to in place."""

from tests.contracts.calls import calls, of, spread

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

ORACLE_ROWS = [*CREATION, *INPLACE]
