"""What a request may be and bring along, whichever way it comes in."""

from pathlib import Path

import pytest

from hugginggpt.acceptance import accept
from hugginggpt.artifacts import ArtifactStore
from hugginggpt.errors import UsageError
from hugginggpt.preview import preview
from hugginggpt.request import RequestOptions
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import Settings, get_settings
from hugginggpt.submission import parse_submission, submit

LONG = "Summarise it. " * 20


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that allow a short request with two files."""
    monkeypatch.setenv("HUGGINGGPT_MAX_REQUEST_CHARS", "100")
    monkeypatch.setenv("HUGGINGGPT_MAX_REQUEST_FILES", "2")
    reset()
    return get_settings()


@pytest.fixture
def notes(tmp_path: Path) -> str:
    path = tmp_path / "notes.txt"
    path.write_text("Buy milk.", "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "count", "named"),
    [
        (LONG, 0, "HUGGINGGPT_MAX_REQUEST_CHARS"),
        ("Summarise", 3, "HUGGINGGPT_MAX_REQUEST_FILES"),
        (" \n", 1, "The request is empty"),
    ],
)
def test_what_is_too_long_or_too_much_is_refused_before_anything_is_read(
    limited: Settings, notes: str, text: str, count: int, named: str
) -> None:
    files = (notes,) * count
    with pytest.raises(UsageError, match=named):
        accept(text, files, RequestOptions(), settings=limited, store=get_store())
    with pytest.raises(UsageError, match=named):
        preview(text, list(files))
    submission = parse_submission(b'{"request": "Later"}').model_copy(update={"request": text, "files": files})
    with pytest.raises(UsageError, match=named):
        submit(submission, limited, get_store(), get_trace())
    assert not list(get_store().stored())
    assert not get_trace().requests.latest()


def test_what_is_within_the_limits_is_accepted(limited: Settings, notes: str, tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"))
    accepted = accept("x" * 100, (notes, notes), RequestOptions(), settings=limited, store=store)
    assert [resource.name for resource in accepted.resources] == ["notes.txt", "notes-2.txt"]
    assert accepted.seconds >= 0
