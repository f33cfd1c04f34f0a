"""Addresses as they are shown, and hosts and ports as they stand in the headers of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.addresses import Authority, is_loopback, is_same_origin, parse_authority, shown
from hugginggpt.errors import ConfigurationError
from hugginggpt.settings import get_settings


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost", "localhost", None),
        ("LocalHost:4200", "localhost", 4200),
        ("127.0.0.1:4200", "127.0.0.1", 4200),
        ("[::1]", "::1", None),
        ("[0:0:0:0:0:0:0:1]:80", "::1", 80),
        ("localhost:", "localhost", None),
    ],
)
def test_a_host_with_and_without_a_port(text: str, host: str, port: int | None) -> None:
    assert parse_authority(text) == Authority(host, port)


@pytest.mark.parametrize("text", ["", ":4200", "a b", "a/b", "user@host", "::1", "[::1", "[1]", "host:port", "a:1:2"])
def test_what_is_no_host(text: str) -> None:
    assert parse_authority(text) is None


@given(st.text())
def test_any_text_is_a_host_or_none(text: str) -> None:
    found = parse_authority(text)
    assert found is None or parse_authority(f"[{found.host}]" if ":" in found.host else found.host) is not None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:4200", "127.0.0.1:4200"),
        ("http://[::1]:4200", "[::1]:4200"),
        ("http://localhost", "LOCALHOST:80"),
        ("https://prefect.example", "prefect.example"),
        ("https://prefect.example", "prefect.example:443"),
    ],
)
def test_a_page_of_the_same_origin(origin: str, host: str) -> None:
    assert is_same_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "127.0.0.1:4200"),
        ("", "127.0.0.1:4200"),
        ("file://", "127.0.0.1:4200"),
        ("http://127.0.0.1:3000", "127.0.0.1:4200"),
        ("http://localhost:4200", "127.0.0.1:4200"),
        ("http://127.0.0.1:4200.evil.example", "127.0.0.1:4200"),
        ("http://evil.example#127.0.0.1:4200", "127.0.0.1:4200"),
        ("chrome-extension://127.0.0.1:4200", "127.0.0.1:4200"),
    ],
)
def test_a_page_of_another_origin(origin: str, host: str) -> None:
    assert not is_same_origin(origin, host)


def test_the_names_that_a_setting_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_ALLOWED_HOSTS", "Prefect.Example, ::2,10.0.0.1")
    assert get_settings().allowed_hosts == ("prefect.example", "::2", "10.0.0.1")


@pytest.mark.parametrize("value", ["*", "*.example", "http://example", "example:4200", "a b"])
def test_what_is_no_name_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HUGGINGGPT_ALLOWED_HOSTS", value)
    with pytest.raises(ConfigurationError, match=r"^The setting HUGGINGGPT_ALLOWED_HOSTS cannot be used: give host"):
        get_settings()


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_what_is_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("https://user:sec?ret@host/", "https://host/"),
        ("https://user:sec#ret@host/a?x=1", "https://host/a"),
        ("https://user:sec/ret@host/", "https://host/"),
        ("https://user:sec//ret@host/", "https://host/"),
        ("https://user:sec@ret@host/", "https://host/"),
        ("https://host:80/a?mail=ada@host", "https://host:80/a"),
        ("https://host/a?mail=ada@host", "https://host/a"),
        ("https://proxy/https://user:secret@host/a#b", "https://proxy/https://host/a"),
    ],
)
def test_no_part_of_a_password_is_shown(address: str, seen: str) -> None:
    assert shown(address) == seen


@given(st.text("?#/", max_size=6), st.text("ab?#/:", max_size=6))
def test_what_begins_a_query_can_stand_anywhere_in_a_password(first: str, second: str) -> None:
    assert "same" not in shown(f"https://user:se{first}same{second}@host/")
