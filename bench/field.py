"""Who is measured: each peer with its library, its environment and its modes."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mode:
    """One way of running a peer.

    caches: whether a second process starts faster, because something lies on disk. tolerance: relative, by which its
    losses may differ. usual: whether it is measured for workloads that do not ask for it.
    """

    title: str
    caches: bool = False
    tolerance: float = 1e-3
    usual: bool = True


@dataclass(frozen=True)
class Peer:
    """A library, and the modes it is measured in. `written` names the function of a workload that it needs."""

    title: str
    library: str
    written: str
    modes: dict[str, Mode] = field(default_factory=dict)
    ours: bool = False  # runs in Pullback's own environment


PEERS = {
    "pullback": Peer(
        title="Pullback",
        library="pullback",
        written="in_torch",
        modes={"call": Mode("per call", caches=True), "epoch": Mode("in an epoch", caches=True)},
        ours=True,
    ),
    "numpy": Peer("NumPy", "numpy", "in_numpy", {"call": Mode("by hand")}, ours=True),
    "torch": Peer(
        title="PyTorch",
        library="torch",
        written="in_torch",
        modes={
            "eager": Mode("eager"),
            "compiled": Mode("loss compiled", caches=True),
            "compiled-step": Mode("step compiled", caches=True),
            "autocast": Mode("eager, bfloat16 autocast", tolerance=1e-2, usual=False),
        },
    ),
    "jax": Peer("JAX", "jax", "in_jax", {"jit": Mode("jit per call"), "scan": Mode("scan over an epoch")}),
    "mlx": Peer("MLX", "mlx", "in_mlx", {"compile": Mode("compiled per call", caches=True)}),
    "autograd": Peer("autograd", "autograd", "in_autograd", {"call": Mode("per call")}),
}
BASELINE = "torch/eager"  # the contender that ratios are against
BFLOAT16 = "torch/autocast"


def all_contenders() -> list[str]:
    """Everything that is measured, as `peer/mode`."""
    return [f"{name}/{mode}" for name, peer in PEERS.items() for mode in peer.modes]


def mode_of(key: str) -> Mode:
    """The mode of `peer/mode`."""
    peer, mode = key.split("/")
    return PEERS[peer].modes[mode]


def title(key: str) -> str:
    """A contender as it is called in tables: `PyTorch eager` for `torch/eager`."""
    return f"{PEERS[key.split('/')[0]].title} {mode_of(key).title}"
