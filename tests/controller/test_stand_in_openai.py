"""The stand-in, run alone as a user would."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

SCRIPT = {
    "plan": [{"misbehave": "broken"}, {"tasks": []}],
    "*": "Anything else.",
}


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[openai.OpenAI]:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    command = [sys.executable, "-m", "tests.stand_ins.openai_server", "--script", str(script), "--key", "sk-right"]
    process = subprocess.Popen([*command, "--log", str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    with openai.OpenAI(base_url=url, api_key="sk-right", max_retries=0) as client:
        yield client
    process.terminate()
    process.wait()
    process.stdout.close()


def test_it_prints_its_url_and_answers_its_script(alone: openai.OpenAI) -> None:
    def ask(**options: object) -> str | None:
        messages = [{"role": "user", "content": "Hello"}]
        return alone.chat.completions.create(model="m", messages=messages, **options).choices[0].message.content

    schema = {"type": "json_schema", "json_schema": {"name": "plan", "schema": {"type": "object"}}}
    assert ask() == "Anything else."
    with pytest.raises(openai.InternalServerError):
        ask(response_format=schema)
    assert json.loads(ask(response_format=schema) or "") == {"tasks": []}
    with pytest.raises(openai.AuthenticationError):
        alone.with_options(api_key="sk-wrong").models.list()
        alone.with_options(api_key="sk-wrong").chat.completions.create(model="m", messages=[])
