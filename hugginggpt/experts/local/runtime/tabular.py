"""Models of scikit-learn in the skops format, which contains no pickles."""

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError, ModelLoadError
from hugginggpt.experts.base import ExpertContext, Inputs
from hugginggpt.experts.inputs import table_with_rows
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.media import Table
from hugginggpt.media.numbers import is_missing, numeric_columns
from hugginggpt.models.card import ModelCard

_TREE = "sklearn.tree._tree.Tree"
"""The nodes of decision trees: plain numbers, which scikit-learn follows without checking them."""


@dataclass(frozen=True)
class TabularModel:
    """A model of scikit-learn.

    Attributes:
        estimator: from scikit-learn.
        columns: the columns it was trained on, in order; empty if unknown.
    """

    estimator: Any
    columns: tuple[str, ...]


class TabularExpert(LocalExpert):
    """Predicts a value for each row of a table, with a model that was saved with skops."""

    packages = ("skops", "sklearn", "pandas")
    pool_key = "scikit-learn"

    def load(self, card: ModelCard, context: ExpertContext) -> TabularModel:
        """Load the model, provided it holds only trusted types."""
        from hugginggpt.experts.local.runtime.download import fetch_model

        folder = context.folders.get(card.id) or fetch_model(card, context.settings)
        config = _config(folder)
        path = _model_file(card, folder, config)
        import skops.io

        unknown = set(skops.io.get_untrusted_types(file=path)) - {_TREE}
        if unknown:
            named = ", ".join(sorted(map(str, unknown))[:3])
            raise ModelLoadError(f"The model {card.id} contains {named}, which could run code: choose another.")
        estimator = skops.io.load(path, trusted=[_TREE])
        if not all(_is_sound(tree) for tree in _trees(estimator)):
            raise ModelLoadError(f"A decision tree of the model {card.id} points outside itself: choose another.")
        return TabularModel(estimator, _columns(estimator, config))

    def prepare(self, inputs: Inputs) -> Any:
        return table_with_rows(inputs)

    def run(self, model: TabularModel, prepared: Table, deadline: Deadline) -> Any:
        rows = _fitting(prepared, model.columns)
        with computing(deadline):
            try:
                return self.predict(model.estimator, rows)
            except ValueError as error:
                # Some models take missing values, and nothing says beforehand which do.
                if "NaN" not in str(error) or not rows.isna().any(axis=None):
                    raise
                raise ExpertError(_lacking(prepared, rows)) from error

    @abstractmethod
    def predict(self, estimator: Any, rows: Any) -> Sequence[Any]:
        """One prediction for each row.

        Args:
            estimator: from scikit-learn.
            rows: a DataFrame with the columns that it was trained on.
        """


def table_lines(inputs: Inputs) -> list[int]:
    """The line of its file for each row of the table."""
    table: Table = inputs["table"]
    return [table.line_of(row) for row in range(len(table.rows))]


def table_notes(inputs: Inputs) -> list[str]:
    """How ambiguous numbers of the table were read, one sentence for each column."""
    return [column.note for column in numeric_columns(inputs["table"]).values() if column.note]


def _lacking(table: Table, rows: Any) -> str:
    row, column = (int(places[0]) for places in rows.isna().to_numpy().nonzero())
    return (
        f"The model needs every value, and {rows.columns[column]} is missing in row {table.line_of(row)} of the table: "
        "fill it in, or choose another model."
    )


def _trees(part: Any) -> Iterator[Any]:
    """All trees in an estimator, at any depth."""
    import numpy as np
    from sklearn.base import BaseEstimator
    from sklearn.tree._tree import Tree

    if isinstance(part, Tree):
        yield part
    elif isinstance(part, BaseEstimator):
        yield from (tree for value in vars(part).values() for tree in _trees(value))
    elif isinstance(part, dict):
        yield from (tree for value in part.values() for tree in _trees(value))
    elif isinstance(part, list | tuple) or (isinstance(part, np.ndarray) and part.dtype == object):
        yield from (tree for value in part for tree in _trees(value))


def _is_sound(tree: Any) -> bool:
    """Whether every node is a leaf, or leads to later nodes and tests a column that exists."""
    import numpy as np

    nodes = np.arange(tree.node_count)
    ends = tree.children_left == -1
    if not np.array_equal(ends, tree.children_right == -1):
        return False
    children = (tree.children_left, tree.children_right)
    left, right = ((nodes < child) & (child < tree.node_count) for child in children)
    asked = (tree.feature >= 0) & (tree.feature < tree.n_features)
    return bool((ends | (left & right & asked)).all())


def _config(folder: Path) -> dict[str, Any]:
    """The description of the model that skops wrote: the block "sklearn" of config.json."""
    path = folder / "config.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    block = content.get("sklearn", {}) if isinstance(content, dict) else {}
    return block if isinstance(block, dict) else {}


def _model_file(card: ModelCard, folder: Path, config: dict[str, Any]) -> Path:
    files = sorted(folder.glob("*.skops"))
    named = str((config.get("model") or {}).get("file", ""))
    path = next((file for file in files if file.name == named), files[0] if files else None)
    if path is None:
        raise ModelLoadError(
            f"The model {card.id} has no file in the skops format, and pickles are never loaded: choose another."
        )
    return path


def _columns(estimator: Any, config: dict[str, Any]) -> tuple[str, ...]:
    told = config.get("columns") or list(getattr(estimator, "feature_names_in_", ()))
    return tuple(str(column) for column in told)


def _fitting(table: Table, columns: Sequence[str]) -> Any:
    """The rows of the table with the model's columns in the model's order, and numbers as numbers.

    Upper and lower case do not matter; columns that the model does not know are left out.
    """
    import pandas

    if columns:
        places = {_plain(name): at for at, name in enumerate(table.columns)}
        missing = [column for column in columns if _plain(column) not in places]
        if missing:
            raise ExpertError(f"The table lacks the columns {', '.join(missing)}, which the model needs: add them.")
        found = [places[_plain(column)] for column in columns]
    else:
        found = list(range(len(table.columns)))
    numeric = numeric_columns(table)
    values = [_numbers(numeric[at].values) if at in numeric else _texts(table, at) for at in found]
    # Names may repeat, so they are set afterwards.
    frame = pandas.concat(
        [
            pandas.Series(value, dtype=None if at in numeric else object)
            for at, value in zip(found, values, strict=True)
        ],
        axis=1,
    )
    return frame.set_axis(list(columns or range(len(found))), axis=1)


def _numbers(values: Sequence[float | None]) -> Any:
    import numpy as np

    return np.array(values, np.float64)


def _texts(table: Table, at: int) -> list[str | None]:
    return [None if is_missing(cell) else cell for cell in (row[at].strip() for row in table.rows)]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
