"""Writing on: tokens drawn one after the other from a language model."""

from collections.abc import Callable
from typing import Any

from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.grad.backward import no_grad
from pullback.nn.cache import KeyValueCache
from pullback.tensor.creation import full
from pullback.tensor.pointwise import lt, sub, where
from pullback.tensor.random import Generator, multinomial
from pullback.tensor.reduction import argmax, argsort, cumsum, gather, softmax, sort
from pullback.tensor.shaping import cat, narrow, squeeze, unsqueeze
from pullback.tensor.tensor import Tensor

NEVER = float("-inf")


def generate(
    model: Callable[..., Any],
    input_ids: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
    stop_token: int | None = None,
    context: int | None = None,
    cache: KeyValueCache | None = None,
) -> Tensor:
    """Token numbers (b, t) with `max_new_tokens` more behind them, each drawn from the logits of those before it.

    model: anything that maps token numbers (b, t) to logits (b, t, v), called as it is: write model.eval() before.
    temperature, top_k, top_p, generator: as in `sample`; the same seed draws the same tokens.
    stop_token: a sequence that came to it is filled up with it, and when all did the result is shorter.
    context: how many of the last tokens the model is given; all unless said.
    cache: an empty cache; the model is then called with `cache=cache`, with the new token alone after the first call.
    It may be a compiled model.

    Raises ShapeError for token numbers that are not (b, t), ArgumentError for options that contradict each other.

    >>> import pullback as pb
    >>> from pullback.models.generate import generate
    >>> def counts(ids):  # knows that each number is followed by the next
    ...     return pb.nn.functional.one_hot((ids + 1) % 5, 5).float()
    >>> generate(counts, pb.tensor([[2], [0]]), 4, temperature=0.0)
    tensor([[2, 3, 4, 0, 1],
            [0, 1, 2, 3, 4]])
    """
    if input_ids.dtype.kind != "int":
        raise DTypeError(f"generate goes on from token numbers; got a tensor of {input_ids.dtype.name}")
    if input_ids.ndim != 2 or not input_ids.shape[1]:
        raise ShapeError(f"generate goes on from token numbers (b, t), t at least 1; got {input_ids.shape}")
    if context is not None and cache is not None:
        raise ArgumentError("a cache holds every token from the first on: give either a cache or a context")
    ids, unread = input_ids, input_ids
    done: Tensor | None = None
    with no_grad():
        for _ in range(max_new_tokens):
            logits = model(unread) if cache is None else model(unread, cache=cache)
            token = sample(logits[:, -1], temperature, top_k, top_p, generator)  # (b,)
            if stop_token is not None:
                token = token if done is None else where(done, stop_token, token)
                done = token == stop_token
            ids = cat([ids, unsqueeze(token, 1)], 1)
            if done is not None and bool(done.all()):
                break
            size = ids.shape[1] if context is None else min(context, ids.shape[1])
            unread = unsqueeze(token, 1) if cache is not None else narrow(ids, 1, ids.shape[1] - size, size)
    return ids


def sample(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """One number (b,) drawn from each row of logits (b, v), with probabilities softmax(logits / temperature).

    temperature 0 takes the likeliest. top_k: only the k likeliest can be drawn. top_p: only the likeliest that together
    make up at least this share, which is at least one.

    Raises ArgumentError for a negative temperature, a top_k below 1 and a top_p that is not in (0, 1].

    >>> import pullback as pb
    >>> from pullback.models.generate import sample
    >>> sample(pb.tensor([[0.0, 9.0, 8.0]]), top_k=1)
    tensor([1])

    Source: top_p, Holtzman et al., "The curious case of neural text degeneration" (2019).
    """
    if temperature < 0:
        raise ArgumentError(f"a temperature is 0 or more; got {temperature}")
    if top_k is not None and top_k < 1:
        raise ArgumentError(f"top_k is 1 or more; got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ArgumentError(f"top_p is above 0 and at most 1; got {top_p}")
    if temperature == 0:
        return argmax(logits, -1)
    logits = logits / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        kth = narrow(sort(logits, -1, descending=True).values, -1, top_k - 1, 1)
        logits = where(lt(logits, kth), NEVER, logits)
    if top_p is not None and top_p < 1:
        logits = _nucleus(logits, top_p)
    return squeeze(multinomial(softmax(logits, -1), 1, replacement=True, generator=generator), -1)


def _nucleus(logits: Tensor, top_p: float) -> Tensor:
    """The logits with −∞ for all but the likeliest that together make up top_p."""
    order = argsort(logits, -1, descending=True)
    ranked = gather(logits, -1, order)
    share = softmax(ranked, -1)
    before = sub(cumsum(share, -1), share)
    kept = where(lt(before, top_p), ranked, NEVER)
    return full(logits.shape, NEVER, dtype=logits.dtype).scatter(-1, order, kept)
