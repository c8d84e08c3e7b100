"""What is read off the user's source: the statement, its place, and the names that it gives."""

import linecache
from types import CodeType
from typing import Any

import pytest

from pullback.emit.names import Names, identifier
from pullback.emit.userlines import description_of, line_of, span_of, target_of

SOURCE = """\
def f(a, b, self):
    c = a.g(b)
    d: int = a * b.size
    a += b.g()
    self.h = a @ b
    (p, q), r = (a.g(), 1), a - b
    if (w := a.k(b)):
        s = (
            a.g()
            .m(b)
        )
    for i in range(3): t = a.T + b
    return a.n(b) / 2
"""


@pytest.fixture
def places(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The place of each expression of SOURCE, by its text."""
    name = f"<{request.node.name}>"
    linecache.cache[name] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), name)
    module = compile(SOURCE, name, "exec")
    code = next(c for c in module.co_consts if isinstance(c, CodeType))
    found = {}
    for instruction in range(0, len(code.co_code), 2):
        first, last, left, right = span_of((code, instruction))
        rows = SOURCE.splitlines()[first - 1 : last]
        if rows and last > first:
            found["\n".join([rows[0][left:], *rows[1:-1], rows[-1][:right]])] = code, instruction
        elif rows:
            found[rows[0][left:right]] = code, instruction
    return found


@pytest.mark.parametrize(
    ("expression", "target"),
    [
        ("a.g(b)", "c"),
        ("a * b.size", "d"),
        ("a += b.g()", "a"),
        ("b.g()", ""),
        ("a @ b", "h"),
        ("a - b", "r"),
        ("a.k(b)", "w"),
        ("a.T + b", "t"),
        ("a.n(b)", ""),
        ("a.n(b) / 2", ""),
    ],
)
def test_targets(places: dict[str, Any], expression: str, target: str) -> None:
    assert target_of(places[expression]) == target


@pytest.mark.parametrize(
    ("expression", "description"),
    [("a.g(b)", "g"), ("a @ b", "a_at_b"), ("a - b", "a_minus_b"), ("a.T + b", "a_T_plus_b"), ("a.n(b) / 2", "")],
)
def test_descriptions(places: dict[str, Any], expression: str, description: str) -> None:
    assert description_of(places[expression]) == description


def test_lines(places: dict[str, Any]) -> None:
    line = line_of(places["a - b"])
    assert line is not None
    assert (line.text, line.number) == (("(p, q), r = (a.g(), 1), a - b",), 6)
    walrus = line_of(places["a.k(b)"])
    assert walrus is not None
    assert walrus.text == ("if (w := a.k(b)):",)  # of a compound statement the head alone
    assert line_of(places["a.T + b"]).text == ("for i in range(3): t = a.T + b",)  # type: ignore[union-attr]
    several = line_of(places["m(b)"])  # where a method call over several lines begins, for Python
    assert several is not None
    assert target_of(places["m(b)"]) == "s"
    assert description_of(places["m(b)"]) == "m"
    assert several.text == ("s = (", "    a.g()", "    .m(b)", ")")
    assert several.place.endswith(":8")


def test_without_source() -> None:
    code = compile("x = y + 1", "<nowhere to be found>", "exec")
    for instruction in range(0, len(code.co_code), 2):
        place = code, instruction
        assert line_of(place) is None
        assert target_of(place) == description_of(place) == ""
    assert span_of((code, 10_000)) == (0, 0, 0, 0)


def test_names_of_a_function_and_of_its_module_keep_apart() -> None:
    module = Names()
    inside = Names(module)
    assert [inside.fresh("h"), inside.fresh("h"), inside.fresh("np"), inside.fresh("for")] == [
        "h",
        "h_2",
        "np_2",
        "for_2",
    ]
    assert module.fresh("h") == "h_3"
    assert inside.fresh("h_3") == "h_3_2"
    assert Names(module).fresh("x") == "x"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fc1.weight", "fc1_weight"),
        ("0.bias", "x0_bias"),
        ("w[1]", "w_1"),
        ("_hidden", "hidden"),
        ("", "x"),
        ("größe", "größe"),
    ],
)
def test_identifiers(text: str, name: str) -> None:
    assert identifier(text) == name
