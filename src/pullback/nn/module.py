"""The module: a tree of layers with the parameters and buffers that they hold."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

from pullback.base.dtypes import DType, as_dtype
from pullback.base.errors import ArgumentError, DTypeError, suggest
from pullback.ir.mode import mode
from pullback.nn.hooks import KINDS, HookTable, RemovableHandle, WithKwargs, add_hook, call_with_hooks
from pullback.nn.parameter import Parameter
from pullback.nn.state import IncompatibleKeys, load_state
from pullback.nn.structure import note_edit, structure_reader
from pullback.tensor.creation import check_device, zeros_like
from pullback.tensor.pointwise import cast_to
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import watched

_KINDS = ("_parameters", "_buffers", "_modules")


class Module:
    """A layer or a network: parameters, buffers and other modules, and a `forward` that uses them.

    Parameters, modules and registered buffers that are assigned as attributes are found by their dotted path, such
    as `blocks.3.weight`.

    >>> import pullback as pb
    >>> class Line(pb.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.w = pb.nn.Parameter(pb.tensor(3.0))
    ...     def forward(self, x):
    ...         return self.w * x
    >>> Line()(pb.tensor(2.0)).item()
    6.0

    Source: torch.nn.Module.
    """

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, "Module | None"]
    _transient: set[str]  # the buffers that stay out of the state dict
    _hooks: dict[str, HookTable]
    _training: bool

    # Names of attributes that forward reads as fixed values: a compiled function is traced anew when one changes.
    __constants__: Sequence[str] = ()

    def __init__(self) -> None:
        for kind in _KINDS:
            object.__setattr__(self, kind, {})
        object.__setattr__(self, "_transient", set())
        object.__setattr__(self, "_hooks", {kind: {} for kind in KINDS})
        object.__setattr__(self, "_training", True)

    # Calling
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` and the hooks, with everything made inside known to belong to this module."""
        before = mode.modules
        if mode.recorder is not None and not before:
            self._prepare_trace()
        mode.modules = (*before, self)
        try:
            if any(self._hooks.values()):
                return call_with_hooks(self, self._hooks, args, kwargs)
            return self.forward(*args, **kwargs)
        finally:
            mode.modules = before

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; to be overridden. Call the module itself rather than this."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(self, ...)")

    def _prepare_trace(self) -> None:
        """Let the program call each tensor by its dotted path, and let it be traced anew when a part is replaced."""
        for name, tensor in (*self.named_parameters(), *self.named_buffers()):
            tensor.label = name
        watched(structure_reader(self), ("structure", id(self)))

    # Attributes
    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._make_way(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._make_way(name, "_modules")
            self.register_module(name, value)
        elif any(name in self.__dict__.get(kind, ()) for kind in _KINDS):
            self._replace(name, value)
        else:
            object.__setattr__(self, name, value)
            if name in self.__constants__:
                note_edit()

    def _make_way(self, name: str, kind: str) -> None:
        """A plain attribute, or a part of another kind, gives way to a new part of this name."""
        if kind not in self.__dict__:
            raise AttributeError(f"call super().__init__() in {type(self).__name__} before assigning {name!r}")
        for parts in (self.__dict__, *(self.__dict__[k] for k in _KINDS if k != kind)):
            parts.pop(name, None)
        self._transient.discard(name)

    def _replace(self, name: str, value: Any) -> None:
        kind = next(kind for kind in _KINDS if name in self.__dict__[kind])
        if value is not None and not (kind == "_buffers" and isinstance(value, Tensor)):
            wanted = {"_parameters": "an nn.Parameter", "_buffers": "a tensor", "_modules": "an nn.Module"}[kind]
            raise DTypeError(
                f"{type(self).__name__}.{name} can be replaced by {wanted} or by None; got {type(value).__name__}"
            )
        before = self.__dict__[kind][name]
        if mode.recorder is not None and before is not None and value is not None and before.type_ == value.type_:
            before.refill(value.value)  # part of the program: a write to the buffer, which stays itself
        else:
            self.__dict__[kind][name] = value
            note_edit()

    def __getattr__(self, name: str) -> Any:
        parts = self.__dict__
        for kind in _KINDS:
            if name in parts.get(kind, ()):
                return parts[kind][name]
        own = inspect.getattr_static(type(self), name, None)
        if isinstance(own, property):  # it failed by itself: let its own error be seen, not one about its name
            return own.__get__(self)
        if "_parameters" not in parts:
            raise AttributeError(
                f"call super().__init__() in {type(self).__name__} before using it (asked for {name!r})"
            )
        known = [*dir(type(self)), *parts, *(n for kind in _KINDS for n in parts.get(kind, ()))]
        hint = suggest(name, [n for n in known if not n.startswith("_")])
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.{hint}")

    def __delattr__(self, name: str) -> None:
        for kind in _KINDS:
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                self._transient.discard(name)
                note_edit()
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for kind in _KINDS for name in self.__dict__[kind])})

    # Registering
    def _register(self, kind: str, name: str, part: Any, wanted: type, remedy: str) -> None:
        if kind not in self.__dict__:
            raise AttributeError(f"call super().__init__() in {type(self).__name__} before registering {name!r}")
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(f"a part's name is a string without dots that is not empty; got {name!r}")
        if name not in self.__dict__[kind] and hasattr(self, name):
            raise ArgumentError(f"{type(self).__name__} has an attribute {name!r} already; choose another name")
        if part is not None and not isinstance(part, wanted):
            came = f"the class {part.__name__}" if isinstance(part, type) else type(part).__name__
            raise DTypeError(f"{name!r} must be {remedy}; got {came}")
        self.__dict__[kind][name] = part
        note_edit()

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under this name; None keeps the place of one that is absent.

        Raises ArgumentError for a name with dots or one that is taken, DTypeError for what is no Parameter.

        Source: torch.nn.Module.register_parameter.
        """
        self._register("_parameters", name, param, Parameter, "an nn.Parameter (write nn.Parameter(x))")

    def register_module(self, name: str, module: "Module | None") -> None:
        """Add a module under this name; errors as for `register_parameter`.

        Source: torch.nn.Module.register_module.
        """
        self._register("_modules", name, module, Module, "an nn.Module (an instance, not a class)")

    add_module = register_module

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module but is not trained; `persistent` puts it into the state dict.

        Errors as for `register_parameter`.

        Source: torch.nn.Module.register_buffer.
        """
        self._register("_buffers", name, tensor, Tensor, "a tensor")
        (self._transient.discard if persistent else self._transient.add)(name)

    # The tree
    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly below, with their names; each module once.

        Source: torch.nn.Module.named_children.
        """
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator["Module"]:
        """The modules directly below.

        Source: torch.nn.Module.children.
        """
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set["Module"] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all below, with their dotted paths.

        Source: torch.nn.Module.named_modules.
        """
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(seen, _join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator["Module"]:
        """This module and all below.

        Source: torch.nn.Module.modules.
        """
        return (module for _, module in self.named_modules())

    def _named_tensors(self, kind: str, prefix: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=unique) if recurse else [(prefix, self)]
        for path, module in owners:
            for name, tensor in module.__dict__[kind].items():
                if tensor is not None and id(tensor) not in seen:
                    if unique:
                        seen.add(id(tensor))
                    yield _join(path, name), tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters here and (unless recurse is False) below, with their dotted paths; shared ones once.

        Source: torch.nn.Module.named_parameters.
        """
        return self._named_tensors("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters here and below.

        Source: torch.nn.Module.parameters.
        """
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers here and below, with their dotted paths.

        Source: torch.nn.Module.named_buffers.
        """
        return self._named_tensors("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers here and below.

        Source: torch.nn.Module.buffers.
        """
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> "Module":
        """The module at a dotted path; "" is this one.

        Raises AttributeError naming the first part that does not exist.

        Source: torch.nn.Module.get_submodule.
        """
        found: Module = self
        for name in target.split(".") if target else ():
            inner = found._modules.get(name)
            if inner is None:
                hint = suggest(name, found._modules)
                raise AttributeError(f"there is no module {name!r} in {target!r} of {type(self).__name__}.{hint}")
            found = inner
        return found

    def _get_part(self, kind: str, target: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        parts = self.get_submodule(path).__dict__[kind]
        if parts.get(name) is None:
            raise AttributeError(f"there is no {what} {target!r} in {type(self).__name__}.{suggest(name, parts)}")
        return parts[name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path; AttributeError when there is none.

        Source: torch.nn.Module.get_parameter.
        """
        found: Parameter = self._get_part("_parameters", target, "parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path; AttributeError when there is none.

        Source: torch.nn.Module.get_buffer.
        """
        found: Tensor = self._get_part("_buffers", target, "buffer")
        return found

    # State
    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> "OrderedDict[str, Tensor]":
        """Parameters and persistent buffers by dotted path, each behind the prefix.

        The tensors hold the numbers of this moment: training on does not change them. With keep_vars they are the
        parameters themselves.

        Source: torch.nn.Module.state_dict (whose tensors do change with the module).
        """
        found: OrderedDict[str, Tensor] = OrderedDict()
        for path, module in self.named_modules(remove_duplicate=False):
            kept = {name: b for name, b in module._buffers.items() if name not in module._transient}
            for name, tensor in (*module._parameters.items(), *kept.items()):
                if tensor is not None:
                    found[prefix + _join(path, name)] = tensor if keep_vars else tensor.detach()
        return found

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Take over parameters and buffers (tensors or arrays) by dotted path, cast to this module's dtypes.

        With strict, every key must be there and no other. Returns the missing and the unexpected keys.

        Raises StateError listing missing keys, unexpected keys and wrong shapes; then nothing was loaded. ArgumentError
        for assign=True: numbers are always written into the module's own tensors.

        Source: torch.nn.Module.load_state_dict.
        """
        if assign:
            raise ArgumentError(
                "assign=True would put other tensors in the place of the module's, which optimisers and compiled "
                "functions hold; leave it out, and for the dtypes of the state dict write module.to(dtype) before"
            )
        return load_state(type(self).__name__, self.state_dict(keep_vars=True), state_dict, strict)

    # Hooks
    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before forward; what it returns (a tuple, or one value) replaces the arguments.

        With with_kwargs it is `hook(module, args, kwargs)`, and returns both or None.

        Source: torch.nn.Module.register_forward_pre_hook.
        """
        return self._add_hook("forward_pre", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after forward; what it returns replaces the output.

        With with_kwargs it is `hook(module, args, kwargs, output)`.

        Source: torch.nn.Module.register_forward_hook.
        """
        return self._add_hook("forward", hook, prepend, with_kwargs)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients at the outputs are known; what it returns replaces them.

        Source: torch.nn.Module.register_full_backward_pre_hook.
        """
        return self._add_hook("backward_pre", hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients at the arguments are known.

        Both are tuples; grad_input has None for each argument without a gradient. What it returns replaces grad_input.

        Source: torch.nn.Module.register_full_backward_hook.
        """
        return self._add_hook("backward", hook, prepend)

    def _add_hook(
        self, kind: str, hook: Callable[..., Any], prepend: bool, takes_kwargs: bool = False
    ) -> RemovableHandle:
        return add_hook(self._hooks[kind], WithKwargs(hook) if takes_kwargs else hook, prepend)

    # Mode
    @property
    def training(self) -> bool:
        """True in training mode; a compiled function that asked is traced anew when it changes."""
        return bool(watched(lambda: self._training, ("training", id(self))))

    @training.setter
    def training(self, wanted: bool) -> None:
        object.__setattr__(self, "_training", bool(wanted))

    def train(self, mode: bool = True) -> Self:
        """Training mode (or, with False, evaluation mode) here and below; the module itself.

        Source: torch.nn.Module.train.
        """
        if not isinstance(mode, bool):
            raise ArgumentError(f"train() takes True or False; got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode here and below; the module itself.

        Source: torch.nn.Module.eval.
        """
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say for every parameter whether gradients are collected; the module itself.

        Source: torch.nn.Module.requires_grad_.
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or (set_to_none=False) make them 0.

        Source: torch.nn.Module.zero_grad.
        """
        for parameter in self.parameters():
            if set_to_none:  # without asking what was there, so that a compiled step is traced but once
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = zeros_like(parameter.grad)

    def apply(self, fn: Callable[["Module"], Any]) -> Self:
        """Call `fn` on every module below, then on this one; the module itself.

        Source: torch.nn.Module.apply.
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # Conversion
    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Parameters and buffers of floats in another float dtype; the device must be the CPU; the module itself.

        non_blocking: changes nothing.

        Raises DTypeError for a dtype that is no float.

        Source: torch.nn.Module.to.
        """
        for item in args:
            if isinstance(item, (DType, Tensor)):
                dtype = item.dtype if isinstance(item, Tensor) else item
            elif not isinstance(item, bool):  # non_blocking, by its place
                device = item
        check_device(device)
        return self if dtype is None else self._cast(as_dtype(dtype))

    def _cast(self, dtype: DType) -> Self:
        if not dtype.is_floating_point:
            raise DTypeError(f"a module's parameters are floats; got {dtype.name}")
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dtype.is_floating_point and tensor.dtype is not dtype:
                gradient = tensor.grad
                tensor.grad = None
                tensor.data = cast_to(tensor.detach(), dtype)
                tensor.grad = None if gradient is None else cast_to(gradient, dtype)
        return self

    def float(self) -> Self:
        """Parameters and buffers of floats in float32; the module itself.

        Source: torch.nn.Module.float.
        """
        return self.to(as_dtype("float32"))

    def double(self) -> Self:
        """Parameters and buffers of floats in float64; the module itself.

        Source: torch.nn.Module.double.
        """
        return self.to(as_dtype("float64"))

    def half(self) -> Self:
        """Parameters and buffers of floats in float16; the module itself.

        Source: torch.nn.Module.half.
        """
        return self.to(as_dtype("float16"))

    def bfloat16(self) -> Self:
        """Parameters and buffers of floats in bfloat16; the module itself.

        Source: torch.nn.Module.bfloat16.
        """
        return self.to(as_dtype("bfloat16"))

    def cpu(self) -> Self:
        """The module itself: everything is on the CPU.

        Source: torch.nn.Module.cpu.
        """
        return self

    # Text
    def extra_repr(self) -> str:
        """What stands in the brackets of the printed form; to be overridden.

        Source: torch.nn.Module.extra_repr.
        """
        return ""

    def __repr__(self) -> str:
        below = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        own = self.extra_repr().split("\n") if self.extra_repr() else []
        if len(own) + len(below) == 0 or (len(own) == 1 and not below):
            return f"{type(self).__name__}({''.join(own)})"
        return "\n  ".join([f"{type(self).__name__}(", *own, *below]) + "\n)"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def indented(text: str) -> str:
    """The text with every line but the first moved in by two."""
    return text.replace("\n", "\n  ")
