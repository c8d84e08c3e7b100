"""CSV files and tables: odd files read right, kinds inferred, schemas applied, every misfit named."""

import gzip
import json

import numpy as np
import pytest

from pullback.base.errors import ArgumentError, DataError, DTypeError, PullbackError
from pullback.data import ColumnType, MissingFile, Schema, read_csv, table_from_rows
from pullback.data.schema import infer_type

ODD = (
    b"\xef\xbb\xbf"  # a byte order mark
    b'name,"the price, net", rooms ,garden,city,note,sold,zip\r\n'
    b'"M\xc3\xbcller, \xe6\x9d\x8e",120.5,3,yes,K\xc3\xb6ln,"said ""no""",2021-03-01,00501\r\n'
    b"\r\n"  # a blank line
    b'Ng\xc5\xa9g\xc4\xa9,, 4 ,No,"Rio, RJ","two\r\nlines",2021-04-30,10001\r\n'
    b"O'Neil,-1e3,NA,?,K\xc3\xb6ln,,2020-12-24,00501\r\n"
    b'"",.5,+2,TRUE,"Rio, RJ",\xf0\x9f\x8f\xa0,2019-01-01,10001'  # no line end at the end of the file
)


@pytest.fixture
def odd(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_bytes(ODD)
    return path


def test_an_odd_file_is_read_right(odd):
    table = read_csv(odd)
    assert len(table) == 4
    assert {name: column.kind for name, column in table.columns.items()} == {
        "name": "category",
        "the price, net": "number",
        "rooms": "integer",
        "garden": "boolean",
        "city": "category",
        "note": "category",
        "sold": "text",
        "zip": "category",
    }
    assert table["name"].texts() == ["Müller, 李", "Ngũgĩ", "O'Neil", None]
    np.testing.assert_array_equal(table["the price, net"].values, [120.5, np.nan, -1000.0, 0.5])
    assert table["rooms"].values.tolist() == [3, 4, 0, 2]
    assert table["rooms"].missing.tolist() == [False, False, True, False]
    assert table["garden"].texts() == ["TRUE", "No", None, "TRUE"], "of yes and TRUE, equally often, the first"
    assert table["city"].type.categories == ("Köln", "Rio, RJ")
    assert table["city"].values.tolist() == [0, 1, 0, 1]
    assert table["note"].texts() == ['said "no"', "two\r\nlines", None, "🏠"]
    assert table["sold"].values.tolist() == ["2021-03-01", "2021-04-30", "2020-12-24", "2019-01-01"]
    assert table["zip"].texts() == ["00501", "10001", "00501", "10001"]
    assert table.lines.tolist() == [2, 4, 6, 7]
    assert table.place(2, "rooms") == f"{odd}, line 6, column 'rooms'"


DTYPES = {"integer": np.int64, "number": np.float64, "boolean": np.bool_, "category": np.int64, "text": np.object_}


def test_dtypes_of_the_values(odd):
    for column in read_csv(odd).columns.values():
        assert column.values.dtype == DTYPES[column.kind]
        assert column.missing.dtype == np.bool_
        assert len(column) == len(column.values) == len(column.missing) == 4


REWRITTEN = [
    ("semicolons", lambda text: text.replace(",", ";"), {}),
    ("tabs", lambda text: text.replace(",", "\t"), {}),
    ("bars", lambda text: text.replace(",", "|"), {}),
    ("named delimiter", lambda text: text.replace(",", "#"), {"delimiter": "#"}),
    ("line feeds", lambda text: text, {}),
    ("carriage returns", lambda text: text.replace("\n", "\r"), {}),
    ("spaces", lambda text: text.replace(",", " , ").replace("\n", "  \n"), {}),
    ("blank lines", lambda text: "\n\n" + text.replace("\n", "\n  \n"), {}),
    ("decimal commas", lambda text: text.replace(",", ";").replace(".", ","), {"decimal": ","}),
]
PLAIN = "size,colour,rooms\n1.5,red,3\n-2.25,blue,\n1e-3,red,4\n"


@pytest.mark.parametrize(("name", "rewrite", "options"), REWRITTEN, ids=[row[0] for row in REWRITTEN])
@pytest.mark.parametrize("encode", [str.encode, lambda t: t.encode("utf-16"), lambda t: gzip.compress(t.encode())])
def test_the_same_table_in_other_clothes(tmp_path, name, rewrite, options, encode):
    path = tmp_path / "t.csv"
    path.write_bytes(encode(rewrite(PLAIN)))
    table = read_csv(path, **options)
    assert table.names == ("size", "colour", "rooms")
    assert table["size"].values.tolist() == [1.5, -2.25, 0.001]
    assert table["colour"].texts() == ["red", "blue", "red"]
    assert table["rooms"].texts() == ["3", None, "4"]


def test_a_long_file_s_delimiter_is_found_from_its_beginning(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a;b\n" + "1,5;2,5\n" * 20_000)
    assert read_csv(path, decimal=",")["b"].values.tolist() == [2.5] * 20_000


def test_other_encodings_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("città\nForlì\n".encode("latin-1"))
    assert read_csv(path, encoding="latin-1")["città"].texts() == ["Forlì"]


def test_without_a_header_columns_are_numbered(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("1,a\n2,b\n")
    table = read_csv(path, header=False)
    assert table.names == ("column_1", "column_2")
    assert table["column_1"].values.tolist() == [1, 2]


def test_a_data_frame_s_index_gets_a_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",x\n0,5\n1,6\n")
    assert read_csv(path).names == ("index", "x")


def test_a_file_with_names_alone_has_no_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n")
    table = read_csv(path)
    assert len(table) == 0
    assert [column.kind for column in table.columns.values()] == ["text", "text"]


KINDS = [
    ("boolean", ["true", "False", "YES", "no"]),
    ("integer", ["0", "-7", "+3", "9223372036854775807"]),
    ("integer", ["1", "0"]),
    ("number", ["1", "2.0"]),
    ("number", ["1e5", ".5", "5.", "-3E-2"]),
    ("number", ["9223372036854775808"]),
    ("category", ["007", "123"]),
    ("category", ["1", "two"]),
    ("category", ["inf", "1"]),
    ("category", ["1e999"]),
    ("category", ["1,234"]),
    ("category", ["0x10"]),
    ("category", ["١", "٢"]),  # digits, but not those that numbers are written with here
    ("category", ["true", "maybe"]),
    ("category", ["a"] * 50 + ["b"]),
    ("category", [f"{i}x" for i in range(100)] * 2),
    ("text", [f"{i}x" for i in range(101)] * 10),
    ("text", [f"{i}x" for i in range(11)]),
    ("category", [f"{i}x" for i in range(10)]),
    ("text", ["2024-01-31", "2024-02-01"]),
    ("text", ["31.1.2024", "1/2/24", "2024-01-31T10:00:00Z"]),
    ("text", ["10:30", "9:15:00"]),
    ("category", ["2024-01-31", "never"]),
    ("text", []),
]


@pytest.mark.parametrize(("kind", "cells"), KINDS)
def test_kinds_are_inferred(kind, cells):
    inferred = infer_type("x", cells)
    assert inferred.kind == kind
    spelled = {"category": tuple(sorted(set(cells))), "boolean": ("False", "YES")}
    assert inferred.categories == spelled.get(kind, ())


def test_codes_depend_on_the_categories_and_not_on_the_rows(tmp_path):
    rows = [{"c": each} for each in "bdacbd"]
    one, other = table_from_rows(rows)["c"], table_from_rows(rows[::-1])["c"]
    assert one.type == other.type
    assert one.values.tolist() == other.values.tolist()[::-1] == [1, 3, 0, 2, 1, 3]


NAMED = [
    ("category", ["1", "2", "1"], [0, 1, 0]),
    ("text", ["1", "2", "1"], ["1", "2", "1"]),
    ("number", ["1", "2", "1"], [1.0, 2.0, 1.0]),
    ("integer", ["1.0", "2", "1.00"], [1, 2, 1]),
    ("boolean", ["yes", "no", "yes"], [True, False, True]),
]


@pytest.mark.parametrize(("kind", "cells", "values"), NAMED)
def test_kinds_can_be_named(tmp_path, kind, cells, values):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{cell},0\n" for cell in cells))
    column = read_csv(path, types={"x": kind})["x"]
    assert column.kind == kind
    assert column.values.tolist() == values


def test_what_missing_means_can_be_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n-999,NA\n3,b\n,c\n")
    table = read_csv(path, missing=["-999"])
    assert table["x"].missing.tolist() == [True, False, True]
    assert table["y"].texts() == ["NA", "b", "c"]


def test_rows_of_python_values():
    rows = [
        {"x": 1.5, "n": 3, "b": True, "c": "é", "only": None},
        {"x": float("nan"), "n": np.int64(4), "b": np.bool_(False), "c": None},
        {"x": np.float32(0.1), "n": None, "b": None, "c": " é "},
    ]
    table = table_from_rows(rows)
    assert [column.kind for column in table.columns.values()] == ["number", "integer", "boolean", "category", "text"]
    np.testing.assert_array_equal(table["x"].values, [1.5, np.nan, 0.1])
    assert table["n"].texts() == ["3", "4", None]
    assert table["b"].texts() == ["True", "False", None]
    assert table["c"].texts() == ["é", None, "é"]
    assert table["only"].missing.all()


def test_rows_are_chosen_and_dropped(odd):
    table = read_csv(odd)
    assert table.take([2, 0])["city"].values.tolist() == [0, 0]
    assert table.take(np.array([False, True, False, True])).lines.tolist() == [4, 7]
    assert table.drop_missing("rooms").lines.tolist() == [2, 4, 7]
    assert table.drop_missing("rooms", "the price, net").lines.tolist() == [2, 7]
    assert table.drop_missing().lines.tolist() == [2]
    assert "rooms" in table
    assert "room" not in table
    assert repr(table.take([0])).startswith(f"Table(1 rows from {odd}; name: category, the price, net: number")


def test_a_schema_goes_through_json(odd, tmp_path):
    schema = read_csv(odd, missing=["?", "NA", "-"], decimal=".").schema
    schema.save(tmp_path / "schema.json")
    assert Schema.load(tmp_path / "schema.json") == schema
    assert "Köln" in (tmp_path / "schema.json").read_text(encoding="utf-8"), "readable, not escaped"
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


SCHEMA = Schema(
    (
        ColumnType("size", "number"),
        ColumnType("rooms", "integer"),
        ColumnType("garden", "boolean"),
        ColumnType("colour", "category", ("blue", "green", "red")),
    )
)


def test_a_schema_is_applied_whatever_the_new_rows_look_like(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("extra,colour,rooms,size,garden\nx,red,3.0,7,no\ny,blue,4,8,yes\n")
    table = read_csv(path, schema=SCHEMA)
    assert table.names == ("size", "rooms", "garden", "colour")
    assert table["colour"].values.tolist() == [2, 0], "the codes of the schema, not of the file"
    assert table["size"].values.dtype == np.float64
    assert table["rooms"].values.tolist() == [3, 4]
    assert table.schema is SCHEMA


def test_a_schema_s_decimal_is_used_for_text_and_for_numbers(tmp_path):
    schema = Schema((ColumnType("x", "number"),), decimal=",")
    path = tmp_path / "t.csv"
    path.write_text("x;y\n1,5;2\n")
    assert read_csv(path, schema=schema)["x"].values.tolist() == [1.5]
    assert table_from_rows([{"x": 1.5}, {"x": np.float32(0.25)}], schema=schema)["x"].values.tolist() == [1.5, 0.25]


def test_optional_columns_may_be_absent(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("size,rooms,garden\n7,3,no\n")
    table = read_csv(path, schema=SCHEMA, optional=["colour"])
    assert "colour" not in table
    with pytest.raises(DataError, match=r"column 'colour' is missing\. There are size, rooms, garden"):
        read_csv(path, schema=SCHEMA)


def test_unknown_categories_can_be_missing_values():
    rows = [{"size": 1, "rooms": 1, "garden": "no", "colour": "pink"}]
    column = table_from_rows(rows, schema=SCHEMA, unknown="missing")["colour"]
    assert (column.values.tolist(), column.missing.tolist(), column.texts()) == ([-1], [True], [None])


HEAD = "size,rooms,garden,colour\n7,3,no,red\n"
MISFITS = [
    (HEAD + "tall,3,no,red\n", r"line 3, column 'size': 'tall' is no finite number"),
    (HEAD + "inf,3,no,red\n", r"line 3, column 'size': 'inf' is no finite number"),
    (HEAD + "\n\n7,3.5,no,red\n", r"line 5, column 'rooms': '3.5' is no integer.*type is 'number'"),
    (HEAD + "7,3,maybe,red\n", r"line 3, column 'garden': 'maybe' is neither true, yes, false nor no"),
    (HEAD + '"7\n",3,no,gren\n', r"line 3, column 'colour': 'gren' is none of the 3 known.*Did you mean 'green'"),
    (HEAD + "7,3,no,xyz\n", r"'xyz' is none of the 3 known categories\. Known are blue, green, red"),
    ("size,room,garden,colour\n7,3,no,red\n", r"column 'rooms' is missing\. Did you mean 'room'\?.*size, room, garden"),
]


@pytest.mark.parametrize(("text", "words"), MISFITS)
def test_what_does_not_fit_a_schema_is_named(tmp_path, text, words):
    path = tmp_path / "new.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        read_csv(path, schema=SCHEMA)
    assert str(caught.value).startswith(str(path))


MALFORMED = [
    (b"", {}, "is empty"),
    (b"\n\n \n", {}, "is empty"),
    (b"a,b\n1,2\n3\n", {}, r"line 3: 1 fields where the first line has 2"),
    (b"a,b\n1,2,3\n", {}, r"line 2: 3 fields.*into quotes"),
    (b'a,b\n1,"two\nlines\n', {}, r"line 2: a quote is opened here and never closed"),
    (b'a,b\n1,2\n\n3,"x"y\n', {}, r"line 4: text follows a closing quote"),
    (b"a,b,a\n", {}, r"line 1: columns 1 and 3 are both called 'a'"),
    (b"\n\na,,b\n", {}, r"line 3: column 2 has no name"),
    (b",a,index\n", {}, r"line 1: column 1 has no name"),
    (b"a,b\n1,\xfc\n", {}, r"line 2: byte 0xfc is not UTF-8 text.*latin-1"),
    (b"a,b\n1,\0\n", {}, r"line 2: a zero byte"),
    (b"PK\x03\x04...", {}, "zip archive, as spreadsheets are"),
    (b"a,b\n1,2\n", {"types": {"c": "number"}}, r"no column 'c'\. There are a, b"),
    (b"price,b\n1,2\n", {"types": {"prise": "number"}}, "Did you mean 'price'"),
    (b"a,b\n1,2\n", {"types": {"a": "integr"}}, "'integr' is no kind. Did you mean 'integer'"),
    (b"a,b\n1,2\nx,2\n", {"types": {"a": "integer"}}, r"line 3, column 'a': 'x' is no integer"),
    (b"a\n" + b"x" * 200_000 + b"\n", {}, r"line 2: not CSV: field larger than field limit"),
]


@pytest.mark.parametrize(("content", "options", "words"), MALFORMED)
def test_malformed_files_are_named_with_their_line(tmp_path, content, options, words):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_csv(path, **options)
    if "no kind" not in words:
        assert str(path) in str(caught.value)


ROW = [{"size": 1, "rooms": 2, "garden": "no", "colour": "red"}]
BAD_CALLS = [
    (lambda: table_from_rows(ROW, schema=SCHEMA, unknown="ignore"), ArgumentError, "got 'ignore'"),
    (lambda: table_from_rows([{**ROW[0], "size": "big"}], schema=SCHEMA), DataError, "rows, line 1, column 'size'"),
    (lambda: table_from_rows([{"a": 1}])["b"], DataError, "rows: there is no column 'b'"),
    (lambda: table_from_rows([{"a": 1}]).drop_missing("b"), DataError, "no column 'b'"),
    (lambda: table_from_rows([], schema=SCHEMA), DataError, "column 'size' is missing. There are none"),
    (lambda: SCHEMA["colr"], DataError, "Did you mean 'colour'"),
    (lambda: ColumnType("x", "float"), DataError, "'float' is no kind"),
    (lambda: Schema.from_dict({"format": "other"}), DataError, "got 'other'"),
    (lambda: Schema.load("/nonexistent/schema.json"), MissingFile, "does not exist"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD_CALLS)
def test_wrong_calls_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, PullbackError)


CALLS_ON_A_FILE = [
    ({"delimiter": ",,"}, "one character"),
    ({"delimiter": '"'}, "not a quote"),
    ({"encoding": "utf-9"}, "'utf-9' is no encoding"),
    ({"decimal": ""}, "decimal must be one character"),
    ({"schema": SCHEMA, "types": {"size": "text"}}, "schema or types, not both"),
    ({"unknown": "skip"}, "got 'skip'"),
]


@pytest.mark.parametrize(("options", "words"), CALLS_ON_A_FILE)
def test_wrong_options_are_named(tmp_path, options, words):
    path = tmp_path / "t.csv"
    path.write_text("size,b\n1,2\n")
    with pytest.raises(ArgumentError, match=words):
        read_csv(path, **options)


NUMBERS = [str(i) for i in range(300)]
IN_DOUBT = [
    ("a slip", [*NUMBERS, "oops"], "line 302, column 'x': 'oops' is no finite number.*missing=.*'x': 'text'"),
    ("one of twenty", [*NUMBERS[:19], "inf"], "line 21, column 'x': 'inf' is no"),
    ("fractions", ["0.5"] * 39 + ["-", "-"], "line 41, column 'x': '-' is no"),
]


@pytest.mark.parametrize("cells", [row[1] for row in IN_DOUBT], ids=[row[0] for row in IN_DOUBT])
def test_a_stray_cell_among_numbers_is_named_and_each_remedy_helps(tmp_path, cells):
    words = next(row[2] for row in IN_DOUBT if row[1] is cells)
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x", *cells]))
    with pytest.raises(DataError, match=words):
        read_csv(path)
    assert read_csv(path, missing=[cells[-1]])["x"].type.kind in ("integer", "number")
    assert read_csv(path, types={"x": "text"})["x"].texts() == cells
    assert read_csv(path, types={"x": "category"})["x"].texts() == cells
    with pytest.raises(DataError, match="missing="):
        table_from_rows([{"x": cell} for cell in cells])


CERTAIN = [
    ("fewer numbers", [*NUMBERS[:18], "a"], "text"),
    ("codes", ["01234", *NUMBERS[100:], "K1A 0B6"], "text"),
    ("classes", ["1", "2"] * 9 + ["other"], "category"),
]


@pytest.mark.parametrize(("cells", "kind"), [row[1:] for row in CERTAIN], ids=[row[0] for row in CERTAIN])
def test_other_mixtures_are_no_numbers(cells, kind):
    assert table_from_rows([{"x": cell} for cell in cells])["x"].type.kind == kind


ODD_ROWS = [
    ([[1, 2]], "line 1: a row is a dict.*got list"),
    (np.ones((2, 2)), "line 1: a row is a dict.*got ndarray"),
    ([{"x": 1}, {"x": np.ones(2)}], "line 2, column 'x': a cell holds one number or text; got ndarray"),
    ([{"x": [1]}], "line 1, column 'x': a cell holds one number or text; got list"),
]


@pytest.mark.parametrize(("rows", "words"), ODD_ROWS)
def test_rows_that_are_none_are_named(rows, words):
    with pytest.raises(DTypeError, match=words):
        table_from_rows(rows)


ALMOST = '{"format": "pullback.schema/1"'
NO_SCHEMAS = ["", "[]", "{}", "not json", ALMOST + "}", ALMOST + ', "columns": [3], "missing": [], "decimal": "."}']


@pytest.mark.parametrize("content", NO_SCHEMAS)
def test_a_file_without_a_schema_is_named(tmp_path, content):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(DataError):
        Schema.load(tmp_path / "s.json")
