"""Modules made of modules."""

from collections.abc import Iterator, Mapping
from typing import Any

from pullback.nn.module import Module


class Sequential(Module):
    """Modules one after the other: each takes the output of the one before.

    >>> import pullback as pb
    >>> net = pb.nn.Sequential(pb.nn.Linear(3, 2), pb.nn.ReLU())
    >>> net(pb.zeros(5, 3)).shape
    (5, 2)

    Source: torch.nn.Sequential.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], Mapping) else enumerate(args)
        for name, module in named:
            self.register_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """Run the modules in order."""
        for module in self:
            input = module(input)
        return input

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)
