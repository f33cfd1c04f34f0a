"""Contents as JSON, on their way out of the process that reads."""

from __future__ import annotations

import json
from dataclasses import asdict

from hugginggpt.documents.model import Contents, Page
from hugginggpt.media.values import Table


def encoded(contents: Contents) -> bytes:
    """The contents as JSON."""
    return json.dumps(asdict(contents)).encode()


def decoded(data: bytes) -> Contents:
    """The contents that `encoded` wrote."""
    fields = json.loads(data)
    return Contents(
        pages=tuple(Page(**page) for page in fields["pages"]),
        tables=tuple(
            Table(tuple(table["columns"]), tuple(map(tuple, table["rows"])), name=table["name"])
            for table in fields["tables"]
        ),
        has_pictures=fields["has_pictures"],
        notes=tuple(fields["notes"]),
        best=fields["best"],
    )
