"""What the literals of a plan name: files, results of earlier turns, and pages of documents."""

import re
from collections.abc import Sequence
from functools import lru_cache

from hugginggpt.artifacts import PREVIEW_CHARS, Artifact
from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.media import is_table
from hugginggpt.plan import Scalar
from hugginggpt.plan.notation import TEMPLATED
from hugginggpt.resource import Resource
from hugginggpt.text import composed

_PAGE = re.compile(r"(?P<name>.+)#page=(?P<first>[1-9]\d{0,4})(?:-(?P<last>[1-9]\d{0,4}))?", re.DOTALL)
"""One page of a document, or several, as in the address of a PDF (RFC 8118)."""


def find_resource(value: Scalar, wanted: Input, resources: Sequence[Resource]) -> Resource | None:
    """The resource that a literal names, by its name or by the path or URL it came from; None if it names none.

    A text input takes tables and structured results as their text, and a table input takes texts that hold a table.
    """
    if not isinstance(value, str):
        return None
    named = composed(value)
    for resource in resources:
        if named in (composed(resource.name), composed(resource.source)) and views_of(resource, wanted):
            return resource
    if (page := _PAGE.fullmatch(value)) is None:
        return None
    whole = find_resource(page["name"], wanted, resources)
    return whole if whole is not None and views_of(whole, wanted, value) else None


def named_file(value: object, resources: Sequence[Resource]) -> Resource | None:
    """The resource whose name or source a value is, letter by letter, whatever it may be used as; None for none."""
    return next((resource for resource in resources if value in (resource.name, resource.source)), None)


def pages_named(value: Scalar, resource: Resource) -> str:
    """The pages that a literal names besides the document, such as `#page=3`; "" if it names the whole."""
    page = _PAGE.fullmatch(str(value))
    if page is None or resource.parts is None or composed(str(value)) in (resource.name, composed(resource.source)):
        return ""
    return str(value)[page.end("name") :]


def pages_beyond(value: Scalar, wanted: Input, resources: Sequence[Resource]) -> str | None:
    """What a document is that has fewer pages than a literal names; None for any other literal."""
    page = _PAGE.fullmatch(str(value))
    whole = None if page is None else find_resource(page["name"], wanted, resources)
    if whole is None or whole.parts is None:
        return None
    return f"beyond the end of {whole.name}, which has {whole.parts.pages} pages"


def first_page_named(value: Scalar) -> int:
    """The first page that a literal names; 1 if it names none."""
    page = _PAGE.fullmatch(str(value))
    return int(page["first"]) if page else 1


def views_of(resource: Resource, wanted: Input, value: str = "", kind: str = "") -> tuple[Artifact, ...]:
    """What an input gets from a resource: of a document, all its parts of the input's type, or those that are named.

    A question takes sheets with the same columns as one table.
    """
    artifact, views = resource.artifact, resource.views(wanted.type)
    if not views and wanted.type is ValueType.TEXT:
        views = resource.views(ValueType.TABLE) or resource.views(ValueType.STRUCTURED)
    if not views and wanted.type is ValueType.TABLE and artifact.type is ValueType.TEXT:
        views = (artifact.model_copy(update={"type": ValueType.TABLE}),) if _holds_table(artifact.preview or "") else ()
    page = _PAGE.fullmatch(value) if resource.parts is not None else None
    if page is None:
        is_asked = kind in CAPABILITIES and CAPABILITIES[kind].answers
        return resource.joined_tables if is_asked and wanted.type is ValueType.TABLE and len(views) > 1 else views
    if wanted.type is ValueType.TABLE and resource.parts is not None and resource.parts.tables != resource.parts.pages:
        return views
    first, last = int(page["first"]), int(page["last"] or page["first"])
    if wanted.type is ValueType.TEXT:
        return tuple(view.model_copy(update={"mime": f"{view.mime}; pages={first}-{last}"}) for view in views)
    return views[first - 1 : last]


@lru_cache(maxsize=256)
def _holds_table(preview: str) -> bool:
    return is_table(preview, cut=len(preview) >= PREVIEW_CHARS)


def named_at_the_end(kind: str, value: Scalar, wanted: Input, resources: Sequence[Resource]) -> Resource | None:
    """The text file in a text such as `make it shorter: letter.txt`, for kinds that follow instructions."""
    if kind not in TEMPLATED or wanted.name != "text":
        return None
    text = composed(str(value))
    ending = [r for r in resources if text.endswith(f" {composed(r.name)}") and find_resource(r.name, wanted, [r])]
    return max(ending, key=lambda r: len(r.name), default=None)


def words_before(value: Scalar, ending: Resource) -> str:
    """What a text that ends with the name of a file says before it."""
    return composed(str(value)).removesuffix(composed(ending.name))
