"""Every wrong file, column, value or name gets one clear line and exit code 2."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command, Trained, write_flats

# Each row: the arguments, with {flats} and the like for files that are there, and words of the line.
ROWS = [
    ("train", "say what to train: a recipe (digits, digits-plain, digits-cnn,"),
    ("train digit", "there is no recipe 'digit'. Did you mean 'digits'?"),
    ("train no.toml", "no.toml does not exist."),
    ("train {flats}", "a table is given as --data"),
    ("train .", "is a folder; to go on with an interrupted run add --resume"),
    ("trian digits", "No such command 'trian'. Did you mean 'train'?"),
    ("train digits --epoch 3", "No such option: --epoch (Possible options: --epochs)"),
    ("train digits --epochs ten", "Invalid value for '--epochs'"),
    ("train digits --epochs 0", "--epochs: epochs must be at least 1; got 0"),
    ("train digits --lr -1", "--lr: lr must be above 0; got -1"),
    ("train digits --lr nan", "--lr: lr must be above 0; got nan"),
    ("train digits --batch-size 0", "--batch-size: batch_size must be at least 1; got 0"),
    ("train digits --hidden 12x", "--hidden: sizes are whole numbers with commas, such as 512,256; got '12x'"),
    ("train digits --hidden 12,0", "--hidden: every entry of hidden must be at least 1; got 0"),
    ("train digits --dropout 1", "--dropout: dropout must be at least 0 and below 1; got 1.0"),
    ("train digits --activation rleu", "--activation: activation must be one of"),
    ("train digits --activation rleu", "Did you mean 'relu'?"),
    ("train digits --optimizer adanw", "there is no optimizer 'adanw'. Did you mean 'adamw'?"),
    ("train digits --schedule onecycle", "there is no schedule 'onecycle'. Did you mean 'one-cycle'?"),
    ("train digits --weight-decay -1", "weight_decay"),
    ("train digits --seed -1", "--seed: seed must be at least 0; got -1"),
    ("train digits --set optimizer.momentun=0.9", "there is no setting 'momentun' in [optimizer]."),
    ("train digits --set trainin.epochs=3", "there is no setting 'trainin'. Did you mean 'training'?"),
    ("train digits --set epochs", "--set takes setting=value, such as optimizer.momentum=0.9; got 'epochs'"),
    ("train digits --set training=3", "training is a table"),
    ("train digits --set seed=1 --set seed.x=2", "seed is one setting and has none inside"),
    ("train digits --optimizer lion --set optimizer.betas=[0.9]", "betas must be a list of 2 numbers; got [0.9]"),
    ("train --data {flats}", "name the column to predict with --target; there are id, size"),
    ("train --data {flats} --target prize", "there is no column 'prize'. Did you mean 'price'?"),
    ("train --data {flats} --target note", "column 'note' holds text"),
    ("train --data {flats} --target sold --task regression", "regression needs numbers"),
    ("train --data {flats} --target price --task clasification", "Did you mean 'classification'?"),
    ("train --data {flats} --target price --exclude sizes", "there is no column 'sizes'. Did you mean 'size'?"),
    ("train --data {stray} --target price", "line 122, column 'size': 'oops' is no finite number"),
    ("train --data {stray} --target price", "--missing oops; if the column names categories, --categories size;"),
    ("train --data flat.csv --target price", "flat.csv does not exist."),
    ("train --data {header} --target price", "header.csv has no rows: it holds the names of the columns"),
    ("predict {prices} {header}", "header.csv has no rows: it holds the names of the columns"),
    ("evaluate {prices} --data {header}", "header.csv has no rows: it holds the names of the columns"),
    ("train --data {comma} --target price", "column 'size': '50,5' is written with a comma; write numbers with"),
    ("train --data {comma} --target price", "--categories size; to leave the column out, --exclude size"),
    ("train --data {binary} --target price", "such as latin-1, save it as UTF-8"),
    ("train --data {flats} --target note", "make its texts classes: --categories note"),
    ("train --data {tiny} --target price", "too few for training, validation and test"),
    ("train --data {png} --target price", "no reader knows this ending."),
    ("train --data {unlabelled} --target price", "is npz; a table to train on is a CSV file"),
    ("train --data {unknown} --target price", "no reader knows this ending."),
    ("train digits --data {flats} --target price", "digits is a recipe for digits; for a table leave it out"),
    ("train digits --target price", "digits have no columns"),
    ("train digits --resume --out nowhere", "no run of 'digits' in nowhere was interrupted"),
    ("train {digits} --resume", "was trained to its end; there is nothing to resume"),
    ("train digits --resume --epochs 3", "a resumed run keeps all of its settings"),
    ("evaluate runs/none", "there is no run folder runs/none"),
    ("evaluate {near}", "Did you mean 'digits-"),
    ("evaluate {folder}", "is no run folder: it has no config.toml"),
    ("evaluate {prices} --data {digits_npz}", "is a zip archive"),
    ("evaluate {prices} --data {without}", "column 'price' is missing."),
    ("evaluate {digits} --data {unlabelled}", "does not say which digits these are"),
    ("evaluate {digits} --data {flats}", "digits are pictures"),
    ("predict {prices} {empty}", "is empty: not even a line with the names of the columns"),
    ("predict {prices} {strange}", "line 3, column 'quarter': 'nroth' is none of the 3 known categories."),
    ("predict {prices} {strange}", "Did you mean 'north'?"),
    ("predict {prices} {words}", "line 2, column 'rooms': 'many'"),
    ("predict {prices} {flats} {flats}", "one CSV file at a time; got 2"),
    ("predict {prices} no.csv", "no.csv does not exist."),
    ("predict {prices} {flats} --out no/such/folder.csv", "the folder to write into does not exist"),
    ("predict {digits} {noise}", "has the shape (3, 5, 5); digits are (n, 28, 28) or (n, 784)"),
    ("predict {digits} {bright}", "has values from 0 to 9; pixels are 0 to 255, or floats from 0 to 1"),
    ("predict {digits} {text_png}", "cannot be read as an image"),
    ("predict {digits} {blank}", "shows no digit: its pixels are all alike"),
    ("predict {digits}", "Missing argument"),
    ("source {folder}", "is no run folder"),
    ("gradcheck {folder}", "is no run folder"),
]


@pytest.fixture(scope="module")
def files(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files with one thing wrong in each, by the name that the rows give them."""
    folder = tmp_path_factory.mktemp("wrong")
    flats = trained.flats.read_text().splitlines()
    texts = {
        "empty.csv": "",
        "header.csv": flats[0] + "\n",
        "comma.csv": "size;price\n" + "\n".join(f"{50 + i % 30},5;{i}" for i in range(60)),
        "tiny.csv": "\n".join(flats[:5]),
        "without.csv": "\n".join(line.rsplit(",", 2)[0] for line in flats),
        "strange.csv": "\n".join([*flats[:2], flats[2].replace(flats[2].split(",")[3], "nroth")]),
        "words.csv": "\n".join([flats[0], "1,50,many,north,no,x,100,quickly"]),
        "stray.csv": "\n".join([*flats, "200,oops,3,north,no,x,100,quickly"]),
        "unknown.xyz": "a,b",
        "text_png.png": "no picture",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "binary.csv").write_bytes(b"a,price\n1,\xfc\n")
    np.savez(folder / "digits_npz.npz", images=np.zeros((2, 28, 28), np.uint8), labels=np.zeros(2, int))
    np.savez(folder / "unlabelled.npz", images=np.zeros((2, 28, 28), np.uint8))
    np.save(folder / "noise.npy", np.zeros((3, 5, 5)))
    np.save(folder / "bright.npy", np.linspace(0, 9, 784))
    save_blank(folder / "blank.png")
    save_blank(folder / "png.png")
    write_flats(folder / "flats.csv", 20)
    found = {path.stem: str(path) for path in folder.iterdir()}
    runs = {"digits": trained.digits, "prices": trained.prices, "sales": trained.sales, "flats": trained.flats}
    near = trained.digits.parent / trained.digits.name.replace("digits", "digit")
    return {**found, **{name: str(path) for name, path in runs.items()}, "folder": str(folder), "near": str(near)}


def save_blank(path: Path) -> None:
    from PIL import Image

    Image.new("L", (40, 40), 255).save(path)


@pytest.mark.parametrize(("line", "words"), ROWS)
def test_one_line_and_code_2(
    line: str, words: str, files: dict[str, str], pullback: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = pullback(*line.format(**files).split())
    assert result.code == 2, result
    assert words in result.err
    assert result.err.count("\n") == 1
    assert result.err.startswith("pullback: ")
    assert result.out == ""
    assert list(tmp_path.iterdir()) == [], "nothing is left behind by a command that could not begin"


def test_many_wrong_settings_get_a_line_each(pullback: Command, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('epochs = 3\n[model]\nhiden = [3]\n\n[training]\nepochs = "many"\n  batch_size = 2.5\n')
    result = pullback("train", path)
    lines = result.err.splitlines()
    assert result.code == 2
    assert len(lines) == 4
    assert f"pullback: {path}, line 1: there is no setting 'epochs'" in lines[0]
    assert f"{path}, line 3: there is no setting 'hiden' in [model]. Did you mean 'hidden'?" in lines[1]
    assert f'{path}, line 6: epochs must be a whole number; got "many"' in lines[2]
    assert f"{path}, line 7: batch_size must be a whole number; got 2.5" in lines[3]


def test_broken_toml_names_the_line(pullback: Command, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("seed = 1\n[model\n")
    result = pullback("train", path)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is not TOML" in result.err
    assert "line 2" in result.err


def test_changed_data_is_noticed(trained: Trained, pullback: Command) -> None:
    content = trained.flats.read_bytes()
    try:
        trained.flats.write_bytes(content + b"\n")
        result = pullback("evaluate", trained.prices)
    finally:
        trained.flats.write_bytes(content)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "has changed since" in result.err


def test_error_of_ours_has_code_1_and_a_traceback_with_debug(
    pullback: Command, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("pullback.train.run_folder.RunFolder.about", broken)
    result = pullback("evaluate", trained.digits)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "ZeroDivisionError: planted. Add --debug to see where" in result.err
    with pytest.raises(ZeroDivisionError):
        pullback("--debug", "evaluate", trained.digits)
