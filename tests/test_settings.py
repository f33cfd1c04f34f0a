import pytest

from hugginggpt.errors import ConfigurationError
from hugginggpt.settings import get_settings


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "HF_ENDPOINT", "HUGGINGGPT_INFERENCE_ENDPOINT"])
@pytest.mark.parametrize("value", ["localhost:8080", "ftp://host", "http://", "a word", "http://[1"])
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^The setting {variable} cannot be used: "):
        get_settings()


@pytest.mark.parametrize("value", ["http://127.0.0.1:9", "https://host/v1/"])
def test_an_address_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HUGGINGGPT_INFERENCE_ENDPOINT", value)
    assert get_settings().inference_endpoint == value


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "HF_ENDPOINT", "HF_TOKEN", "HUGGINGGPT_TOP_K"):
        monkeypatch.setenv(variable, "")
    settings = get_settings()
    assert (settings.hf_endpoint, settings.hf_token, settings.top_k) == ("https://huggingface.co", None, 5)
    assert settings.uses_embedded_controller
