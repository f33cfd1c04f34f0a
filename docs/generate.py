"""Writes the parts of the docs about commands, settings, kinds, tables and the example plugin from the code itself.

`make docs` updates the pages, and `python docs/generate.py --check`, which a test runs, fails if they are out of date.
Only what is between the `<!-- generated -->` marks of a page is replaced.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from sqlalchemy import Column
from sqlalchemy.dialects import sqlite

import hugginggpt.trace.tables  # noqa: F401 - it fills the metadata
from apps.cli.main import main as command_line
from apps.cli.text import size
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.kinds import KindSupport, supported_kinds
from hugginggpt.plan.notation import word_of
from hugginggpt.settings import Settings
from hugginggpt.trace.columns import Base

FOLDER = Path(__file__).parent
WIDTH = 80
_GENERATED = re.compile(r"(<!-- generated -->\n).*?(<!-- /generated -->)", re.DOTALL)


def commands() -> str:
    """The help of every command."""
    return "\n".join(_help(command_line, None, "hugginggpt"))


def _help(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name, terminal_width=WIDTH, **command.context_settings)
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            assert inner is not None
            yield from _help(inner, context, each)


def settings() -> str:
    """Every setting with its default, by section."""
    return "\n".join(_section(section) for section in Settings.__bases__ if issubclass(section, BaseSettings))


def _section(section: type[BaseSettings]) -> str:
    title = (inspect.getdoc(section) or "").rstrip(".")
    rows = [_setting(name, field) for name, field in section.model_fields.items()]
    return f"## {title}\n\n| variable | default | meaning |\n| --- | --- | --- |\n" + "".join(rows)


def _setting(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"HUGGINGGPT_{name.upper()}"
    if field.default_factory is not None:
        default = "measured"
    else:
        default = "" if field.default in (None, ()) else f"`{field.default}`"
    return f"| `{variable}` | {default} | {field.description} |\n"


def kinds() -> str:
    """Every kind of AI task, its inputs and outputs, where it runs, and its default model."""
    head = "| kind | what it does | inputs | outputs | runs | default model | size |\n"
    return head + "| --- | --- | --- | --- | --- | --- | --- |\n" + "".join(map(_kind, supported_kinds()))


def _kind(row: KindSupport) -> str:
    capability, default = row.capability, row.default
    inputs = "; ".join(
        f"{i.name}{'' if i.name == i.type else f' ({i.type})'}{'' if i.required else ', optional'}"
        for i in capability.inputs
    )
    model = default.id if default else "the controller" if row.runtimes else "—"
    weight = size(default.bytes) if default and default.bytes else ""
    cells = (capability.kind, capability.description, inputs, ", ".join(capability.outputs))
    return f"| {' | '.join(cells)} | {', '.join(row.runtimes) or '—'} | {model} | {weight} |\n"


def words() -> str:
    """The word for each kind in pipeline notation."""
    cells = [f"`{word_of(capability)}` {kind}" for kind, capability in CAPABILITIES.items()]
    rows = (cells[n : n + 3] for n in range(0, len(cells), 3))
    return "| | | |\n| --- | --- | --- |\n" + "".join(f"| {' | '.join([*row, '', ''][:3])} |\n" for row in rows)


def tables() -> str:
    """Every table of the trace with its description and columns."""
    models = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
    return "\n".join(
        f"### {table.name}\n\n{inspect.getdoc(models[table.name])}\n\n"
        + "| column | type | meaning |\n| --- | --- | --- |\n"
        + "".join(_column(column) for column in table.columns)
        for table in Base.metadata.tables.values()
    )


def _column(column: Column[object]) -> str:
    kind = str(column.type.compile(sqlite.dialect())).lower()
    meaning = [column.doc or ""]
    if column.primary_key:
        meaning.append("primary key")
    meaning += [f"refers to `{key}`" for key in sorted(key.target_fullname for key in column.foreign_keys)]
    return f"| `{column.name}` | {kind}{' or null' if column.nullable else ''} | {'; '.join(filter(None, meaning))} |\n"


def example() -> str:
    """The files of the example plugin."""
    folder = FOLDER.parent / "examples" / "extending"
    files = (("hugginggpt_patterns.py", "python"), ("pyproject.toml", "toml"))
    return "\n".join(
        f"`{name}`\n\n```{language}\n{(folder / name).read_text('utf-8')}```\n" for name, language in files
    )


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands,
    "embedded-planner.md": words,
    "extending.md": example,
    "kinds.md": kinds,
    "settings.md": settings,
    "trace.md": tables,
}


def updated(page: str, content: str) -> str:
    """The page with new content between its marks."""
    return _GENERATED.sub(lambda match: f"{match[1]}\n{content}\n{match[2]}", page)


def main(check: bool) -> int:
    """Write the pages that are out of date, or only list them; return the exit code."""
    pages = {FOLDER / name: content() for name, content in PAGES.items()}
    now = {path: path.read_text("utf-8") for path in pages}
    stale = {path: new for path, content in pages.items() if (new := updated(now[path], content)) != now[path]}
    for path, new in stale.items():
        print(f"docs/{path.name} {'is out of date: run make docs' if check else 'written'}")
        if not check:
            path.write_text(new, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
