"""The optimiser: its parameter groups, its state, and the course of one step. Each optimiser adds its update rule."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import is_
from typing import Any

from pullback.grad.backward import enable_grad, no_grad
from pullback.ir.origin import phase
from pullback.optim.groups import Params, as_groups, check_new_group, complete_group
from pullback.optim.hyperparameters import Group, Hyperparameters, check_hyperparameters
from pullback.optim.rows import WholeGradient, row_gradient
from pullback.optim.saved import pack, read_groups, read_state, take_over
from pullback.optim.slots import Slot, roomy, settle
from pullback.optim.state import OptimizerState
from pullback.tensor.pointwise import neg
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import eagerly, watched

State = dict[str, Tensor]


class Optimizer:
    """The base of all optimisers: parameters in groups, with hyperparameters and state, and `step()`.

    params: tensors; (name, tensor) pairs as from `model.named_parameters()`; or dicts with "params" and options of
        their own, which go before the defaults.
    defaults: the hyperparameters of every group that does not give its own.

    An optimiser of your own overrides `step()`, as in PyTorch; or it lists in `slots` what it keeps for each
    parameter and gives its rule in `update`, and then compiles, saves and loads like those that are here.

    Raises ArgumentError for an empty list, a parameter that appears twice or is no leaf, and hyperparameters out of
    their range; DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> class SignDescent(pb.optim.Optimizer):
    ...     def __init__(self, params, lr=0.5):
    ...         super().__init__(params, {"lr": lr})
    ...     def update(self, p, g, s, h):
    ...         return p - h["lr"] * g.sign(), {}
    >>> w = pb.tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w]).step()
    >>> w
    tensor([0.5000, 1.5000], requires_grad=True)

    Source: torch.optim.Optimizer.
    """

    slots: Sequence[Slot] = ()

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._state = OptimizerState()
        self.param_groups: list[Group] = []
        self._has_stepped = False
        for group in as_groups(params):
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, for instance layers that are unfrozen later.

        Source: torch.optim.Optimizer.add_param_group.
        """
        group = complete_group(param_group, self.defaults)
        self.prepare_group(group)
        check_new_group(group, self.param_groups)
        self.param_groups.append(group)

    def prepare_group(self, group: Group) -> None:
        """Check a group before it is taken over; a subclass adds what it needs.

        Raises ArgumentError or DTypeError when parameters or hyperparameters do not fit.
        """
        check_hyperparameters(group, type(self).__name__)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradient of every parameter; with set_to_none=False fill it with zeros instead.

        Source: torch.optim.Optimizer.zero_grad.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach().zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, once.

        closure: called first, with gradients recorded; it computes the loss and its gradients. Its result is returned.

        Source: torch.optim.Optimizer.step.
        """
        self._has_stepped = True
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        watched(lambda: len(self.param_groups), (id(self), "groups"))
        with no_grad():
            settings = [self._hyperparameters(place) for place in range(len(self.param_groups))]
            for p, name, place in self._named():
                if p.grad is not None:
                    self._update_parameter(p, p.grad, name, settings[place])
            for h in settings:
                h.watch()
            # A compiled step writes into these very tensors; it is traced anew when others take their place.
            tensors = list(self._all_state())
            watched(lambda: self._has_state(tensors), (id(self), "state"), is_counted=True)
        return loss

    @property
    def state(self) -> defaultdict[Tensor, State]:
        """What is kept for each parameter: a dict of tensors by name."""
        return self._state

    @state.setter
    def state(self, other: Mapping[Tensor, State]) -> None:
        self._state = OptimizerState()
        self._state.update(other)

    def _has_state(self, tensors: Sequence[Tensor]) -> bool:
        """Whether the state is these very tensors, no more and no fewer."""
        found = list(self._all_state())
        return len(found) == len(tensors) and all(map(is_, found, tensors))

    def _all_state(self) -> Iterator[Tensor]:
        return chain.from_iterable(map(dict.values, self.state.values()))

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The update rule: the parameter and its state after one step.

        p, g: the parameter and its gradient (its negative when maximising), with at least one dim and 32 bits.
        s: the state by slot name.
        h: the hyperparameters of the parameter's group.
        """
        raise NotImplementedError(f"{type(self).__name__} gives neither update() nor a step() of its own")

    def leaves_rows_alone(self, h: Hyperparameters) -> bool:
        """Whether the rule, with these hyperparameters, changes nothing in a row whose gradient is zero.

        Then a table that is marked as `Embedding(sparse=True)` marks its own is updated in the rows that were used.
        """
        return False

    def _hyperparameters(self, place: int) -> Hyperparameters:
        return Hyperparameters(lambda: self.param_groups[place], (id(self), place))

    def _named(self) -> Iterator[tuple[Tensor, str, int]]:
        """Each parameter with its name where one is known, else its number, and with the place of its group."""
        number = 0
        for place, group in enumerate(self.param_groups):
            given = group.get("param_names")
            for i, p in enumerate(group["params"]):
                yield p, given[i] if given else p.label or str(number), place
                number += 1

    def _update_parameter(self, p: Tensor, g: Tensor, name: str, h: Hyperparameters) -> None:
        slots = [slot for slot in self.slots if h.on(*slot.when)]
        state = self._state_of(p, slots, name, h)
        with phase("update", name):
            found = row_gradient(g) if vars(p).get("sparse_gradient") and self.leaves_rows_alone(h) else None
            part = found or WholeGradient(g)
            s = {x.name: state[x.name] if x.scalar else roomy(part.rows_of(state[x.name])) for x in slots}
            g = neg(part.values) if h.on("maximize") else part.values
            fresh, kept = self.update(roomy(part.rows_of(p)), roomy(g), s, h)
            scalars = {slot.name for slot in slots if slot.scalar}
            for slot_name, tensor in kept.items():
                box = state[slot_name]
                settle(tensor if slot_name in scalars else part.put(tensor, box), box)
            settle(part.put(fresh, p), p)

    def _state_of(self, p: Tensor, slots: Sequence[Slot], name: str, h: Hyperparameters) -> State:
        """The state of a parameter, with what is missing made anew."""
        if not slots:  # so that no empty entry appears in `state`
            return {}
        fresh = not self.state[p]
        for slot in slots:
            if slot.name not in self.state[p]:
                with eagerly():  # so that it outlives a compiled function
                    self.state[p][slot.name] = slot.make(p, h, fresh)
                self.state[p][slot.name].label = f"{name}.{slot.name}"
        return self.state[p]

    def state_dict(self) -> dict[str, Any]:
        """State and hyperparameters in PyTorch's layout, with the number of each parameter in its place.

        `{"state": {0: {"exp_avg": …}, …}, "param_groups": [{"lr": …, "params": [0, …]}, …]}`. It is a snapshot: later
        steps leave it as it is.

        Source: torch.optim.Optimizer.state_dict.
        """
        return pack(self.param_groups, self.state)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and hyperparameters that `state_dict()`, here or in PyTorch, gave.

        Tensors may be ours, NumPy arrays, or whatever NumPy can read. Compiled steps stay valid.

        Raises StateError, and changes nothing, when the groups, a parameter's state or its shapes do not fit.

        Source: torch.optim.Optimizer.load_state_dict.
        """
        groups = read_groups(state_dict, self.param_groups, self.defaults)
        for group in groups:
            self.prepare_group(group)
        state = read_state(state_dict, groups, self.slots)
        take_over(self.state, state, {p: name for p, name, _ in self._named()})
        for mine, loaded in zip(self.param_groups, groups, strict=True):
            mine.clear()
            mine.update(loaded)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for place, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {place}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])
