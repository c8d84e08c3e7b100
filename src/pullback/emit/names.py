"""Names of values in emitted code: identifiers, each used once."""

import keyword
import re

# What emitted code uses by these names itself.
_USED = "np bfloat16 slice map tuple zip max min int len range load save unpack STATE HALVES".split()
_TAKEN = frozenset((*_USED, *keyword.kwlist, *keyword.softkwlist))


def identifier(text: str) -> str:
    """The text as a Python identifier: `fc1.weight` becomes `fc1_weight`.

    >>> identifier("0.weight"), identifier("params[2]")
    ('x0_weight', 'params_2')
    """
    found = re.sub(r"\W+", "_", text).strip("_")
    return f"x{found}" if not found or found[0].isdigit() else found


def local_name(path: str, numbered: dict[str, str]) -> str:
    """A dotted path as a local name, its first part by another name where that is a number.

    >>> local_name("0.weight", {"0": "linear0"})
    'linear0_weight'
    """
    first, dot, rest = path.partition(".")
    return identifier(f"{numbered.get(first, first)}{dot}{rest}")


class Names:
    """Gives out names. One that is taken already gets a number.

    Names of a function are made with those of its module as `outer`: neither then gives out what the other has.
    """

    def __init__(self, outer: "Names | None" = None) -> None:
        self._outer = outer
        self._taken = set(_TAKEN)
        self._inside: set[str] = set()

    def keep(self, name: str) -> None:
        """Give this name to nothing else."""
        self._taken.add(name)
        if self._outer is not None:
            self._outer._inside.add(name)

    def _is_free(self, name: str) -> bool:
        outside = self._outer._taken if self._outer is not None else ()
        return name not in self._taken and name not in self._inside and name not in outside

    def fresh(self, title: str) -> str:
        """The title as an identifier that nothing else has.

        >>> names = Names()
        >>> names.fresh("h"), names.fresh("h"), names.fresh("len")
        ('h', 'h_2', 'len_2')
        """
        base = name = identifier(title)
        number = 1
        while not self._is_free(name):
            number += 1
            name = f"{base}_{number}"
        self.keep(name)
        return name
