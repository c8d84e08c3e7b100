"""A network for a table, from the numbers of its columns and rows."""

from pullback.base.errors import ArgumentError

WIDEST, NARROWEST = 256, 16
_ROWS_FOR_TWO_LAYERS = 200


def propose_hidden(inputs: int, outputs: int, rows: int) -> tuple[int, ...]:
    """Sizes of the hidden layers for rows of `inputs` numbers and `outputs` answers.

    The first layer has about twice as many units as there are inputs and outputs, rounded up to a power of two from 16
    to 256, but no more than a quarter of the rows; from 200 rows on a second layer of half the size follows.

    Raises ArgumentError for a number below 1.

    >>> propose_hidden(inputs=8, outputs=1, rows=100), propose_hidden(inputs=40, outputs=3, rows=5000)
    ((16,), (128, 64))
    """
    if min(inputs, outputs, rows) < 1:
        raise ArgumentError(f"inputs, outputs and rows must be 1 or more; got {inputs}, {outputs} and {rows}")
    width = _power_of_two(2 * (inputs + outputs))
    while width > max(NARROWEST, rows // 4):
        width //= 2
    width = min(WIDEST, max(NARROWEST, width))
    return (width, width // 2) if rows >= _ROWS_FOR_TWO_LAYERS else (width,)


def _power_of_two(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
