"""Keys in what a controller's server says show up nowhere: not in answers, logs, the trace or Prefect's database."""

import itertools
import logging
from pathlib import Path
from typing import Any

import pytest

from flows.answer import answer_request
from hugginggpt.errors import HuggingGPTError
from hugginggpt.request import RequestOptions
from hugginggpt.settings import get_settings
from tests.stand_ins.openai_server import (
    OpenAIServer,
    Reply,
    at_limit,
    broken_off,
    declined,
    error_in_success,
    redirected,
    text_error,
)

pytestmark = pytest.mark.slow

OURS = "sk-stand-in-planted-0123456789"
FOREIGN = "sk-proj-of-somebody-else-987654"
SAYING = (
    f"Wrong key {OURS}, also {FOREIGN}.",
    f"Authorization: Bearer {OURS} and api_key={FOREIGN}",
    f'{{"error": {{"message": "{OURS} {FOREIGN}"}}}}',
)


def outcomes() -> list[Any]:
    """What servers do, each with both keys in their words."""
    statuses = (400, 401, 402, 403, 404, 413, 422, 429, 500, 503)
    found: list[Any] = [Reply(status=status, message=words) for status in statuses for words in SAYING[:2]]
    for words in SAYING:
        found += [
            Reply(status=400, error=[{"error": {"message": words}}]),
            Reply(status=400, error={"detail": [{"loc": ["body", words], "msg": words}]}),
            Reply(status=503, error={"error": {"message": f"Loading model {words}"}}),
            Reply(status=400, code=words, param=words, message=words),
            text_error(words),
            error_in_success(words, 401),
            error_in_success(words, words),
            declined(words),
            redirected(f"https://{OURS}:{FOREIGN}@elsewhere/v1?key={FOREIGN}"),
            Reply(f"I was given {OURS} and have no plan"),
            at_limit(f"I was given {OURS}"),
            broken_off(),
            Reply(body=f"<html><title>{words}</title></html>".encode()),
            Reply("Good day", beside={"reasoning_content": words}),
        ]
    return found


def test_fifty_outcomes_leave_no_key(
    controller: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    controller.key = OURS
    for name, value in {"OPENAI_API_KEY": OURS, "HUGGINGGPT_CONTROLLER_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HUGGINGGPT_CONTROLLER_PATIENCE", "0")
    get_settings.cache_clear()
    said: list[str] = []
    tried = outcomes()
    assert len(tried) >= 50
    with caplog.at_level(logging.INFO):
        for number, outcome in enumerate(tried):
            stage = "plan" if number % 2 else "answer"
            controller.script = {"plan": {"tasks": []}} | {stage: outcome, "*": outcome}
            state = answer_request(f"Hello {number}", options=RequestOptions(fresh=True), return_state=True)
            result = state.result(raise_on_failure=False)
            said += [state.message or "", result.message if isinstance(result, HuggingGPTError) else str(result)]
    assert len(controller.calls) >= len(tried)
    said += [caplog.text, *capfd.readouterr()]
    stores = [get_settings().home_dir, *tmp_path_factory.getbasetemp().glob("prefect-server*")]
    files = [file for folder in stores for file in folder.rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in files)
    texts = itertools.chain(said, (file.read_bytes().decode("utf-8", "replace") for file in files))
    for text in texts:
        assert OURS not in text and FOREIGN not in text


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "trace.db").write_bytes(b"\x00\xff" + OURS.encode() + b"\xfe")
    assert OURS in (tmp_path / "trace.db").read_bytes().decode("utf-8", "replace")
