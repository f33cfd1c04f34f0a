"""Writes the schema into `docs/trace.md`: `python -m hugginggpt.trace.document`. A test keeps it current."""

import inspect
import re

from sqlalchemy import Column
from sqlalchemy.dialects import sqlite

from hugginggpt.settings import CHECKOUT
from hugginggpt.trace.tables import Base

PAGE = CHECKOUT / "docs" / "trace.md"

_GENERATED = re.compile(r"(<!-- schema -->\n).*?(<!-- /schema -->)", re.DOTALL)


def schema() -> str:
    """Every table with its description and columns, as Markdown."""
    models = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
    return "\n".join(
        f"### {table.name}\n\n{inspect.getdoc(models[table.name])}\n\n"
        + "| column | type | meaning |\n| --- | --- | --- |\n"
        + "".join(_row(column) for column in table.columns)
        for table in Base.metadata.tables.values()
    )


def updated(page: str) -> str:
    """The page with the present schema between its marks."""
    return _GENERATED.sub(lambda match: f"{match[1]}\n{schema()}\n{match[2]}", page)


def _row(column: Column[object]) -> str:
    kind = str(column.type.compile(sqlite.dialect())).lower()
    meaning = [column.doc or ""]
    if column.primary_key:
        meaning.append("primary key")
    meaning += [
        f"refers to `{key.target_fullname}`" for key in sorted(column.foreign_keys, key=lambda k: k.target_fullname)
    ]
    return f"| `{column.name}` | {kind}{' or null' if column.nullable else ''} | {'; '.join(filter(None, meaning))} |\n"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text("utf-8")), "utf-8")
