"""Local experts on tables: scikit-learn's models, and no code of strangers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hugginggpt.errors import ExpertError, ModelLoadError
from hugginggpt.media import Structured, Table
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, run
from tests.stand_ins import tiny_tables
from tests.stand_ins.tiny_tables import DIABETES, PICKLED_TABLE, STRANGE, WINE, diabetes, wine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[Settings]:
    with hub_of(tiny_tables.build_all, folder) as settings:
        yield settings


def table(frame: Any, rows: slice = slice(None)) -> Table:
    without = frame.drop(columns="target").iloc[rows]
    return Table(tuple(without.columns), tuple(tuple(map(str, row)) for row in without.itertuples(index=False)))


def ask(settings: Settings, kind: str, model: str, given: Table) -> Structured:
    (result,) = run(settings, kind, model, table=given)
    assert isinstance(result, Structured)
    return result


def test_rows_are_classified_as_scikit_learn_classifies_them(settings: Settings, folder: Path) -> None:
    import skops.io

    found = ask(settings, "tabular-classification", WINE, table(wine()))
    direct = skops.io.load(folder / "models" / WINE / "model.skops", trusted=["sklearn.tree._tree.Tree"])
    values = wine().drop(columns="target")
    assert [e["label"] for e in found.data] == [str(label) for label in direct.predict(values)]
    assert [e["score"] for e in found.data] == pytest.approx(direct.predict_proba(values).max(axis=1).tolist())
    assert [e["row"] for e in found.data] == list(range(2, 180))
    assert sum(int(e["label"]) == t for e, t in zip(found.data, wine()["target"], strict=True)) > 170
    assert found.text.startswith("71 × 1, 59 × 0, 48 × 2. row 2: 0; row 3: 0;") and found.text.endswith("and so on.")


def test_numbers_are_predicted_as_scikit_learn_predicts_them(settings: Settings, folder: Path) -> None:
    import skops.io

    found = ask(settings, "tabular-regression", DIABETES, table(diabetes(), slice(0, 3)))
    direct = skops.io.load(folder / "models" / DIABETES / "model.skops")
    wanted = direct.predict(diabetes().drop(columns="target").iloc[:3])
    assert [e["value"] for e in found.data] == pytest.approx(wanted.tolist())
    assert found.text == "; ".join(f"row {n}: {value:.6g}" for n, value in enumerate(wanted, start=2)) + "."


def test_columns_are_found_by_name_in_any_order_and_writing(settings: Settings) -> None:
    given = table(wine(), slice(0, 5))
    plain = ask(settings, "tabular-classification", WINE, given)
    turned = Table(
        ("note", *(name.upper().replace("_", " ") for name in reversed(given.columns))),
        tuple(("x", *(cell.replace(".", ",") for cell in reversed(row))) for row in given.rows),
    )
    assert ask(settings, "tabular-classification", WINE, turned).data == plain.data


def test_numbers_are_read_by_column(settings: Settings) -> None:
    given = table(wine(), slice(0, 5))
    plain = ask(settings, "tabular-classification", WINE, given)
    at = given.columns.index("proline")
    cells = [f"{float(row[at]):,.0f}" for row in given.rows]
    assert "1,065" in cells and "735" in cells
    written = Table(given.columns, tuple((*r[:at], c, *r[at + 1 :]) for r, c in zip(given.rows, cells, strict=True)))
    assert ask(settings, "tabular-classification", WINE, written).data == plain.data


@pytest.mark.parametrize("missing", ["", "NA", "nan", "inf", "–"])
def test_a_missing_value_is_named_if_the_model_needs_it(settings: Settings, missing: str) -> None:
    given = table(diabetes(), slice(0, 3))
    lines = (given.rows[0], (missing, *given.rows[1][1:]), given.rows[2])
    with pytest.raises(ExpertError, match=f"needs every value, and {given.columns[0]} is missing in row 3 of"):
        ask(settings, "tabular-regression", DIABETES, Table(given.columns, lines))


def test_rows_are_counted_as_in_the_file(settings: Settings) -> None:
    given = table(wine(), slice(0, 2))
    found = ask(settings, "tabular-classification", WINE, Table(given.columns, given.rows, (4, 9)))
    assert [entry["row"] for entry in found.data] == [4, 9]


def test_missing_columns_are_named(settings: Settings) -> None:
    given = table(wine(), slice(0, 2))
    less = Table(given.columns[2:], tuple(row[2:] for row in given.rows))
    with pytest.raises(ExpertError, match="lacks the columns alcohol, malic_acid, which the model needs"):
        ask(settings, "tabular-classification", WINE, less)


def test_a_table_without_rows_is_refused(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="no rows"):
        ask(settings, "tabular-classification", WINE, Table(("alcohol",), ()))


@pytest.mark.parametrize(
    ("kind", "model", "data", "problem"),
    [
        ("tabular-regression", WINE, wine, "predicts classes"),
        ("tabular-classification", DIABETES, diabetes, "predicts numbers"),
    ],
)
def test_a_model_of_the_other_kind_is_refused(
    settings: Settings, kind: str, model: str, data: Any, problem: str
) -> None:
    with pytest.raises(ExpertError, match=problem):
        ask(settings, kind, model, table(data(), slice(0, 2)))


def test_what_could_run_code_is_not_loaded(settings: Settings) -> None:
    with pytest.raises(ModelLoadError, match=r"contains .*_of_its_own, which could run code"):
        ask(settings, "tabular-regression", STRANGE, table(diabetes(), slice(0, 2)))
    with pytest.raises(ModelLoadError, match="can run code when they are loaded"):
        ask(settings, "tabular-regression", PICKLED_TABLE, table(diabetes(), slice(0, 2)))


def test_a_tree_that_points_outside_itself_is_not_followed(settings: Settings, folder: Path) -> None:
    import shutil
    import zipfile

    import numpy as np
    import skops.io
    from sklearn.tree import DecisionTreeClassifier

    bent = folder / "models" / "tiny" / "bent"
    shutil.copytree(folder / "models" / WINE, bent)
    growers = wine()
    tree = DecisionTreeClassifier(random_state=0).fit(growers.drop(columns="target"), growers["target"])
    skops.io.dump(tree, bent / "model.skops")
    # The nodes stand in one array of the file: make all of them point far away.
    with zipfile.ZipFile(bent / "model.skops") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    changed = 0
    for name, content in parts.items():
        if not name.endswith(".npy"):
            continue
        (folder / "part.npy").write_bytes(content)
        values = np.load(folder / "part.npy")
        if values.dtype.names and "left_child" in values.dtype.names:
            values["left_child"] = 10**9
            np.save(folder / "part.npy", values)
            parts[name] = (folder / "part.npy").read_bytes()
            changed += 1
    assert changed == 1
    with zipfile.ZipFile(bent / "model.skops", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(ModelLoadError, match="points outside itself"):
        ask(settings, "tabular-classification", "tiny/bent", table(wine(), slice(0, 2)))
