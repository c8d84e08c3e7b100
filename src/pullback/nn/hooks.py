"""Hooks on modules: what is called before and after the forward pass, and on the way back."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from pullback.base.errors import DTypeError
from pullback.grad.custom import Context, Function
from pullback.nn.structure import note_edit
from pullback.tensor.tensor import Tensor

HookTable = dict[int, Callable[..., Any]]
_numbers = itertools.count()
KINDS = ("forward_pre", "forward", "backward_pre", "backward")


class RemovableHandle:
    """Takes a hook away again: by `remove()`, or at the end of a `with` block.

    >>> import pullback as pb
    >>> layer = pb.nn.Identity()
    >>> with layer.register_forward_hook(lambda module, args, output: output + 1):
    ...     print(layer(pb.tensor(1)))
    tensor(2)
    >>> layer(pb.tensor(1))
    tensor(1)

    Source: torch.utils.hooks.RemovableHandle.
    """

    def __init__(self, table: HookTable, hook: Callable[..., Any]) -> None:
        self._table, self.id = table, next(_numbers)
        table[self.id] = hook
        note_edit()

    def remove(self) -> None:
        """Take the hook away; it is not called any more."""
        self._table.pop(self.id, None)
        note_edit()

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def add_hook(table: HookTable, hook: Callable[..., Any], prepend: bool) -> RemovableHandle:
    """Put a hook behind those that are there, or in front of them."""
    before = dict(table)
    handle = RemovableHandle(table, hook)
    if prepend:
        for key in before:
            table[key] = table.pop(key)
    return handle


class WithKwargs:
    """A hook that takes the keyword arguments, too."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        self.hook = hook

    def __call__(self, *args: Any) -> Any:
        """What the hook answers to module, arguments, keyword arguments (and output)."""
        return self.hook(*args)


def call_with_hooks(module: Any, hooks: dict[str, HookTable], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the forward pass with everything hooked to it."""
    args, kwargs = _before_forward(module, hooks["forward_pre"], args, kwargs)
    passage = _Passage(module, hooks) if hooks["backward"] or hooks["backward_pre"] else None
    if passage is not None:
        args = passage.enter(args)
    output = module.forward(*args, **kwargs)
    for hook in tuple(hooks["forward"].values()):
        given = (args, kwargs) if isinstance(hook, WithKwargs) else (args,)
        replaced = hook(module, *given, output)
        output = output if replaced is None else replaced
    return output if passage is None else passage.leave(output)


def _before_forward(
    module: Any, hooks: HookTable, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook in tuple(hooks.values()):
        if isinstance(hook, WithKwargs):
            replaced = hook(module, args, kwargs)
            args, kwargs = (args, kwargs) if replaced is None else replaced
        else:
            replaced = hook(module, args)
            args = args if replaced is None else replaced if isinstance(replaced, tuple) else (replaced,)
    return args, kwargs


class _Gate(Function):
    """Lets tensors through, and on the way back hands all their gradients to a function at once."""

    @staticmethod
    def forward(ctx: Any, arrive: Callable[..., Any], *tensors: Tensor) -> Any:
        ctx.arrive = arrive
        return tensors

    @staticmethod
    def backward(ctx: Context, *gs: Tensor) -> Any:
        return (None, *ctx.arrive(gs))  # type: ignore[attr-defined]  # forward put it there


class _Passage:
    """One call of a module between two gates: the gradients that enter its outputs and those that leave its inputs."""

    def __init__(self, module: Any, hooks: dict[str, HookTable]) -> None:
        self.module, self.hooks = module, hooks
        self.at_outputs: tuple[Any, ...] = ()
        self.places: list[int] = []  # which arguments get a gradient
        self.arguments = 0

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments behind the gate that their gradients leave by."""
        self.arguments = len(args)
        self.places = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.requires_grad]
        if not self.places:
            return args
        passed = iter(_Gate.apply(self._leave_inputs, *(args[i] for i in self.places)))
        return tuple(next(passed) if i in self.places else x for i, x in enumerate(args))

    def leave(self, output: Any) -> Any:
        """The output behind the gate that its gradients enter by."""
        outputs = output if isinstance(output, tuple) else (output,)
        if not all(isinstance(y, Tensor) for y in outputs):
            raise DTypeError(
                f"backward hooks need a module that gives a tensor or a tuple of tensors; {type(self.module).__name__} "
                f"gave {type(output).__name__}"
            )
        if not any(y.requires_grad for y in outputs):
            return output
        passed = _Gate.apply(self._enter_outputs, *outputs)
        return passed if isinstance(output, tuple) else passed[0]

    def _enter_outputs(self, gs: tuple[Tensor, ...]) -> Sequence[Any]:
        for hook in tuple(self.hooks["backward_pre"].values()):
            gs = _replaced(gs, hook(self.module, gs))
        self.at_outputs = gs
        if not self.places:
            self._call_backward_hooks((None,) * self.arguments)
        return gs

    def _leave_inputs(self, gs: tuple[Tensor, ...]) -> Sequence[Any]:
        known = dict(zip(self.places, gs, strict=True))
        found = self._call_backward_hooks(tuple(known.get(i) for i in range(self.arguments)))
        return [found[i] for i in self.places]

    def _call_backward_hooks(self, at_inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in tuple(self.hooks["backward"].values()):
            at_inputs = _replaced(at_inputs, hook(self.module, at_inputs, self.at_outputs))
        return at_inputs


def _replaced(gs: tuple[Any, ...], answer: Any) -> tuple[Any, ...]:
    """What a hook's answer makes of the gradients: None leaves them."""
    return gs if answer is None else answer if isinstance(answer, tuple) else (answer,)
