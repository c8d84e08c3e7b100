"""Losses as layers. `reduction` is "none", "mean" or "sum"."""

from collections.abc import Sequence

import pullback.nn.functional as F
from pullback.nn.functional.reduction import check_reduction
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor


class _Loss(Module):
    """A loss with a reduction, and perhaps a weight that is a buffer."""

    __constants__: Sequence[str] = ("reduction",)
    weight: Tensor | None

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction


class MSELoss(_Loss):
    """(x − y)², for an input and a target of one shape (unlike PyTorch's, which broadcasts with a warning).

    >>> import pullback as pb
    >>> pb.nn.MSELoss()(pb.tensor([1.0, 2.0]), pb.tensor([1.0, 4.0]))
    tensor(2.)

    Source: torch.nn.MSELoss.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.mse_loss` of input and target."""
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """|x − y|, for an input and a target of one shape.

    >>> import pullback as pb
    >>> pb.nn.L1Loss()(pb.tensor([1.0, 2.0]), pb.tensor([1.0, 4.0]))
    tensor(1.)

    Source: torch.nn.L1Loss.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.l1_loss` of input and target."""
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """½ d² / beta where d = |x − y| < beta, else d − ½ beta.

    >>> import pullback as pb
    >>> pb.nn.SmoothL1Loss("none")(pb.tensor([1.0, 2.0]), pb.tensor([1.5, 4.0]))
    tensor([0.1250, 1.5000])

    Source: torch.nn.SmoothL1Loss; Girshick 2015.
    """

    __constants__ = ("reduction", "beta")

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.smooth_l1_loss` of input and target."""
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """½ d² where d = |x − y| < delta, else delta · (d − ½ delta).

    >>> import pullback as pb
    >>> pb.nn.HuberLoss(delta=0.5)(pb.tensor([2.0]), pb.tensor([4.0]))
    tensor(0.8750)

    Source: torch.nn.HuberLoss; Huber 1964.
    """

    __constants__ = ("reduction", "delta")

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.huber_loss` of input and target."""
        return F.huber_loss(input, target, self.reduction, self.delta)


class PoissonNLLLoss(_Loss):
    """eˣ − y · x, for x the logarithm of the expected count (with log_input=False: x − y · ln(x + eps)).

    >>> import pullback as pb
    >>> pb.nn.PoissonNLLLoss()(pb.tensor([0.0]), pb.tensor([3.0]))
    tensor(1.)

    Source: torch.nn.PoissonNLLLoss.
    """

    __constants__ = ("log_input", "full", "eps", "reduction")

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """`F.poisson_nll_loss` of input and target."""
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, self.eps, self.reduction)


class GaussianNLLLoss(_Loss):
    """½ (ln v + (x − y)² / v) for a variance v of at least eps; full adds ½ ln 2π.

    >>> import pullback as pb
    >>> pb.nn.GaussianNLLLoss()(pb.tensor([1.0]), pb.tensor([3.0]), pb.tensor([1.0]))
    tensor(2.)

    Source: torch.nn.GaussianNLLLoss; Nix and Weigend 1994.
    """

    __constants__ = ("full", "eps", "reduction")

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """`F.gaussian_nll_loss` of input, target and variance."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class CrossEntropyLoss(_Loss):
    """−ln softmax(x)[y] for logits x (n, c), (n, c, d1, …) or (c,) and classes y, or probabilities in x's shape.

    Put no softmax and no ReLU before it. See `F.cross_entropy` for weight, ignore_index, label_smoothing and errors.

    >>> import pullback as pb
    >>> pb.nn.CrossEntropyLoss()(pb.tensor([[0.0, 0.0]]), pb.tensor([1]))
    tensor(0.6931)

    Source: torch.nn.CrossEntropyLoss.
    """

    __constants__ = ("ignore_index", "reduction", "label_smoothing")

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.cross_entropy` of logits and target."""
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class NLLLoss(_Loss):
    """−x[y] for log-probabilities x (n, c), (n, c, d1, …) or (c,) and classes y; see `F.cross_entropy`.

    >>> import pullback as pb
    >>> pb.nn.NLLLoss()(pb.tensor([[-0.5, -1.0]]), pb.tensor([1]))
    tensor(1.)

    Source: torch.nn.NLLLoss.
    """

    __constants__ = ("ignore_index", "reduction")

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.nll_loss` of log-probabilities and classes."""
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class BCELoss(_Loss):
    """−(y · ln x + (1 − y) · ln(1 − x)) for probabilities x; from logits `BCEWithLogitsLoss` is more exact.

    >>> import pullback as pb
    >>> pb.nn.BCELoss()(pb.tensor([0.5]), pb.tensor([1.0]))
    tensor(0.6931)

    Source: torch.nn.BCELoss.
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.binary_cross_entropy` of probabilities and target."""
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """−(w · y · ln σ(x) + (1 − y) · ln(1 − σ(x))) for logits x, with the factor w = pos_weight for positives.

    >>> import pullback as pb
    >>> pb.nn.BCEWithLogitsLoss()(pb.tensor([0.0]), pb.tensor([1.0]))
    tensor(0.6931)

    Source: torch.nn.BCEWithLogitsLoss.
    """

    pos_weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.binary_cross_entropy_with_logits` of logits and target."""
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class KLDivLoss(_Loss):
    """q · (ln q − x) for log-probabilities x and probabilities q (or their logarithms, with log_target).

    The divergence of whole distributions is reduction="batchmean"; "mean" divides by the number of elements.

    >>> import pullback as pb
    >>> pb.nn.KLDivLoss(reduction="batchmean")(pb.tensor([[0.5, 0.5]]).log(), pb.tensor([[1.0, 0.0]]))
    tensor(0.6931)

    Source: torch.nn.KLDivLoss.
    """

    __constants__ = ("reduction", "log_target")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__("mean" if reduction == "batchmean" else reduction)
        self.reduction = reduction
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.kl_div` of log-probabilities and target."""
        return F.kl_div(input, target, self.reduction, self.log_target)


class MultiMarginLoss(_Loss):
    """Σ over classes i ≠ y of max(0, margin − x[y] + x[i])ᵖ / c, times weight[y].

    >>> import pullback as pb
    >>> pb.nn.MultiMarginLoss()(pb.tensor([[0.0, 2.0]]), pb.tensor([0]))
    tensor(1.5000)

    Source: torch.nn.MultiMarginLoss.
    """

    __constants__ = ("p", "margin", "reduction")

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.p = p
        self.margin = margin
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.multi_margin_loss` of scores and classes."""
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)


class SoftMarginLoss(_Loss):
    """ln(1 + e^(−y · x)) for y = ±1.

    >>> import pullback as pb
    >>> pb.nn.SoftMarginLoss()(pb.tensor([0.0]), pb.tensor([1.0]))
    tensor(0.6931)

    Source: torch.nn.SoftMarginLoss.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.soft_margin_loss` of scores and signs."""
        return F.soft_margin_loss(input, target, self.reduction)


class MultiLabelSoftMarginLoss(_Loss):
    """The mean over the classes (the last dim) of binary cross-entropies from logits, times weight (c,).

    >>> import pullback as pb
    >>> pb.nn.MultiLabelSoftMarginLoss()(pb.tensor([[0.0, 0.0]]), pb.tensor([[1.0, 0.0]]))
    tensor(0.6931)

    Source: torch.nn.MultiLabelSoftMarginLoss.
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.multilabel_soft_margin_loss` of logits and target."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, self.reduction)


class HingeEmbeddingLoss(_Loss):
    """x where y = 1, max(0, margin − x) where y = −1.

    >>> import pullback as pb
    >>> pb.nn.HingeEmbeddingLoss(reduction="none")(pb.tensor([0.5, 0.25]), pb.tensor([1.0, -1.0]))
    tensor([0.5000, 0.7500])

    Source: torch.nn.HingeEmbeddingLoss.
    """

    __constants__ = ("margin", "reduction")

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """`F.hinge_embedding_loss` of distances and signs."""
        return F.hinge_embedding_loss(input, target, self.margin, self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, −y · (x₁ − x₂) + margin): with y = 1 the first should be larger, with y = −1 the second.

    >>> import pullback as pb
    >>> pb.nn.MarginRankingLoss()(pb.tensor([2.0]), pb.tensor([5.0]), pb.tensor([1.0]))
    tensor(3.)

    Source: torch.nn.MarginRankingLoss.
    """

    __constants__ = ("margin", "reduction")

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """`F.margin_ranking_loss` of two scores and signs."""
        return F.margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


class CosineEmbeddingLoss(_Loss):
    """1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − margin) where y = −1.

    >>> import pullback as pb
    >>> x = pb.tensor([[1.0, 0.0]])
    >>> pb.nn.CosineEmbeddingLoss(margin=0.5)(x, x, pb.tensor([-1]))
    tensor(0.5000)

    Source: torch.nn.CosineEmbeddingLoss.
    """

    __constants__ = ("margin", "reduction")

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """`F.cosine_embedding_loss` of two sets of vectors and signs."""
        return F.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class TripletMarginLoss(_Loss):
    """max(0, ‖a − p‖ − ‖a − n‖ + margin); with swap ‖p − n‖ stands for ‖a − n‖ where it is smaller.

    >>> import pullback as pb
    >>> pb.nn.TripletMarginLoss()(pb.tensor([[0.0]]), pb.tensor([[3.0]]), pb.tensor([[1.0]]))
    tensor(3.)

    Source: torch.nn.TripletMarginLoss; Balntas et al. 2016.
    """

    __constants__ = ("margin", "p", "eps", "swap", "reduction")

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """`F.triplet_margin_loss` of anchors, positives and negatives."""
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction
        )


class CTCLoss(_Loss):
    """Connectionist temporal classification: −ln of the sum over all alignments of the labels with the steps.

    log_probs (t, b, c) or (t, c); targets (b, s), or one after the other; see `F.ctc_loss` for all of them. blank is
    the class that stands for no label; zero_infinity gives 0 in place of an infinite loss.

    >>> import pullback as pb
    >>> log_probs = pb.zeros(4, 2, 3).log_softmax(-1)
    >>> pb.nn.CTCLoss()(log_probs, pb.tensor([[1, 2], [1, 1]]), (4, 4), (2, 2))
    tensor(1.1179)

    Source: torch.nn.CTCLoss; Graves et al. 2006.
    """

    __constants__ = ("blank", "reduction", "zero_infinity")

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Tensor | Sequence[int],
        target_lengths: Tensor | Sequence[int],
    ) -> Tensor:
        """`F.ctc_loss` of the inputs."""
        options = (self.blank, self.reduction, self.zero_infinity)
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, *options)
