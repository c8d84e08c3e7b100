"""Rules for ops that move numbers without changing them: chains become one move, or none. All are exact."""

import pullback.ops as ops
from pullback.base.shapes import Shape, size_of, span
from pullback.ir.node import Node, Value
from pullback.passes.rewrite import Draft, rule


def made_by(value: Value, op: str) -> Node | None:
    """The node that made the value, if it is of this op."""
    return value.node if value.node is not None and value.node.op.name == op else None


def reshaped(draft: Draft, x: Value, shape: Shape) -> Value:
    """The value in this shape, itself if it has it already."""
    return x if x.shape == shape else draft.write(ops.reshape, x, shape=shape)


def repeated(draft: Draft, x: Value, shape: Shape) -> Value:
    """The value repeated to this shape, itself if it has it already."""
    return x if x.shape == shape else draft.write(ops.broadcast, x, shape=shape)


# One move that does nothing
def drop_idle_move(draft: Draft) -> Value | None:
    """A reshape or broadcast to the shape that is there already."""
    (x,) = draft.inputs
    return x if x.shape == draft.params["shape"] else None


def drop_idle_permute(draft: Draft) -> Value | None:
    """A permute that leaves every axis where it is."""
    axes = draft.params["axes"]
    return draft.inputs[0] if axes == tuple(range(len(axes))) else None


def drop_idle_flip(draft: Draft) -> Value | None:
    """A flip of no axes, or of axes of size 1."""
    (x,) = draft.inputs
    return x if all(x.shape[axis] == 1 for axis in draft.params["axes"]) else None


def drop_idle_slice(draft: Draft) -> Value | None:
    """A slice that takes everything."""
    (x,) = draft.inputs
    return x if draft.type.shape == x.shape else None


def drop_idle_pad(draft: Draft) -> Value | None:
    """A pad that adds nothing."""
    (x,) = draft.inputs
    return x if draft.type.shape == x.shape else None


def drop_single_concat(draft: Draft) -> Value | None:
    """A concat of one."""
    return draft.inputs[0] if len(draft.inputs) == 1 else None


def drop_detach(draft: Draft) -> Value | None:
    """A detach: no gradient is taken of a finished program."""
    return draft.inputs[0]


# Two moves as one
def join_reshapes(draft: Draft) -> Value | None:
    """A reshape of a reshape."""
    inner = made_by(draft.inputs[0], "reshape")
    return draft.write(ops.reshape, inner.inputs[0], **draft.params) if inner else None


def join_broadcasts(draft: Draft) -> Value | None:
    """A broadcast of a broadcast."""
    inner = made_by(draft.inputs[0], "broadcast")
    return draft.write(ops.broadcast, inner.inputs[0], **draft.params) if inner else None


def join_permutes(draft: Draft) -> Value | None:
    """A permute of a permute."""
    inner = made_by(draft.inputs[0], "permute")
    if inner is None:
        return None
    axes = tuple(inner.params["axes"][axis] for axis in draft.params["axes"])
    return draft.write(ops.permute, inner.inputs[0], axes=axes)


def join_flips(draft: Draft) -> Value | None:
    """A flip of a flip: axes in both stay as they were."""
    inner = made_by(draft.inputs[0], "flip")
    if inner is None:
        return None
    axes = tuple(sorted(set(inner.params["axes"]) ^ set(draft.params["axes"])))
    return draft.write(ops.flip, inner.inputs[0], axes=axes)


def join_slices(draft: Draft) -> Value | None:
    """A slice of a slice."""
    inner = made_by(draft.inputs[0], "slice")
    if inner is None:
        return None
    (x,) = inner.inputs
    first, step = inner.params["start"], inner.params["step"]
    start = tuple(a + b * s for a, b, s in zip(first, draft.params["start"], step, strict=True))
    steps = tuple(s * t for s, t in zip(step, draft.params["step"], strict=True))
    stop = tuple(a + span(n, s) for a, n, s in zip(start, draft.type.shape, steps, strict=True))
    # a slice of nothing may start behind the end
    starts = tuple(min(a, n) for a, n in zip(start, x.shape, strict=True))
    stops = tuple(max(min(b, n), a) for a, b, n in zip(starts, stop, x.shape, strict=True))
    return draft.write(ops.slice_, x, start=starts, stop=stops, step=steps)


def reshape_lone_axes(draft: Draft) -> Value | None:
    """A permute that moves nothing but axes of size 1 leaves the numbers in order: a reshape."""
    (x,) = draft.inputs
    real = [axis for axis in draft.params["axes"] if x.shape[axis] != 1]
    return draft.write(ops.reshape, x, shape=draft.type.shape) if real == sorted(real) else None


# Moves of repeated numbers: repeat last
def broadcast_from_fewer_axes(draft: Draft) -> Value | None:
    """A broadcast of a reshape that only put axes of size 1 in front, or is of one number."""
    inner = made_by(draft.inputs[0], "reshape")
    if inner is None:
        return None
    (x,), shape = inner.inputs, inner.types[0].shape
    if x.type.size == 1:
        return repeated(draft, reshaped(draft, x, ()), draft.params["shape"]) if shape else None
    extra = len(shape) - len(x.shape)
    if extra < 0 or shape != (1,) * extra + x.shape:
        return None
    return draft.write(ops.broadcast, x, **draft.params)


def reshape_before_broadcast(draft: Draft) -> Value | None:
    """A reshape of a broadcast that leaves the axes of its source alone, or that is of one number."""
    inner = made_by(draft.inputs[0], "broadcast")
    if inner is None:
        return None
    (x,), shape, before = inner.inputs, draft.params["shape"], inner.types[0].shape
    if x.type.size == 1:
        return repeated(draft, reshaped(draft, x, ()), shape)
    kept = len(x.shape)
    if not draft.type.size or len(shape) < kept or shape[len(shape) - kept :] != before[len(before) - kept :]:
        return None
    return draft.write(ops.broadcast, x, shape=shape)


def permute_before_broadcast(draft: Draft) -> Value | None:
    """A permute of a broadcast that repeats: permute what is repeated."""
    inner = made_by(draft.inputs[0], "broadcast")
    if inner is None or inner.inputs[0].type.size >= draft.type.size:
        return None
    (x,), axes = inner.inputs, draft.params["axes"]
    extra = len(axes) - len(x.shape)
    if axes[:extra] == tuple(range(extra)):
        moved = draft.write(ops.permute, x, axes=tuple(axis - extra for axis in axes[extra:]))
    else:
        padded = reshaped(draft, x, (1,) * extra + x.shape)
        moved = draft.write(ops.permute, padded, axes=axes)
    return repeated(draft, moved, draft.type.shape)


def slice_before_broadcast(draft: Draft) -> Value | None:
    """A slice of a broadcast: slice what is repeated."""
    inner = made_by(draft.inputs[0], "broadcast")
    if inner is None or inner.inputs[0].type.size >= inner.types[0].size:
        return None
    (x,) = inner.inputs
    extra = len(inner.types[0].shape) - len(x.shape)
    bounds = zip(*(draft.params[k][extra:] for k in ("start", "stop", "step")), x.shape, strict=True)
    cut = [(0, 1, 1) if n == 1 else (a, b, s) for a, b, s, n in bounds]
    start, stop, step = (tuple(each[i] for each in cut) for i in range(3))
    part = draft.write(ops.slice_, x, start=start, stop=stop, step=step)
    return repeated(draft, part, draft.type.shape)


def flip_before_broadcast(draft: Draft) -> Value | None:
    """A flip of a broadcast: flip what is repeated."""
    inner = made_by(draft.inputs[0], "broadcast")
    if inner is None:
        return None
    (x,) = inner.inputs
    extra = len(inner.types[0].shape) - len(x.shape)
    axes = tuple(axis - extra for axis in draft.params["axes"] if axis >= extra)
    return draft.write(ops.broadcast, draft.write(ops.flip, x, axes=axes), shape=draft.type.shape)


def move_full(draft: Draft) -> Value | None:
    """One number in every place stays so, wherever the places go."""
    node = made_by(draft.inputs[0], "full")
    if node is None:
        return None
    return draft.write(ops.full, value=node.params["value"], shape=draft.type.shape, dtype=draft.type.dtype)


def take_full_for_constant(draft: Draft) -> Value | None:
    """A constant of one number."""
    array = draft.params["array"]
    if size_of(array.shape) != 1:
        return None
    return draft.write(ops.full, value=array.item(), shape=array.shape, dtype=draft.type.dtype)


MOVEMENT_RULES = (
    rule(take_full_for_constant, "constant"),
    rule(move_full, "reshape broadcast permute slice flip"),
    rule(drop_idle_move, "reshape broadcast"),
    rule(drop_idle_permute, "permute"),
    rule(drop_idle_flip, "flip"),
    rule(drop_idle_slice, "slice"),
    rule(drop_idle_pad, "pad"),
    rule(drop_single_concat, "concat"),
    rule(drop_detach, "detach"),
    rule(join_reshapes, "reshape"),
    rule(join_broadcasts, "broadcast"),
    rule(join_permutes, "permute"),
    rule(join_flips, "flip"),
    rule(join_slices, "slice"),
    rule(reshape_lone_axes, "permute"),
    rule(broadcast_from_fewer_axes, "broadcast"),
    rule(reshape_before_broadcast, "reshape"),
    rule(permute_before_broadcast, "permute"),
    rule(slice_before_broadcast, "slice"),
    rule(flip_before_broadcast, "flip"),
)
