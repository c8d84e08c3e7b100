"""Parameters that are derived from others each time they are read. The module they belong to knows nothing of it.

Registering a parametrization on `weight` moves the parameter to `parametrizations.weight.original`, and makes
`module.weight` what the parametrization computes from it: traced in compiled functions, so gradients flow to the
original. For this the module's class becomes a subclass of itself with a property of that name.

Source: torch.nn.utils.parametrize.
"""

import functools
from collections.abc import Sequence
from typing import Any

from pullback.base.errors import ArgumentError, DTypeError, ShapeError, suggest
from pullback.grad.backward import no_grad
from pullback.nn.containers import ModuleDict, ModuleList
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.tensor import Tensor


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor in the order they are applied, and the tensors that they start from.

    These are `original`, or `original0`, `original1`, … where the first parametrization takes several. Calling it
    gives the parametrized tensor.

    Source: torch.nn.utils.parametrize.ParametrizationList.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        start: Any = original.detach()
        with no_grad():
            for parametrization in reversed(modules):
                if hasattr(parametrization, "right_inverse"):
                    start = parametrization.right_inverse(start)
        self.is_tensor = isinstance(start, Tensor)
        if self.is_tensor:
            _refill(original, start)
            self._own("original", original)
        else:
            self.ntensors = len(start)
            for i, part in enumerate(start):
                is_trained = isinstance(original, Parameter)
                self._own(f"original{i}", Parameter(part, original.requires_grad) if is_trained else part)

    def _own(self, name: str, tensor: Tensor) -> None:
        if isinstance(tensor, Parameter):
            self.register_parameter(name, tensor)
        else:
            self.register_buffer(name, tensor)

    def originals(self) -> tuple[Tensor, ...]:
        """The tensors that the first parametrization starts from."""
        if self.is_tensor:
            return (self.original,)
        return tuple(getattr(self, f"original{i}") for i in range(self.ntensors))

    def forward(self) -> Tensor:
        """The parametrized tensor."""
        first, *rest = self
        found: Tensor = first(*self.originals())
        for parametrization in rest:
            found = parametrization(found)
        return found

    @no_grad()
    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor is this one, as far as the parametrizations can tell.

        Raises ArgumentError for a parametrization without a method right_inverse.
        """
        start: Any = value.detach()
        for parametrization in reversed(list(self)):
            if not hasattr(parametrization, "right_inverse"):
                raise ArgumentError(
                    f"{type(parametrization).__name__} has no right_inverse(self, value), so that the parametrized "
                    "tensor cannot be assigned to; write one, or set the original"
                )
            start = parametrization.right_inverse(start)
        parts = (start,) if isinstance(start, Tensor) else tuple(start)
        originals = self.originals()
        if len(parts) != len(originals):
            raise ArgumentError(f"right_inverse must give {len(originals)} tensors as at first; got {len(parts)}")
        for original, part in zip(originals, parts, strict=True):
            _refill(original, part)


def _refill(original: Tensor, value: Tensor) -> None:
    if value.dtype is not original.dtype:
        raise DTypeError(
            f"right_inverse must keep the dtype of what it starts from, {original.dtype.name}; got {value.dtype.name}"
        )
    original.data = value.detach()


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Have a parameter or buffer computed by another module each time it is read; the module itself.

    The parametrization's forward takes the original tensor and gives the one to be used. With a method
    `right_inverse(tensor)`, the original is what that gives for the tensor of now; it may give several tensors, which
    forward then takes. More parametrizations may be registered on the same tensor: each takes what the one before
    gives.

    unsafe: allow another shape or dtype than the original's, and check nothing.

    Raises ArgumentError when the module has no tensor of this name, ShapeError or DTypeError when the parametrization
    changes shape or dtype.

    >>> import pullback as pb
    >>> class Positive(pb.nn.Module):
    ...     def forward(self, x):
    ...         return x.exp()
    ...     def right_inverse(self, x):
    ...         return x.log()
    >>> layer = pb.nn.Linear(2, 1, bias=False)
    >>> _ = layer.weight.data.fill_(2.0)
    >>> _ = pb.nn.utils.parametrize.register_parametrization(layer, "weight", Positive())
    >>> layer.weight
    tensor([[2., 2.]], grad_fn=<exp>)
    >>> list(layer.state_dict())
    ['parametrizations.weight.original']

    Source: torch.nn.utils.parametrize.register_parametrization.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held = module.parametrizations[tensor_name]
        if not unsafe:
            with no_grad():
                before = getattr(module, tensor_name)
                _check_kept(parametrization, before, parametrization(before))
        held.append(parametrization)
        held.unsafe |= unsafe
        return module
    original = _own_tensor(module, tensor_name)
    held = ParametrizationList([parametrization], original, unsafe)
    if not unsafe:
        with no_grad():
            _check_kept(parametrization, original, held())
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = held
    _derive(module, [*module.parametrizations])
    return module


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a parametrized tensor an ordinary parameter or buffer again; the module itself.

    leave_parametrized: with the numbers that the parametrizations give now; else with those of the original, which
        must be one tensor.

    Raises ArgumentError when the tensor is not parametrized, or has several originals and is not left parametrized.

    >>> import pullback as pb
    >>> layer = pb.nn.utils.parametrizations.weight_norm(pb.nn.Linear(2, 1))
    >>> pb.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    Linear(in_features=2, out_features=1, bias=True)

    Source: torch.nn.utils.parametrize.remove_parametrizations.
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"{tensor_name!r} of {type(module).__name__} is not parametrized")
    held = module.parametrizations[tensor_name]
    if not leave_parametrized and not held.is_tensor:
        raise ArgumentError(f"{tensor_name!r} is made of {held.ntensors} tensors; it can only be left parametrized")
    first = held.originals()[0]
    with no_grad():
        value = getattr(module, tensor_name).detach() if leave_parametrized else first
    if held.is_tensor:
        first.data = value  # the tensor that an optimiser may hold goes on
        value = first
    elif isinstance(first, Parameter):
        value = Parameter(value, first.requires_grad)
    names = [name for name in module.parametrizations if name != tensor_name]
    if names:
        del module.parametrizations[tensor_name]
    else:
        del module.parametrizations
    _derive(module, names)
    (module.register_parameter if isinstance(value, Parameter) else module.register_buffer)(tensor_name, value)
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has a parametrized tensor, or one of this name.

    >>> import pullback as pb
    >>> pb.nn.utils.parametrize.is_parametrized(pb.nn.Linear(2, 1), "weight")
    False

    Source: torch.nn.utils.parametrize.is_parametrized.
    """
    held = module._modules.get("parametrizations")
    if not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before anything of it was parametrized.

    >>> import pullback as pb
    >>> layer = pb.nn.utils.parametrizations.weight_norm(pb.nn.Linear(2, 1))
    >>> pb.nn.utils.parametrize.type_before_parametrizations(layer).__name__
    'Linear'

    Source: torch.nn.utils.parametrize.type_before_parametrizations.
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def _own_tensor(module: Module, name: str) -> Tensor:
    """The module's own parameter or buffer of this name."""
    known = module._parameters | module._buffers
    found = known.get(name)
    if found is None:
        raise ArgumentError(
            f"{type(module).__name__} has no parameter and no buffer {name!r} to parametrize.{suggest(name, known)}"
        )
    return found


def _check_kept(parametrization: Module, before: Tensor, after: Any) -> None:
    name, remedy = type(parametrization).__name__, "pass unsafe=True if it is meant to"
    if not isinstance(after, Tensor):
        raise DTypeError(f"a parametrization gives a tensor; {name} gave {type(after).__name__}")
    if after.shape != before.shape:
        raise ShapeError(f"{name} changes the shape from {before.shape} to {after.shape}; {remedy}")
    if after.dtype is not before.dtype:
        raise DTypeError(f"{name} changes the dtype from {before.dtype.name} to {after.dtype.name}; {remedy}")


def _derive(module: Module, names: list[str]) -> None:
    """Let these attributes of the module, and no others, be what their parametrizations give."""
    base: Any = type(module)
    while getattr(base, "_derived_names", ()):
        base = base.__bases__[0]
    module.__class__ = _deriving(base, tuple(names)) if names else base


@functools.cache
def _deriving(base: Any, names: tuple[str, ...]) -> type:
    """A subclass of this class with these attributes derived; modules share it, since it holds nothing of theirs."""
    members = {"__doc__": base.__doc__, "__module__": base.__module__, "_derived_names": names}
    return type(f"Parametrized{base.__name__}", (base,), members | {name: _derived(name) for name in names})


def _derived(name: str) -> property:
    def read(self: Module) -> Any:
        return self.parametrizations[name]()

    def write(self: Module, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write, doc=f"What its parametrizations make of {name}'s original.")
