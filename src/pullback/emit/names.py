"""Names of values in emitted code: identifiers, each used once."""

import keyword
import re
from collections.abc import Iterable

# What emitted code uses by these names itself.
_USED = "np bfloat16 slice map tuple zip max min int len range sum load save main constant HERE".split()
_TAKEN = frozenset((*_USED, *keyword.kwlist, *keyword.softkwlist))


def identifier(text: str) -> str:
    """The text as a Python identifier: `fc1.weight` becomes `fc1_weight`.

    >>> identifier("0.weight"), identifier("params[2]")
    ('x0_weight', 'params_2')
    """
    found = re.sub(r"\W+", "_", text).strip("_")
    return f"x{found}" if not found or found[0].isdigit() else found


class Names:
    """Gives out names. One that is taken already gets a number."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = {*_TAKEN, *reserved}

    def fresh(self, title: str) -> str:
        """The title as an identifier that nothing else has.

        >>> names = Names()
        >>> names.fresh("h"), names.fresh("h"), names.fresh("sum")
        ('h', 'h_2', 'sum_2')
        """
        base = name = identifier(title)
        number = 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name
