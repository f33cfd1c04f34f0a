"""What two processes say of their controllers, so that neither answers for the other."""

import pytest
from pydantic import SecretStr

from hugginggpt.controller.client import Controller
from hugginggpt.controller_name import ControllerName, fingerprint
from hugginggpt.settings import Settings

SERVER = {"openai_api_key": SecretStr("sk-a"), "openai_base_url": "http://127.0.0.1:9/v1", "controller_model": "m"}


@pytest.mark.parametrize(
    "change",
    [
        {"openai_api_key": SecretStr("sk-b")},
        {"openai_api_key": None},
        {"openai_base_url": "http://127.0.0.1:10/v1"},
        {"controller_model": "n"},
        {"controller_context_tokens": 4096},
        {"price_per_million_prompt_tokens": 1.0},
        {"openai_api_key": None, "openai_base_url": None},
    ],
)
def test_whatever_decides_who_answers_tells_them_apart(settings: Settings, change: dict[str, object]) -> None:
    one = settings.model_copy(update=SERVER)
    assert fingerprint(one) == fingerprint(settings.model_copy(update=SERVER))
    assert fingerprint(one) != fingerprint(one.model_copy(update=change))


def test_what_does_not_decide_it_does_not(settings: Settings) -> None:
    one = settings.model_copy(update=SERVER)
    others = {"controller_concurrency": 9, "cpu_threads": 3, "task_runner": "dask", "hf_token": SecretStr("hf")}
    assert fingerprint(one) == fingerprint(one.model_copy(update=others))
    assert fingerprint(settings) == fingerprint(settings.model_copy(update={"controller_model": "never asked"}))


def test_a_controller_is_named_without_what_is_secret(settings: Settings) -> None:
    url = "http://ada:word@127.0.0.1:9/v1?key=sk-query"
    there = Controller.from_settings(settings.model_copy(update=SERVER | {"openai_base_url": url})).name
    assert there == ControllerName(model="m", server="http://127.0.0.1:9/v1")
    assert str(there) == "m at http://127.0.0.1:9/v1"
    here = Controller.from_settings(settings).name
    assert (here.server, str(here)) == ("embedded", "SmolLM2-135M-Instruct (embedded)")
