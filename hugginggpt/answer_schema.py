"""Which JSON schemas an answer can be asked to keep to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hugginggpt.text import counted, one_line

if TYPE_CHECKING:
    from referencing._core import Resolver  # referencing exports no name for it

MOST_CHARS = 20_000
"""The longest schema, as JSON."""

MOST_PARTS = 2_000
"""The most values in a schema. Comparing them with each other takes a time that grows with their square."""

MOST_APPLIED = 500
"""The most schemas that may apply to one and the same value, counting each as often as references lead to it."""

MOST_STEPS = 50
"""The most references and alternatives that may lead on from each other without a step into the value."""

_SHOWN_CHARS = 80
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")
_CONDITIONS = ("not", "if", "then", "else")


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Why a schema cannot be used; None if it can. This takes a second at most.

    Args:
        schema: a JSON schema (draft 2020-12) of an object, without references to other documents.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if schema.get("type") != "object":
        return 'its type has to be "object"'
    try:
        if len(json.dumps(schema)) > MOST_CHARS:
            return f"it is longer than {MOST_CHARS:,} characters"
        if sum(1 for _ in _values(schema)) > MOST_PARTS:
            return f"it has more than {MOST_PARTS:,} values"
        if any(not ref.startswith("#") for ref in _references(schema)):
            return "it refers to another document, which is not fetched"
        Draft202012Validator.check_schema(schema)
        _Applied(schema).check()
    except SchemaError as error:
        return one_line(error.message, _SHOWN_CHARS)
    except _UnusableReferenceError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    except (ArithmeticError, TypeError, ValueError) as error:  # of patterns, numbers and ids that nothing can read
        return one_line(str(error), _SHOWN_CHARS)
    return None


def resolver_of(schema: Mapping[str, Any]) -> Resolver[Any]:
    """What finds the parts of a schema that its references lead to."""
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    root = DRAFT202012.create_resource(schema)
    registry: Registry[Any] = Registry().with_resource(root.id() or "", root).crawl()
    return registry.resolver(root.id() or "")


class _UnusableReferenceError(Exception):
    """A reference leads nowhere, or to too much."""


class _Applied:
    """Follows the references and alternatives of a schema, as whoever checks a value has to."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from referencing.jsonschema import DRAFT202012

        self._resource = DRAFT202012.create_resource
        self._found: list[tuple[Any, Resolver[Any]]] = [(schema, resolver_of(schema))]
        self._measured: dict[int, tuple[int, int] | None] = {}  # None while the schema is followed

    def check(self) -> None:
        """Raise an _UnusableReferenceError if a reference of any part of the schema cannot be followed."""
        seen: set[int] = set()
        while self._found:
            schema, resolver = self._found.pop()
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            self._measure(schema, resolver)
            for inside in self._resource(schema).subresources():
                self._found.append((inside.contents, resolver.in_subresource(inside)))

    def _measure(self, schema: Any, resolver: Resolver[Any]) -> tuple[int, int]:
        """How many schemas apply to a value that this one applies to, and how many steps lead to the farthest."""
        if not isinstance(schema, dict):
            return 1, 1
        if id(schema) in self._measured:
            known = self._measured[id(schema)]
            if known is None:
                raise _UnusableReferenceError("a reference in it leads back to itself")
            return known
        self._measured[id(schema)] = None
        inner = [self._measure(*part) for part in self._parts(schema, resolver)]
        applied, steps = 1 + sum(size for size, _ in inner), 1 + max((steps for _, steps in inner), default=0)
        if applied > MOST_APPLIED:
            raise _UnusableReferenceError(f"more than {MOST_APPLIED:,} schemas in it apply to the same value")
        if steps > MOST_STEPS:
            raise _UnusableReferenceError(f"its references lead on more than {counted(MOST_STEPS, 'time')}")
        self._measured[id(schema)] = applied, steps
        return applied, steps

    def _parts(self, schema: Mapping[str, Any], resolver: Resolver[Any]) -> Iterator[tuple[Any, Resolver[Any]]]:
        """The schemas that apply to the same value as this one."""
        parts = [part for name in _ALTERNATIVES for part in schema.get(name, ())]
        parts += [schema[name] for name in _CONDITIONS if name in schema]
        parts += schema.get("dependentSchemas", {}).values()
        for part in parts:
            yield part, resolver.in_subresource(self._resource(part))
        for name in ("$ref", "$dynamicRef"):
            if name in schema:
                yield self._referred(schema[name], resolver)

    def _referred(self, reference: str, resolver: Resolver[Any]) -> tuple[Any, Resolver[Any]]:
        from referencing.exceptions import Unresolvable

        shown = one_line(reference, _SHOWN_CHARS)
        try:
            resolved = resolver.lookup(reference)
        except (Unresolvable, LookupError, TypeError, ValueError):
            raise _UnusableReferenceError(f"its reference {shown} leads nowhere") from None
        if not isinstance(resolved.contents, dict | bool):
            raise _UnusableReferenceError(f"its reference {shown} does not lead to a schema")
        self._found.append((resolved.contents, resolved.resolver))
        return resolved.contents, resolved.resolver


def _references(schema: Any) -> Iterator[str]:
    for value in _values(schema):
        if isinstance(value, dict):
            yield from (value[name] for name in ("$ref", "$dynamicRef") if isinstance(value.get(name), str))


def _values(data: Any) -> Iterator[Any]:
    """Everything in a structure of lists and dictionaries, and the structure itself."""
    left = [data]
    while left:
        value = left.pop()
        yield value
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
