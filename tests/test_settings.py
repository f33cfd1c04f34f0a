from pathlib import Path

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


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS", "nan", "nan is not a number."),
        ("HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS", "inf", "Input should be a finite number."),
        ("HUGGINGGPT_CONTROLLER_TIMEOUT", "NaN", "nan is not a number."),
    ],
)
def test_what_is_no_number_is_called_so(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as raised:
        get_settings()
    assert raised.value.message == f"The setting {variable} cannot be used: {said}"


def test_a_name_may_be_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_CONTROLLER_MODEL", "nan")
    assert get_settings().controller_model == "nan"


def test_blanks_around_an_address_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", " http://127.0.0.1:9/v1\n")
    assert get_settings().openai_base_url == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("127.0.0.1:5999/v1", "it does not begin with http:// or https://; put the right one before it."),
        ("localhost:11434/v1", "it does not begin with http:// or https://; put the right one before it."),
        ("ftp://host/v1", "it is neither http nor https; give an http or https URL."),
    ],
)
def test_an_address_of_another_kind_gets_a_remedy_that_fits(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", value)
    with pytest.raises(ConfigurationError) as raised:
        get_settings()
    assert raised.value.message == f"The setting OPENAI_BASE_URL cannot be used: {said}"


@pytest.mark.parametrize(
    "variable", ["OPENAI_BASE_URL", "HF_ENDPOINT", "HUGGINGGPT_INFERENCE_ENDPOINT", "HUGGINGGPT_DASK_ADDRESS"]
)
@pytest.mark.parametrize("user", ["ada:sesame@", "sesame@", ":sesame@", "ada:sesa/me@"])
def test_an_address_holds_no_user_and_no_password(monkeypatch: pytest.MonkeyPatch, variable: str, user: str) -> None:
    scheme = "tcp" if variable.endswith("DASK_ADDRESS") else "https"
    monkeypatch.setenv(variable, f"{scheme}://{user}host:8000")
    with pytest.raises(ConfigurationError, match=f"^The setting {variable} cannot be used: it ") as raised:
        get_settings()
    assert "sesa" not in raised.value.message


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "HF_ENDPOINT", "HUGGINGGPT_INFERENCE_ENDPOINT"])
@pytest.mark.parametrize(
    "value",
    ["http://h:99999", "http://h:-1", "http://h:x", "http://xn--a/", "http://[", "http://a..b", "http://é\udcff"],
)
def test_an_address_that_nobody_could_connect_to_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^The setting {variable} cannot be used: "):
        get_settings()


@pytest.mark.parametrize(
    "value",
    ["127.0.0.1:8786", "tcp://host", "tcp://host:0", "tcp://host:99999", "http://host:1", "tcp://:1", "tcp://["],
)
def test_what_is_no_address_of_a_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", value)
    with pytest.raises(ConfigurationError, match=r"^The setting HUGGINGGPT_DASK_ADDRESS cannot be used: it "):
        get_settings()


@pytest.mark.parametrize("value", ["tcp://127.0.0.1:8786", "tls://host:1", "tcp://[::1]:8786"])
def test_the_address_of_a_scheduler_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", value)
    assert get_settings().dask_address == value


@pytest.mark.parametrize("variable", ["HF_ENDPOINT", "HUGGINGGPT_INFERENCE_ENDPOINT", "HUGGINGGPT_RESULTS_URL"])
def test_an_address_that_is_shown_has_no_query(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "https://host/path?key=sesame")
    with pytest.raises(ConfigurationError, match=f"^The setting {variable} cannot be used: ") as raised:
        get_settings()
    assert "sesame" not in raised.value.message


@pytest.mark.parametrize(
    "name", ["HOME", "MODELS_CACHE", "FILE_ROOTS", "ARTIFACTS_URL", "EMBEDDED_PLANNER", "EMBEDDED_READER"]
)
def test_a_folder_of_an_unknown_user_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"HUGGINGGPT_{name}", "~nobody-of-that-name/folder")
    with pytest.raises(ConfigurationError, match=f"^The setting HUGGINGGPT_{name} cannot be used: it begins with"):
        get_settings()


def test_a_setting_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_HOME", "/tmp/caf\udce9")
    with pytest.raises(ConfigurationError, match=r"^The setting HUGGINGGPT_HOME cannot be used: it is not valid UTF-8"):
        get_settings()


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "HF_ENDPOINT", "HF_TOKEN", "HUGGINGGPT_TOP_K"):
        monkeypatch.setenv(variable, "")
    settings = get_settings()
    assert (settings.hf_endpoint, settings.hf_token, settings.top_k) == ("https://huggingface.co", None, 5)
    assert settings.uses_embedded_controller


def test_files_and_folders_are_the_same_wherever_a_process_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUGGINGGPT_ARTIFACTS_URL", "store")
    monkeypatch.setenv("HUGGINGGPT_FILE_ROOTS", "in:~/pictures")
    monkeypatch.setenv("HUGGINGGPT_EMBEDDED_CONTROLLER_GGUF", "model.gguf")
    monkeypatch.setenv("HUGGINGGPT_EMBEDDED_PLANNER", "none")
    monkeypatch.setenv("HUGGINGGPT_EMBEDDED_READER", "reader.safetensors")
    settings = get_settings()
    assert settings.artifacts == str(tmp_path / "store")
    assert settings.embedded_controller_gguf == tmp_path / "model.gguf"
    assert settings.places == {
        "HUGGINGGPT_HOME": str(tmp_path / "home"),
        "HUGGINGGPT_MODELS_CACHE": str(settings.models_cache_dir),
        "HUGGINGGPT_ARTIFACTS_URL": str(tmp_path / "store"),
        "HUGGINGGPT_FILE_ROOTS": f"{tmp_path / 'in'}:{Path.home() / 'pictures'}",
        "HUGGINGGPT_EMBEDDED_CONTROLLER_GGUF": str(tmp_path / "model.gguf"),
        "HUGGINGGPT_EMBEDDED_PLANNER": "none",
        "HUGGINGGPT_EMBEDDED_READER": str(tmp_path / "reader.safetensors"),
    }


@pytest.mark.parametrize("url", ["s3://bucket/store", "memory://store", "simplecache::s3://bucket/store"])
def test_a_store_elsewhere_keeps_its_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HUGGINGGPT_ARTIFACTS_URL", url)
    assert get_settings().artifacts == url


@pytest.mark.parametrize("variable", ["HUGGINGGPT_ARTIFACTS_URL", "HUGGINGGPT_RESULTS_URL"])
@pytest.mark.parametrize("url", ["sftp://ada:secret@host/folder", "simplecache::sftp://secret@host/folder"])
def test_a_store_s_url_holds_no_secret(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(
        ConfigurationError, match=f"^The setting {variable} cannot be used: it contains a user"
    ) as raised:
        get_settings()
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("url", ["results", "/mnt/results", "file:///mnt/results", "s3:bucket"])
def test_records_for_several_machines_are_in_no_folder(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HUGGINGGPT_RESULTS_URL", url)
    with pytest.raises(
        ConfigurationError, match=r"^The setting HUGGINGGPT_RESULTS_URL cannot be used: give a URL such"
    ):
        get_settings()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OPENAI_API_KEY", "sk-key-1\n", "a line break"),
        ("OPENAI_API_KEY", "sk-key 1", "white space"),
        ("OPENAI_API_KEY", "\u201csk-key-1\u201d", "the character \u201c"),
        ("HF_TOKEN", "hf_key\r\nHost: elsewhere", "a line break"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    get_settings.cache_clear()
    with pytest.raises(ConfigurationError, match=f"{variable} cannot be used: it holds {said}") as caught:
        get_settings()
    assert "key-1" not in str(caught.value) and "elsewhere" not in str(caught.value)
