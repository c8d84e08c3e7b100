"""Rows of recurrence: cells and layers with every option, sequences of different lengths, and the CTC loss."""

from typing import Any

import numpy as np

from tests.contracts.calls import Given, calls, of, spread
from tests.contracts.layer_row import LayerRow

IN, HIDDEN, STEPS, BATCH = 2, 3, 4, 2
X = spread(STEPS, BATCH, IN, seed=2)
ALONE = spread(STEPS, IN, seed=3)
STEP, STEP_ALONE = spread(BATCH, IN, seed=4), spread(IN, seed=5)
H, C = spread(BATCH, HIDDEN, seed=6), spread(BATCH, HIDDEN, seed=7)


def compared(layer: str, *inputs: Given, label: str = "", **options: Any) -> LayerRow:
    """A row that is compared with PyTorch, and whose gradients are not compared with differences besides."""
    return LayerRow(layer, inputs, (IN, HIDDEN), options, label, smooth=False, twice=False)


def cells(layer: str, *states: Given, **options: Any) -> list[LayerRow]:
    """A batch, a single input, without biases, with a state; and a small one for differences."""
    return [
        LayerRow(layer, (spread(2, 1, seed=12),), (1, 2), options),
        compared(layer, STEP, **options),
        compared(layer, STEP_ALONE, **options),
        compared(layer, STEP, bias=False, **options),
        *(compared(layer, STEP, state, label="with a state", **options) for state in states),
    ]


def layers(layer: str) -> list[LayerRow]:
    """One layer and two, one direction and both, every layout; and a small one for differences."""
    return [
        LayerRow(layer, (spread(3, 1, 1, seed=12),), (1, 2)),
        compared(layer, X),
        compared(layer, ALONE, bidirectional=True),
        compared(layer, X, bias=False, batch_first=True),
        compared(layer, X, num_layers=2, bidirectional=True, batch_first=True),
        compared(layer, X, num_layers=2, dropout=1.0),
        LayerRow(layer, (X,), (IN, HIDDEN), {"num_layers": 2, "dropout": 0.5}, train=False, smooth=False, twice=False),
        LayerRow(layer, (of(X.array, "float32"),), (IN, HIDDEN), label="float32", dtype="float32"),
    ]


RECURRENT = [
    *cells("RNNCell", H),
    *cells("RNNCell", nonlinearity="relu"),
    *cells("LSTMCell"),
    *cells("GRUCell", H),
    *(row for layer in ("RNN", "LSTM", "GRU") for row in layers(layer)),
    LayerRow("RNN", (spread(2, 1, 1, seed=13),), (1, 1), {"bidirectional": True, "num_layers": 2}),
    compared("RNN", X, nonlinearity="relu"),
    compared("RNN", X, spread(1, BATCH, HIDDEN), label="with a state"),
    compared("GRU", X, spread(2, BATCH, HIDDEN), label="with a state", bidirectional=True),
    compared("GRU", ALONE, spread(1, HIDDEN), label="with a state"),
    LayerRow("LSTM", (spread(2, 1, 1, seed=12),), (1, 2), {"proj_size": 1}),
    compared("LSTM", X, proj_size=2),
    compared("LSTM", X, proj_size=2, num_layers=2, bidirectional=True, bias=False),
]

# An LSTM takes its state as a pair, and sequences of different lengths come packed: lines that make both.
MADE = "m = lib.nn.{layer}.double(); [p.data.copy_(w[: p.numel()].reshape(p.shape)) for p in m.parameters()]; "
NUMBERS = of(spread(200, low=-1.0, high=1.0, seed=8).array, requires_grad=False)
PACK = "r = lib.nn.utils.rnn; p = r.pack_padded_sequence(x, lib.tensor([2, 4]), enforce_sorted=False); "
WITH_STATE = calls(
    f"""
    {MADE.format(layer="LSTMCell(2, 3)")} m(x[0], (h, c))
    {MADE.format(layer="LSTM(2, 3)")} m(x, (h[None], c[None]))
    {MADE.format(layer="LSTM(2, 3, batch_first=True)")} m(x.transpose(0, 1), (h[None], c[None]))
    {MADE.format(layer="LSTM(2, 3)")} m(x[:, 0], (h[:1], c[:1]))
    {MADE.format(layer="LSTM(2, 3, proj_size=2)")} m(x, (h[None, :, :2], c[None]))
    """,
    x=X, h=H, c=C, w=NUMBERS,
)  # fmt: skip

TWICE = "(g,) = lib.autograd.grad((y * y).sum(), x, create_graph=True); g"
SECOND = calls(
    f"""
    {MADE.format(layer="RNN(2, 3)")} y, _ = m(x, h[None]); {TWICE}
    {MADE.format(layer="GRU(2, 3, bidirectional=True)")} y, _ = m(x); {TWICE}
    {MADE.format(layer="LSTM(2, 3, num_layers=2)")} y, _ = m(x); {TWICE}
    {MADE.format(layer="LSTMCell(2, 3)")} y, _ = m(x[0], (h, c)); {TWICE}
    {PACK}{MADE.format(layer="LSTM(2, 3)")} y, _ = m(p, (h[None], c[None])); y = r.pad_packed_sequence(y)[0]; {TWICE}
    """,
    x=X, h=H, c=C, w=NUMBERS,
)  # fmt: skip


def of_different_lengths(layer: str, state: str) -> list[Any]:
    """Packed sequences through a layer: in each layout, both directions, two layers."""
    both = layer.replace(")", ", bidirectional=True, num_layers=2)")
    first = layer.replace(")", ", batch_first=True)")
    seq = "r = lib.nn.utils.rnn; p = r.pack_sequence([x[:, 0], x[:3, 1]]); "
    return calls(
        f"""
        {PACK}{MADE.format(layer=layer)} y, s = m(p); [*r.pad_packed_sequence(y), s]
        {PACK}{MADE.format(layer=layer)} y, s = m(p, {state}); [*r.pad_packed_sequence(y, padding_value=7.0), s]
        {PACK}{MADE.format(layer=both)} y, s = m(p); [*r.pad_packed_sequence(y, total_length=6), s, list(y)]
        {seq}{MADE.format(layer=first)} y, s = m(p, {state}); [*r.pad_packed_sequence(y, batch_first=True), s, list(y)]
        """,
        x=X, h=H, c=C, w=NUMBERS,
    )  # fmt: skip


STEPS_OF = {"x": spread(4, 3, 2, seed=9), "k": of([[1, 2, 0], [3, 0, 0], [4, 5, 6]], "int64")}
PACKING = calls(
    """
    r = lib.nn.utils.rnn; list(r.pack_padded_sequence(x, [4, 2, 1]))
    r = lib.nn.utils.rnn; list(r.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False))
    r = lib.nn.utils.rnn; list(r.pack_padded_sequence(k, lib.tensor([2, 1, 3]), True, False))
    r = lib.nn.utils.rnn; list(r.pack_padded_sequence(x, [2, 2, 1]))
    r = lib.nn.utils.rnn; r.pack_padded_sequence(x, [2, 4, 1])
    r = lib.nn.utils.rnn; r.pack_padded_sequence(x, [4, 4, 0])
    r = lib.nn.utils.rnn; r.pack_padded_sequence(x, [4, 4])
    r = lib.nn.utils.rnn; r.pad_packed_sequence(r.pack_padded_sequence(x, [3, 3, 1]))
    r = lib.nn.utils.rnn; r.pad_packed_sequence(r.pack_padded_sequence(x, [3, 3, 1]), True, 9.0, 5)
    r = lib.nn.utils.rnn; r.pad_packed_sequence(r.pack_padded_sequence(x, [3, 3, 1]), total_length=2)
    r = lib.nn.utils.rnn; r.pad_packed_sequence(r.pack_padded_sequence(k, [2, 1, 3], True, False), True, 9.0)
    r = lib.nn.utils.rnn; r.pad_sequence([x[:2, 0], x[:3, 1], x[:1, 2]])
    r = lib.nn.utils.rnn; r.pad_sequence([x[:2, 0], x[:3, 1], x[:1, 2]], True, 5.0)
    r = lib.nn.utils.rnn; r.pad_sequence([x[:2, 0], x[:3, 1], x[:1, 2]], padding_side="left")
    r = lib.nn.utils.rnn; r.pad_sequence(x)
    r = lib.nn.utils.rnn; r.pad_sequence([k[0, :2], k[2]])
    r = lib.nn.utils.rnn; r.unpad_sequence(x * 1.0, lib.tensor([3, 1, 2]))
    r = lib.nn.utils.rnn; r.unpad_sequence(k, lib.tensor([2, 1, 3]), batch_first=True)
    r = lib.nn.utils.rnn; list(r.pack_sequence([k[2], k[0, :2], k[1, :1]]))
    r = lib.nn.utils.rnn; list(r.pack_sequence([k[1, :1], k[2], k[0, :2]], enforce_sorted=False))
    r = lib.nn.utils.rnn; r.pack_sequence([k[1, :1], k[2]])
    r = lib.nn.utils.rnn; r.unpack_sequence(r.pack_sequence([x[:1, 0], x[:, 1]], enforce_sorted=False))
    r = lib.nn.utils.rnn; r.invert_permutation(lib.tensor([2, 0, 1]))
    r = lib.nn.utils.rnn; r.pad_packed_sequence(r.PackedSequence(x[0], lib.tensor([2, 1])))
    r = lib.nn.utils.rnn; r.pad_packed_sequence(r.PackedSequence(x[0], lib.tensor([2, 1]), lib.tensor([1, 0])))
    r = lib.nn.utils.rnn; r.pad_packed_sequence(r.pack_padded_sequence(x, [4, 2, 1]).to(lib.float32))[0]
    """,
    **STEPS_OF,
)

# The gradient of PyTorch's CTC loss is right behind a log_softmax alone, so it always stands there in these lines.
LOG = "l = x.log_softmax(-1); "
CTC = calls(
    "\n".join(
        LOG + f"lib.nn.functional.ctc_loss(l, {call})"
        for call in (
            "y, (5, 5), (3, 3)",
            "y, (5, 4), (3, 2), reduction='none'",
            "y, (5, 4), (3, 2), reduction='sum'",
            "y, lib.tensor([5, 4]), lib.tensor([2, 3])",
            "y, [5, 4], [0, 1], reduction='none'",
            "y, (5, 0), (1, 0), reduction='none'",
            "y - 1, (5, 4), (3, 1), blank=3, reduction='none'",
            "y.flatten(), (5, 4), (3, 3), reduction='none'",
            "y.flatten()[1:5], lib.tensor([4, 5]), lib.tensor([1, 3]), reduction='none'",
            "y.flatten()[:1], (5, 5), (0, 1), reduction='none'",
            "y.int(), (5, 4), (3, 2), reduction='none'",
            "y, (4, 3), (3, 3), reduction='none', zero_infinity=True",
            "y, (2, 3), (3, 2), zero_infinity=True",
            "r, (5, 3), (3, 3), reduction='none', zero_infinity=True",
            "r, (5, 5), (3, 3), reduction='sum'",
        )
    )
    + f"""
    {LOG} lib.nn.functional.ctc_loss(l[:, 0], y[0], (5,), (3,), reduction="none")
    {LOG} lib.nn.functional.ctc_loss(l[:, 0], y[0], lib.tensor(4), lib.tensor(3))
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), y, (2, 5), (3, 3), reduction="none")
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), r, (3, 4), (3, 3), reduction="mean")
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), r, (3, 4), (3, 3), reduction="some")
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), y, (5, 5), (3, 3), blank=4)
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), y, (5,), (3, 3))
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), y, (5, 6), (3, 3))
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), y, (5, 5), (3, 4))
    lib.nn.functional.ctc_loss(x.detach().log_softmax(-1), y.flatten(), (5, 5), (3, 2))
    lib.nn.functional.ctc_loss(z.detach(), y, (5, 5), (3, 1), reduction="none")
    """,
    x=spread(5, 2, 4, seed=10),
    y=of([[1, 2, 3], [3, 3, 1]], "int64"),
    r=of([[1, 1, 2], [2, 2, 2]], "int64"),
    z=of(np.where(spread(5, 2, 4, seed=11).array < -0.5, -np.inf, -1.0)),
)  # fmt: skip

LABELS, ALL_STEPS, ALL_LABELS = of([[1, 2], [1, 1]], "int64"), of([4, 3], "int64"), of([2, 2], "int64")
PROBABLE = of(np.log(spread(4, 2, 3, low=0.1, high=1.0, seed=3).array))


def losses(scores: Given, **each: Any) -> list[LayerRow]:
    """The CTC loss with each reduction."""
    return [LayerRow("CTCLoss", (scores, LABELS, ALL_STEPS, ALL_LABELS), options={"reduction": how, **each})
            for how in ("none", "mean", "sum")]  # fmt: skip


# Compared with differences, with PyTorch where no gradient is asked for.
LAYERS = [*RECURRENT, *losses(PROBABLE)]

ORACLE_ROWS = [
    *losses(of(PROBABLE.array, requires_grad=False)),
    *losses(of(PROBABLE.array, requires_grad=False), blank=2, zero_infinity=True),
    *CTC,
    *RECURRENT,
    *WITH_STATE,
    *SECOND,
    *of_different_lengths("RNN(2, 3)", "h[None]"),
    *of_different_lengths("GRU(2, 3)", "h[None]"),
    *of_different_lengths("LSTM(2, 3)", "(h[None], c[None])"),
    *PACKING,
]
