"""The MLP, and what is proposed for tables."""

import numpy as np
import pytest

import pullback as pb
from pullback.base.errors import ArgumentError
from pullback.models.mlp import ACTIVATIONS, INITS, MLP, NORMS, MLPConfig
from pullback.models.propose import propose_hidden


def test_mlp_is_what_its_formula_says() -> None:
    pb.manual_seed(0)
    net = MLP(MLPConfig(6, 3, (5, 4), activation="tanh")).double()
    x = np.random.default_rng(0).normal(size=(7, 2, 3))
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    h = x.reshape(7, 6)
    for i in (1, 2):
        h = np.tanh(h @ state[f"fc{i}.weight"].T + state[f"fc{i}.bias"])
    expected = h @ state["fc3.weight"].T + state["fc3.bias"]
    np.testing.assert_allclose(net(pb.tensor(x)).detach().numpy(), expected, rtol=1e-12)


def test_names_are_readable() -> None:
    net = MLP(MLPConfig(4, 2, (3,), dropout=0.5, input_dropout=0.1))
    assert [name for name, _ in net.named_modules()] == ["", "drop0", "fc1", "act1", "drop1", "fc2"]
    assert [name for name, _ in net.named_parameters()] == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def test_without_hidden_layers_it_is_linear() -> None:
    net = MLP(MLPConfig(4, 2, dropout=0.5))
    assert [name for name, _ in net.named_modules()] == ["", "fc1"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_learns(activation: str) -> None:
    pb.manual_seed(1)
    net = MLP(MLPConfig(3, 2, (4,), activation=activation)).double()
    pb.gradcheck(lambda *parameters: net(pb.linspace(-1, 1, 6, dtype=pb.float64).reshape(2, 3)), list(net.parameters()))


def test_dropout_only_in_training() -> None:
    pb.manual_seed(0)
    net = MLP(MLPConfig(50, 40, (60,), dropout=0.5))
    x = pb.ones(8, 50)
    assert not pb.equal(net(x), net(x))
    net.eval()
    assert pb.equal(net(x), net(x))


WRONG = [
    ({"inputs": 0}, "needs a size of 1 or more; got (0, 3, 2)"),
    ({"hidden": (3, 0)}, "got (4, 3, 0, 2)"),
    ({"activation": "rel"}, "there is no activation 'rel'. Did you mean 'relu'?"),
    ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
    ({"input_dropout": -0.1}, "input_dropout must be at least 0 and below 1; got -0.1"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_impossible_networks(changes: dict, words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        MLPConfig(**{"inputs": 4, "outputs": 2, "hidden": (3,), **changes})
    assert words in str(caught.value)


@pytest.mark.parametrize("inputs", [1, 3, 10, 50, 200, 2000])
@pytest.mark.parametrize("outputs", [1, 3, 40])
@pytest.mark.parametrize("rows", [1, 20, 150, 1000, 100_000])
def test_proposals_are_sensible(inputs: int, outputs: int, rows: int) -> None:
    hidden = propose_hidden(inputs, outputs, rows)
    assert len(hidden) == (2 if rows >= 200 else 1)
    assert all(size & (size - 1) == 0 for size in hidden)
    assert 16 <= hidden[0] <= 256
    assert hidden[0] <= max(16, rows // 4)
    assert hidden == tuple(sorted(hidden, reverse=True))


def test_proposals_grow_with_the_table() -> None:
    widths = [propose_hidden(inputs, 1, 100_000)[0] for inputs in (2, 8, 20, 60, 300)]
    assert widths == sorted(widths)
    assert widths[-1] > widths[0]
    with pytest.raises(ArgumentError, match="must be 1 or more; got 0, 1 and 5"):
        propose_hidden(0, 1, 5)


@pytest.mark.parametrize("norm", NORMS)
def test_norms_stand_before_the_activation(norm: str) -> None:
    net = MLP(MLPConfig(4, 2, (3, 5), norm=norm))
    names = [name for name, _ in net.named_children()]
    assert names == ["fc1", "norm1", "act1", "fc2", "norm2", "act2", "fc3"]
    assert net(pb.randn(6, 4)).shape == (6, 2)


def test_residuals_add_what_came_in_where_sizes_agree() -> None:
    pb.manual_seed(0)
    net, plain = (MLP(MLPConfig(3, 2, (4, 4), "tanh", residual=residual)).double() for residual in (True, False))
    plain.load_state_dict(net.state_dict())
    x = pb.randn(5, 3, dtype=pb.float64)
    h = pb.tanh(net.fc1(x))
    expected = net.fc3(pb.tanh(net.fc2(h)) + h)
    np.testing.assert_allclose(net(x).detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    assert not np.allclose(net(x).detach().numpy(), plain(x).detach().numpy())


@pytest.mark.parametrize("init", INITS)
def test_first_weights(init: str) -> None:
    pb.manual_seed(0)
    net = MLP(MLPConfig(300, 200, (250,), init=init))
    first = net.fc1.weight.detach().numpy()
    deviation = {"he": (2 / 300) ** 0.5, "xavier": (2 / 550) ** 0.5, "orthogonal": (1 / 300) ** 0.5}[init]
    assert first.std() == pytest.approx(deviation, rel=0.03)
    assert not net.fc1.bias.detach().numpy().any()


@pytest.mark.parametrize("setting", ["norm", "init"])
def test_unknown_parts_are_refused(setting: str) -> None:
    with pytest.raises(ArgumentError, match=f"there is no {setting} 'bath'"):
        MLPConfig(3, 2, **{setting: "bath"})  # type: ignore[arg-type]
