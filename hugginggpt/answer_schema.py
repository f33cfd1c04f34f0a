"""Which JSON schemas an answer can be asked to keep to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hugginggpt.text import one_line

MOST_CHARS = 20_000
"""The longest schema, as JSON."""

_SHOWN_CHARS = 80


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Why a schema cannot be used; None if it can.

    Args:
        schema: a JSON schema (draft 2020-12) of an object, without references to other documents.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if schema.get("type") != "object":
        return 'its type has to be "object"'
    if len(json.dumps(schema)) > MOST_CHARS:
        return f"it is longer than {MOST_CHARS:,} characters"
    if any(not ref.startswith("#") for ref in _references(schema)):
        return "it refers to another document, which is not fetched"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return one_line(error.message, _SHOWN_CHARS)
    return None


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, inside in schema.items():
            if name in ("$ref", "$dynamicRef") and isinstance(inside, str):
                yield inside
            yield from _references(inside)
    elif isinstance(schema, list):
        for inside in schema:
            yield from _references(inside)
