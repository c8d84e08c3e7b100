"""Rows of the layers that normalise, and of the running statistics that some of them keep."""

from tests.contracts.calls import HALVES, Given, calls, of, spread
from tests.contracts.layer_row import LayerRow


def bent(*shape: int, seed: int) -> Given:
    """Numbers that are no straight function of the cotangents: to these a normalised row of few numbers is blind."""
    straight = spread(*shape, seed=seed).array
    return of(straight * abs(straight))


TABLE = bent(4, 6, seed=41)
SERIES = bent(2, 2, 5, seed=42)
IMAGE = bent(2, 4, 1, 4, seed=43)
VOLUME = bent(2, 2, 1, 2, 2, seed=44)
NARROW = spread(4, 6, dtype="float32", seed=45)
FLAT = of([[1.0, 1.0, 1.0], [0.0, 2.0, -2.0]])

LAYERS: list[LayerRow] = [
    LayerRow("LayerNorm", (TABLE,), (6,)),
    LayerRow("LayerNorm", (TABLE,), (6,), {"eps": 0.5, "bias": False}),
    LayerRow("LayerNorm", (TABLE,), (6,), {"elementwise_affine": False}),
    LayerRow("LayerNorm", (SERIES,), ([2, 5],)),
    LayerRow("LayerNorm", (IMAGE,), (4,)),
    LayerRow("LayerNorm", (spread(5),), (5,)),
    LayerRow("LayerNorm", (spread(0, 6),), (6,)),
    LayerRow("LayerNorm", (spread(4, 1),), (1,), smooth=False, twice=False),
    LayerRow("LayerNorm", (FLAT,), (3,), label="a constant row"),
    LayerRow("LayerNorm", (NARROW,), (6,), label="float32", dtype="float32"),
    LayerRow("RMSNorm", (TABLE,), (6,)),
    LayerRow("RMSNorm", (TABLE,), (6,), {"eps": 0.5}),
    LayerRow("RMSNorm", (SERIES,), ((2, 5),), {"elementwise_affine": False}),
    LayerRow("RMSNorm", (spread(5),), (5,)),
    LayerRow("RMSNorm", (NARROW,), (6,), label="float32", dtype="float32"),
    LayerRow("GroupNorm", (IMAGE,), (2, 4)),
    LayerRow("GroupNorm", (IMAGE,), (1, 4), {"eps": 0.5, "bias": False}),
    LayerRow("GroupNorm", (IMAGE,), (4, 4), {"affine": False}),
    LayerRow("GroupNorm", (TABLE,), (2, 6)),
    LayerRow("GroupNorm", (SERIES,), (1, 2)),
    LayerRow("InstanceNorm1d", (SERIES,), (2,)),
    LayerRow("InstanceNorm1d", (bent(2, 5, seed=55),), (2,), {"affine": True}),
    LayerRow("InstanceNorm1d", (SERIES,), (2,), {"affine": True, "track_running_stats": True}),
    LayerRow("InstanceNorm1d", (SERIES,), (2,), {"track_running_stats": True}, "in evaluation", train=False),
    LayerRow("InstanceNorm1d", (SERIES,), (2,), {"affine": True}, "in evaluation", train=False),
    LayerRow("InstanceNorm2d", (IMAGE,), (4,), {"affine": True, "eps": 0.5}),
    LayerRow("InstanceNorm2d", (bent(2, 1, 4, seed=56),), (2,), {"affine": True, "bias": False}),
    LayerRow("InstanceNorm3d", (VOLUME,), (2,)),
    LayerRow("InstanceNorm3d", (bent(2, 2, 1, 2, seed=57),), (2,), {"affine": True}),
    LayerRow("BatchNorm1d", (TABLE,), (6,)),
    LayerRow("BatchNorm1d", (SERIES,), (2,)),
    LayerRow("BatchNorm1d", (TABLE,), (6,), {"affine": False}),
    LayerRow("BatchNorm1d", (TABLE,), (6,), {"bias": False, "eps": 0.5, "momentum": 0.3}),
    LayerRow("BatchNorm1d", (TABLE,), (6,), {"track_running_stats": False}),
    LayerRow("BatchNorm1d", (TABLE,), (6,), {"track_running_stats": False}, "in evaluation", train=False),
    LayerRow("BatchNorm1d", (TABLE,), (6,), {"momentum": None}),
    LayerRow("BatchNorm1d", (TABLE,), (6,), label="in evaluation", train=False),
    LayerRow("BatchNorm1d", (NARROW,), (6,), label="float32", dtype="float32"),
    LayerRow("BatchNorm2d", (IMAGE,), (4,)),
    LayerRow("BatchNorm2d", (bent(1, 2, 1, 4, seed=58),), (2,)),
    LayerRow("BatchNorm2d", (IMAGE,), (4,), label="in evaluation", train=False),
    LayerRow("BatchNorm3d", (VOLUME,), (2,)),
    LayerRow("LocalResponseNorm", (IMAGE,), (3,), {"alpha": 0.5}),
    LayerRow("LocalResponseNorm", (IMAGE,), (2,), {"alpha": 0.5, "beta": 0.5, "k": 2.0}),
    LayerRow("LocalResponseNorm", (spread(1, 3, 2),), (6,), {"alpha": 0.5}),
    LayerRow("LocalResponseNorm", (VOLUME,), (1,)),
]

# PyTorch's momentum is a float32 in float64, too.
COARSE = {"float64": (1e-7, 1e-7)}

# What is kept after some steps: the mean, the variance and the count.
KEPT = calls(
    """
    m = lib.nn.BatchNorm1d(6).double(); m(x); [m.running_mean, m.running_var, m.num_batches_tracked]
    m = lib.nn.BatchNorm1d(6).double(); m(x); m(y); [m.running_mean, m.running_var, m.num_batches_tracked, m.eval()(x)]
    m = lib.nn.BatchNorm1d(6, momentum=None).double(); m(x); m(y); m(x); [*m.buffers()]
    m = lib.nn.BatchNorm1d(6, momentum=0.0).double(); m(x); [*m.buffers()]
    m = lib.nn.BatchNorm1d(6, momentum=1.0).double(); m(x); m(y); [*m.buffers()]
    m = lib.nn.BatchNorm1d(6); m(x.float()); m(y.float()); [*m.buffers()]
    m = lib.nn.BatchNorm1d(6, momentum=None); m(x.float()); m(y.float()); [*m.buffers()]
    m = lib.nn.BatchNorm1d(6).double().eval(); m(x); [*m.buffers()]
    m = lib.nn.BatchNorm1d(6).double(); m.track_running_stats = False; m(x); [*m.buffers(), m.eval()(x)]
    m = lib.nn.BatchNorm1d(6, track_running_stats=False); [len([*m.buffers()]), m.running_mean is None]
    m = lib.nn.BatchNorm1d(6).double(); m(x); m.reset_running_stats(); [*m.buffers()]
    m = lib.nn.BatchNorm1d(6).double(); m(x); m.weight.data.zero_(); m.reset_parameters(); [*m.buffers(), m.weight]
    m = lib.nn.BatchNorm2d(4).double(); m(image); m(2 * image); [*m.buffers()]
    m = lib.nn.InstanceNorm2d(4, 1e-5, 0.1, False, True).double(); m(image); [*m.buffers(), m.eval()(image)]
    m = lib.nn.InstanceNorm2d(4, momentum=0.5, track_running_stats=True).double(); m(image[0]); [*m.buffers()]
    a, b = lib.ones(4).double(), lib.ones(4).double(); lib.nn.functional.batch_norm(image, a, b, training=True); [a, b]
    a, b = lib.ones(4).double(), lib.ones(4).double(); lib.nn.functional.instance_norm(image, a, b); [a, b]
    a = lib.ones(4).double(); lib.nn.functional.instance_norm(image, a, 2 * a, use_input_stats=False)
    """,
    tolerance=COARSE,
    x=TABLE,
    y=spread(4, 6, seed=46),
    image=IMAGE,
)

FUNCTIONS = [
    *calls(
        """
        lib.nn.functional.layer_norm(x, (6,))
        lib.nn.functional.layer_norm(x, x.shape, eps=0.1)
        lib.nn.functional.layer_norm(x, [6], w, bias=b)
        lib.nn.functional.layer_norm(x, (4,))
        lib.nn.functional.layer_norm(x, (6,), w[:5])
        lib.nn.functional.layer_norm(x, (6,), w.float())
        lib.nn.functional.rms_norm(x, (6,))
        lib.nn.functional.rms_norm(x, (6,), w, 0.25)
        lib.nn.functional.rms_norm(x, (5,))
        lib.nn.functional.group_norm(x, 2)
        lib.nn.functional.group_norm(x, 2, w, b, 0.25)
        lib.nn.functional.group_norm(x, 4)
        lib.nn.functional.group_norm(x[0], 2)
        lib.nn.functional.batch_norm(x, None, None, training=True)
        lib.nn.functional.batch_norm(x, b.detach(), w.detach(), b, w)
        lib.nn.functional.batch_norm(x, None, None)
        lib.nn.functional.batch_norm(x[:1], None, None, training=True)
        lib.nn.functional.batch_norm(x, b[:5], w[:5])
        lib.nn.functional.instance_norm(x.reshape(2, 3, 4), eps=0.25)
        lib.nn.functional.instance_norm(x.reshape(4, 6, 1))
        lib.nn.functional.local_response_norm(x.reshape(2, 4, 3), 2, 0.5)
        lib.nn.functional.local_response_norm(x, 2)
        lib.nn.BatchNorm1d(4).double()(x)
        lib.nn.BatchNorm1d(6).double()(x.reshape(2, 2, 2, 3))
        lib.nn.BatchNorm2d(6).double()(x)
        lib.nn.BatchNorm3d(6).double()(x)
        lib.nn.BatchNorm1d(6).double()(x[:1])
        lib.nn.BatchNorm1d(6).double().eval()(x[:1])
        lib.nn.InstanceNorm1d(6).double()(x.reshape(4, 6, 1))
        lib.nn.InstanceNorm1d(5).double()(x)
        lib.nn.InstanceNorm1d(5, affine=True).double()(x)
        lib.nn.InstanceNorm2d(6).double()(x)
        lib.nn.GroupNorm(4, 6)
        lib.nn.GroupNorm(2, 4).double()(x)
        """,
        x=TABLE,
        w=spread(6, low=0.5, high=2.0, seed=47),
        b=spread(6, seed=48),
    ),
    *calls(
        """
        lib.nn.functional.layer_norm(h, (6,))
        lib.nn.functional.layer_norm(h, (6,), w, w)
        lib.nn.functional.rms_norm(h, (6,), w)
        lib.nn.functional.group_norm(h, 2, w, w)
        lib.nn.functional.batch_norm(h, None, None, w, w, True)
        lib.nn.functional.instance_norm(h.reshape(2, 3, 4))
        """,
        label="bfloat16",
        tolerance=HALVES,
        h=spread(4, 6, dtype="bfloat16", seed=49),
        w=spread(6, dtype="bfloat16", low=0.5, high=2.0, seed=50),
    ),
    *calls(
        """
        lib.nn.functional.layer_norm(h, (6,), w, w)
        lib.nn.functional.rms_norm(h, (6,))
        lib.nn.functional.batch_norm(h, None, None, w, w, True)
        lib.nn.functional.layer_norm(large, (3,))
        """,
        label="float16",
        tolerance=HALVES,
        h=spread(4, 6, dtype="float16", seed=51),
        w=spread(6, dtype="float16", low=0.5, high=2.0, seed=52),
        large=of([[60000.0, -60000.0, 0.0]], "float16"),
    ),
]

ORACLE_ROWS = [*LAYERS, *KEPT, *FUNCTIONS]
