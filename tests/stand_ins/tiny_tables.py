"""Small models of scikit-learn in the skops format, trained on data that comes with the library."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from tests.stand_ins.tiny_models import card

WINE, DIABETES, STRANGE, PICKLED_TABLE = "tiny/wine", "tiny/diabetes", "tiny/strange-table", "tiny/pickled-table"


def wine() -> Any:
    """Measurements of 178 wines from three growers, as a DataFrame with the column `target`."""
    from sklearn.datasets import load_wine

    return load_wine(as_frame=True).frame


def diabetes() -> Any:
    """Measurements of 442 people, and how their diabetes went on a year later, in the column `target`."""
    from sklearn.datasets import load_diabetes

    return load_diabetes(as_frame=True).frame


def _save(folder: Path, task: str, estimator: Any, columns: list[str]) -> None:
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(estimator, folder / "model.skops")
    described = {"sklearn": {"columns": columns, "model": {"file": "model.skops"}, "task": task}}
    (folder / "config.json").write_text(json.dumps(described), encoding="utf-8")
    card(folder, task, library="sklearn")


def build_all(root: Path) -> Path:
    """Write a classifier, a regressor, one with a function of its own in it, and one as a pickle."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    growers = wine()
    columns = [name for name in growers.columns if name != "target"]
    forest = RandomForestClassifier(20, random_state=0).fit(growers[columns], growers["target"])
    _save(root / WINE, "tabular-classification", forest, columns)
    people = diabetes()
    measured = [name for name in people.columns if name != "target"]
    line = make_pipeline(StandardScaler(), Ridge()).fit(people[measured], people["target"])
    _save(root / DIABETES, "tabular-regression", line, measured)
    strange = make_pipeline(FunctionTransformer(_of_its_own), Ridge()).fit(people[measured], people["target"])
    _save(root / STRANGE, "tabular-regression", strange, measured)
    pickled = root / PICKLED_TABLE
    pickled.mkdir(parents=True)
    (pickled / "model.pkl").write_bytes(pickle.dumps(line))
    (pickled / "config.json").write_text("{}", encoding="utf-8")
    card(pickled, "tabular-regression", library="sklearn")
    return root


def _of_its_own(values: Any) -> Any:
    return values
