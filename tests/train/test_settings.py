"""Settings: what may stand in a file, what may not, and that what is written is read back."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback.base.errors import ArgumentError
from pullback.train.config import Config, read_toml
from pullback.train.optimizers import OPTIMIZERS, SCHEDULES
from pullback.train.recipes import RECIPES
from pullback.train.settings import SettingsError
from pullback.train.toml_text import line_of, settings_text, toml_value


def nowhere(path: tuple[str, ...]) -> str:
    return ".".join(path)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_read_back(name: str, tmp_path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(settings_text(RECIPES[name]))
    given_settings, where = read_toml(path)
    assert Config().changed(given_settings, where) == RECIPES[name]


def test_every_setting_is_explained() -> None:
    lines = settings_text(Config()).splitlines()
    settings = [line for line in lines if "=" in line]
    assert len(settings) >= 18
    assert all("  # " in line and len(line.split("  # ")[1]) > 8 for line in settings)


values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_toml_values_are_read_back(value: Any) -> None:
    assert repr(tomllib.loads(f"v = {toml_value(value)}")["v"]) == repr(value)


def test_toml_knows_no_none() -> None:
    with pytest.raises(ArgumentError, match="TOML knows no NoneType"):
        toml_value(None)


TEXT = """
name = "x"   # a comment
'seed' = 3

[ model ] # [training]
  "hidden" = [
    1,
  ]
training.epochs = 3
[optimizer]
lr=1
"""
LINES = [
    (("name",), 2),
    (("seed",), 3),
    (("model",), 5),
    (("model", "hidden"), 6),
    (("model", "training", "epochs"), 9),
    (("optimizer", "lr"), 11),
    (("lr",), None),
]


@pytest.mark.parametrize(("path", "line"), LINES)
def test_line_of_a_key(path: tuple[str, ...], line: int | None) -> None:
    assert line_of(TEXT, path) == line


# Settings that cannot be, and words of the one problem that each of them is.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"seed": True}, "seed: seed must be a whole number; got true"),
    ({"seed": 1.0}, "seed must be a whole number; got 1.0"),
    ({"seed": "1"}, 'seed must be a whole number; got "1"'),
    ({"name": 3}, "name must be text in quotes; got 3"),
    ({"model": {"hidden": 3}}, "hidden must be a list of whole numbers; got 3"),
    ({"model": {"hidden": [3, "4"]}}, 'hidden must be a list of whole numbers; got [3, "4"]'),
    ({"model": {"hidden": [3, -4]}}, "every entry of hidden must be at least 1; got -4"),
    ({"model": {"dropout": 1}}, "dropout must be at least 0 and below 1; got 1"),
    ({"model": {"activation": "swish"}}, "activation must be one of relu, gelu"),
    ({"model": [3]}, "model is a table, written [model]; got [3]"),
    ({"data": {"test": 1.0}}, "test must be above 0 and below 1; got 1.0"),
    ({"data": {"task": "regresion"}}, "Did you mean 'regression'?"),
    ({"data": {"exclude": "id"}}, 'exclude must be a list of texts in quotes; got "id"'),
    ({"optimizer": {"name": 3}}, "name must be text in quotes; got 3"),
    ({"optimizer": {"name": "adagrat"}}, "there is no optimizer 'adagrat'. Did you mean 'adagrad'?"),
    ({"optimizer": {"lr": 0}}, "lr must be above 0; got 0"),
    ({"optimizer": {"momentum": 0.9}}, "there is no setting 'momentum' in [optimizer]. There are name, lr, betas"),
    ({"optimizer": {"betas": [0.9, 0.99, 0.999]}}, "betas must be a list of 2 numbers"),
    ({"optimizer": {"betas": [0.9, 2]}}, "optimizer: "),
    ({"optimizer": {"amsgrad": 1}}, "amsgrad must be true or false; got 1"),
    ({"optimizer": {"foreach": True}}, "there is no setting 'foreach'"),
    ({"schedule": {"name": "cosine", "warmup": "long"}}, 'warmup must be a number; got "long"'),
    ({"schedule": {"pct_start": 3}}, "schedule: pct_start is a share of the run, at least 0 and below 1; got 3"),
    ({"schedule": {"name": "cosine", "warmup": -1}}, "warmup is a share of the run"),
    ({"schedule": {"anneal_strategy": "line"}}, "schedule: anneal_strategy"),
    ({"schedule": {"gama": 0.1, "name": "step"}}, "Did you mean 'gamma'?"),
    ({"nmae": "x"}, "there is no setting 'nmae'. Did you mean 'name'?"),
]


@pytest.mark.parametrize(("settings", "words"), WRONG)
def test_wrong_setting_is_one_problem(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Config().changed(settings, nowhere)
    assert len(caught.value.problems) == 1
    assert words in caught.value.problems[0]


def test_all_problems_are_told_and_nothing_is_changed() -> None:
    with pytest.raises(SettingsError) as caught:
        Config().changed({"seed": -1, "model": {"hiden": [1], "dropout": 2}, "optimizer": {"lr": -1}}, nowhere)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "seed",
        "model.hiden",
        "model.dropout",
        "optimizer.lr",
    ]


def test_whole_numbers_are_numbers_and_lists_become_tuples() -> None:
    config = Config().changed({"optimizer": {"lr": 1, "betas": [0, 0.5]}, "model": {"hidden": [4, 5]}}, nowhere)
    assert repr(config.optimizer.lr) == "1.0"
    assert config.optimizer.options["betas"] == (0.0, 0.5)
    assert config.model.hidden == (4, 5)


def test_optimizer_that_is_named_begins_with_its_own_settings() -> None:
    config = RECIPES["digits"].changed({"optimizer": {"name": "SGD", "momentum": 0.9}}, nowhere)
    assert (config.optimizer.name, config.optimizer.lr, config.optimizer.options) == ("sgd", 0.1, {"momentum": 0.9})
    again = RECIPES["digits"].changed({"optimizer": {"name": "adamw"}}, nowhere)
    assert (again.optimizer.lr, again.optimizer.options) == (1e-3, {})
    same = RECIPES["digits"].changed({"optimizer": {"lr": 0.5}}, nowhere)
    assert same.optimizer.options == RECIPES["digits"].optimizer.options


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_can_be_chosen(name: str) -> None:
    config = Config().changed({"optimizer": {"name": name}}, nowhere)
    assert config.optimizer.lr == OPTIMIZERS[name].lr
    options = OPTIMIZERS[name].options
    assert not {"params", "lr", "foreach", "maximize", "return"} & set(options)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_covers_the_run(name: str) -> None:
    from pullback.nn.parameter import Parameter
    from pullback.optim import SGD
    from pullback.tensor.creation import zeros
    from pullback.train.optimizers import make_schedule

    for steps, epochs in ((1, 1), (2, 1), (3, 3), (10, 5), (100, 10)):
        optimizer = SGD([Parameter(zeros(1))], lr=0.5)
        schedule = make_schedule(optimizer, name, {}, steps, epochs)
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        assert all(0 <= rate <= 0.5 for rate in rates), (steps, rates)
        if name not in ("one-cycle",):
            assert rates[0] == 0.5
        if name == "one-cycle" and steps >= 10:
            assert max(rates) > 0.4
            assert rates[-1] < 0.05
