"""Rows of modules as trees: names, order, printing, state, hooks, containers. Each is a function of the library."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.contracts.calls import spread
from tests.contracts.oracle import expect_error


@dataclass(frozen=True)
class ModuleRow:
    """A function of the library, named by what it shows."""

    function: Callable[[Any], Any]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def run(self, lib: Any) -> Any:
        """What the function gives."""
        return self.function(lib)


def fill(module: Any, lib: Any) -> Any:
    """The module with the same numbers in either library, in float64."""
    module.to(lib.float64)
    numbers = {
        name: spread(*p.shape, seed=31 + i).tensor(lib).detach()
        for i, (name, p) in enumerate(module.named_parameters())
    }
    module.load_state_dict(numbers, strict=False)
    return module


def network(lib: Any) -> Any:
    """A network with every kind of part."""

    class Block(lib.nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.register_buffer("seen", lib.zeros(2))
            self.register_buffer("scratch", lib.zeros(3), persistent=False)
            self.norm = lib.nn.Identity()
            self.line = lib.nn.Linear(width, width)
            self.scale = lib.nn.Parameter(lib.ones(width))
            self.register_parameter("shift", None)
            self.plain = 7

        def forward(self, x: Any) -> Any:
            return self.scale * self.line(self.norm(x)).tanh() + x

        def extra_repr(self) -> str:
            return f"plain={self.plain}"

    class Network(lib.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = lib.nn.Sequential(OrderedDict(first=lib.nn.Linear(3, 4), act=lib.nn.ReLU()))
            self.blocks = lib.nn.ModuleList([Block(4), Block(4)])
            self.heads = lib.nn.ModuleDict({"a": lib.nn.Linear(4, 2), "b": lib.nn.Linear(4, 1, bias=False)})
            self.tied = self.heads["a"]

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            return {name: head(x) for name, head in self.heads.items()}

    return fill(Network(), lib)


def names_in_order(lib: Any) -> Any:
    net = network(lib)
    return {
        "parameters": [name for name, _ in net.named_parameters()],
        "with shared": [name for name, _ in net.named_parameters(remove_duplicate=False)],
        "own": [name for name, _ in net.blocks[0].named_parameters(recurse=False)],
        "prefixed": [name for name, _ in net.stem.named_parameters(prefix="net.stem")],
        "buffers": [name for name, _ in net.named_buffers()],
        "modules": [name for name, _ in net.named_modules()],
        "all modules": [name for name, _ in net.named_modules(remove_duplicate=False)],
        "children": [name for name, _ in net.named_children()],
        "state": list(net.state_dict()),
        "prefixed state": list(net.stem.state_dict(prefix="stem.")),
        "counts": [len(list(x)) for x in (net.parameters(), net.buffers(), net.modules(), net.children())],
    }


def printed(lib: Any) -> Any:
    nn = lib.nn
    return {
        "network": repr(network(lib)),
        "list": repr(nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)])),
        "nested list": repr(nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])),
        "empty": [repr(m) for m in (nn.Module(), nn.Sequential(), nn.ModuleList(), nn.ModuleDict())],
        "with an absent part": repr(with_absent_module(lib)),
    }


def with_absent_module(lib: Any) -> Any:
    module = lib.nn.Sequential(lib.nn.ReLU())
    module.register_module("later", None)
    return module


def results_and_gradients(lib: Any) -> Any:
    net = network(lib)
    given = net(spread(5, 3, seed=3).tensor(lib))
    (given["a"].sin().sum() + given["b"].square().sum()).backward()
    return given, {name: p.grad for name, p in net.named_parameters()}


def parts_by_path(lib: Any) -> Any:
    net = network(lib)
    return {
        "module": repr(net.get_submodule("blocks.1.line")),
        "itself": net.get_submodule("") is net,
        "parameter": net.get_parameter("blocks.0.scale"),
        "buffer": net.get_buffer("blocks.0.seen"),
        "wrong": [
            absent(lambda: net.get_submodule("blocks.2")),
            absent(lambda: net.get_parameter("blocks.0.plain")),
            absent(lambda: net.get_parameter("blocks.0.seen")),
            absent(lambda: net.get_buffer("stem.first.weight")),
            absent(lambda: net.stem.second),
        ],
    }


def absent(function: Callable[[], Any]) -> str:
    """Whether the function found that there is no such attribute."""
    try:
        function()
    except AttributeError:
        return "absent"
    return "found"


def replacing_parts(lib: Any) -> Any:
    module = network(lib).blocks[0]
    module.line = lib.nn.Identity()
    module.norm = None
    module.scale = lib.nn.Parameter(lib.zeros(4))
    module.seen = lib.ones(2)
    module.plain = lib.nn.Parameter(lib.ones(1))
    module.shift = lib.nn.Parameter(lib.ones(1))
    del module.scratch
    refused = [
        expect_error(lambda: setattr(module, "scale", lib.ones(4))),
        expect_error(lambda: setattr(module, "line", 3)),
        expect_error(lambda: setattr(module, "seen", 3)),
    ]
    return refused, repr(module), module.state_dict()


def modes(lib: Any) -> Any:
    net = network(lib)
    net.blocks[0].eval()
    mixed = [m.training for m in net.modules()]
    chained = net.eval() is net and net.train() is net and net.train(False) is net
    return mixed, chained, [m.training for m in net.modules()]


def freezing(lib: Any) -> Any:
    net = network(lib)
    net.blocks.requires_grad_(False)
    return [p.requires_grad for p in net.parameters()]


def applied_from_below(lib: Any) -> Any:
    seen: list[str] = []
    network(lib).apply(lambda module: seen.append(type(module).__name__))
    return seen


def converted(lib: Any) -> Any:
    net = network(lib)
    net.blocks[0].register_buffer("count", lib.tensor([3]))
    kinds = [net.half(), net.double(), net.float(), net.to(lib.bfloat16), net.to(dtype=lib.float64)]
    same = all(kind is net for kind in kinds)
    return same, [x.dtype for x in (*net.parameters(), *net.buffers())], net.float().state_dict()


def forgetting_gradients(lib: Any) -> Any:
    layer = fill(lib.nn.Linear(2, 2), lib)
    layer(lib.ones(3, 2, dtype=lib.float64)).sum().backward()
    layer.zero_grad(set_to_none=False)
    zeros = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    return zeros, [p.grad is None for p in layer.parameters()]


def loading_state(lib: Any) -> Any:
    net, source = network(lib), network(lib).state_dict()
    changed = {name: x + 1 for name, x in source.items() if name != "heads.a.weight"}
    found = net.load_state_dict(changed | {"extra": lib.ones(1)}, strict=False)
    refused = [
        expect_error(lambda: net.load_state_dict({})),
        expect_error(lambda: net.load_state_dict({"stem.first.weight": lib.ones(2)}, strict=False)),
    ]
    matched = repr(net.load_state_dict(net.state_dict()))
    return found.missing_keys, found.unexpected_keys, refused, matched, net.state_dict()


def sequential_as_list(lib: Any) -> Any:
    nn = lib.nn
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Tanh())
    net[1] = nn.Sigmoid()
    net.append(nn.ELU()).insert(1, nn.Identity())
    popped = repr(net.pop(0))
    del net[-1]
    net.extend([nn.SELU(), nn.CELU()])
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh(), c=nn.ELU()))
    return {
        "net": repr(net),
        "popped": popped,
        "length": len(net),
        "slice": repr(net[1:3]),
        "last": repr(net[-1]),
        "named slice": repr(named[1:]),
        "joined": repr(nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh())),
        "types": [type(m).__name__ for m in net],
        "wrong": expect_error(lambda: net[9]),
    }


def lists_and_dicts(lib: Any) -> Any:
    nn = lib.nn
    items = nn.ModuleList([nn.ReLU()])
    items.append(nn.Tanh())
    items.extend([nn.ELU(), nn.SELU()])
    items.insert(1, nn.Identity())
    items += [nn.CELU()]
    items[0] = nn.Mish()
    del items[2]
    popped = repr(items.pop(-1))
    table = nn.ModuleDict([("a", nn.ReLU())])
    table.update({"b": nn.Tanh(), "c": nn.ELU()})
    table["d"] = nn.SELU()
    del table["a"]
    taken = repr(table.pop("c"))
    return {
        "list": repr(items),
        "popped": popped,
        "slice": repr(items[1:]),
        "dict": repr(table),
        "taken": taken,
        "keys": list(table.keys()),
        "types": [type(m).__name__ for m in table.values()],
        "contains": ["b" in table, "a" in table, len(table), len(items)],
    }


def parameters_in_a_list(lib: Any) -> Any:
    module = lib.nn.Module()
    module.weights = lib.nn.ParameterList([lib.ones(2), lib.nn.Parameter(lib.zeros(3))])
    module.weights.append(lib.ones(1))
    module.weights[0] = lib.nn.Parameter(lib.zeros(4))
    return [(name, tuple(p.shape), p.requires_grad) for name, p in module.named_parameters()]


def a_copy_stands_alone(lib: Any) -> Any:
    layer = fill(lib.nn.Linear(2, 2), lib)
    twin = copy.deepcopy(layer)
    with lib.no_grad():
        twin.weight.add_(1.0)
    twin.extra = lib.nn.ReLU()
    return layer.state_dict(), twin.state_dict(), repr(layer), repr(twin)


def forward_hooks(lib: Any) -> Any:
    layer = fill(lib.nn.Linear(2, 2), lib)
    calls: list[str] = []
    x = spread(3, 2, seed=5).tensor(lib)
    layer.register_forward_pre_hook(lambda module, args: calls.append("pre") or (args[0] * 2,))
    layer.register_forward_pre_hook(lambda module, args: calls.append("earlier pre") or args[0] + 1, prepend=True)
    layer.register_forward_hook(lambda module, args, output: calls.append("post") or output * 3)
    noting = layer.register_forward_hook(lambda module, args, output: calls.append("noting"))
    layer.register_forward_hook(
        lambda module, args, kwargs, output: calls.append(f"kwargs {sorted(kwargs)}"), with_kwargs=True
    )
    first = layer(x)
    noting.remove()
    return first, layer(x), calls


def backward_hooks(lib: Any) -> Any:
    layer = fill(lib.nn.Bilinear(2, 3, 2), lib)
    seen: list[Any] = []
    layer.register_full_backward_pre_hook(lambda module, at_output: (at_output[0] * 2,))
    layer.register_full_backward_hook(lambda module, at_input, at_output: seen.append((at_input, at_output)))
    layer.register_full_backward_hook(lambda module, at_input, at_output: (at_input[0] * 3, at_input[1]))
    x, y = spread(4, 2, seed=5).tensor(lib), spread(4, 3, seed=6).tensor(lib)
    layer(x * 1.0, y * 1.0).sum().backward()
    return seen, x.grad, y.grad, [p.grad for p in layer.parameters()]


def backward_hook_without_gradient_at_the_input(lib: Any) -> Any:
    layer = fill(lib.nn.Linear(2, 2), lib)
    seen: list[Any] = []
    handle = layer.register_full_backward_hook(lambda module, at_input, at_output: seen.append((at_input, at_output)))
    layer(lib.ones(3, 2, dtype=lib.float64)).sum().backward()
    handle.remove()
    layer(lib.ones(3, 2, dtype=lib.float64)).sum().backward()
    return seen, layer.weight.grad


def losses_keep_their_weights(lib: Any) -> Any:
    loss = lib.nn.CrossEntropyLoss(weight=lib.tensor([1.0, 2.0]))
    both = lib.nn.BCEWithLogitsLoss(lib.ones(3), pos_weight=lib.ones(3))
    return loss.state_dict(), both.state_dict(), lib.nn.NLLLoss().state_dict(), repr(loss)


def vectors_of_parameters(lib: Any) -> Any:
    layer = fill(lib.nn.Linear(2, 3), lib)
    vector = lib.nn.utils.parameters_to_vector(layer.parameters())
    lib.nn.utils.vector_to_parameters(vector.detach() * 2, layer.parameters())
    return vector, layer.state_dict()


ORACLE_ROWS = [
    ModuleRow(function)
    for function in (
        names_in_order,
        printed,
        results_and_gradients,
        parts_by_path,
        replacing_parts,
        modes,
        freezing,
        applied_from_below,
        converted,
        forgetting_gradients,
        loading_state,
        sequential_as_list,
        lists_and_dicts,
        parameters_in_a_list,
        a_copy_stands_alone,
        forward_hooks,
        backward_hooks,
        backward_hook_without_gradient_at_the_input,
        losses_keep_their_weights,
        vectors_of_parameters,
    )
]
