"""Secrets in the words of others."""

import base64
import io
import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.redaction import keep_out_of_logs, redact, said

TOKEN = "hunter2/hunter3+hunter4"


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", "postgresql://ada:s3same%21open@host/name")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://host/v1?api-version=2024-06-01&api-key=topsecretvalue")


@pytest.mark.parametrize(
    "words",
    [
        f"the token {TOKEN} is not known",
        f"GET /x?token={quote(TOKEN, safe='')}",
        f"Authorization: Basic {base64.b64encode(TOKEN.encode()).decode()}",
        f"header {base64.b64encode(f'u:{TOKEN}'.encode()).decode()} refused",
        f"header {base64.b64encode(f'us:{TOKEN}'.encode()).decode()} refused",
        f"header {base64.urlsafe_b64encode(f'user:{TOKEN}'.encode()).decode()} refused",
        'connection to "postgresql://ada:s3same%21open@host" failed',
        "password s3same!open is wrong",
        "no such deployment at topsecretvalue",
    ],
)
def test_configured_secrets_are_masked_however_they_are_written(words: str) -> None:
    masked = redact(words)
    assert "***" in masked
    for secret in ("hunter", "s3same", "topsecret"):
        assert secret not in masked
    assert base64.b64encode(b"hunter2/hunter3+hunter4").decode()[4:-4] not in masked


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("Incorrect API key provided: sk-abc123***xyz.", "Incorrect API key provided: ***"),
        ("sent Bearer abc.def-ghi!", "sent ***"),
        ("sent Basic dXNlcjpwYXNz, refused", "sent ***, refused"),
        ("sent basic YTpi", "sent ***"),
        ("{'Authorization': 'Basic YTpi'}", "{'Authorization': '***'}"),
        ("x-api-key: 1234567890abcdef", "x-api-key: ***"),
        ('{"password": "hunter22"}', '{"password": "***"}'),
        ("http://me:pw@host/v1/models failed", "http://***@host/v1/models failed"),
        ("https://host/file?X-Amz-Signature=abc&x=1 expired", "https://host/file expired"),
        ("s3 AKIAIOSFODNN7EXAMPLE", "s3 ***"),
        (r"{\"api_key\": \"two words\", \"a\": 1}", r"{\"api_key\": \"***\", \"a\": 1}"),
        (r'"{\\\"api_key\\\": \\\"two words\\\"}"', r'"{\\\"api_key\\\": \\\"***\\\"}"'),
        (r"""{\"password\": \"pa\\\"ss\"}""", r"""{\"password\": \"***\"}"""),
        (r"""{"password": "pa\"ss"}""", """{"password": "***"}"""),
        ('password: "two words", host: "a"', 'password: "***", host: "a"'),
        ("password='two words' was refused", "password='***' was refused"),
        ('password: "cut off', 'password: "***'),
        ('"pwd": "abc"', '"pwd": "***"'),
        ("AccountName=ada;AccountKey=bWlsaw==;Suffix=x", "AccountName=ada;AccountKey=***;Suffix=x"),
        ("SharedAccessKey=bWlsaw==", "SharedAccessKey=***"),
        ("clientSecret: abcdef", "clientSecret: ***"),
        ("GET /a;token=abcdef refused", "GET /a;token=*** refused"),
        ("X-Auth-Token: abcdef", "X-Auth-Token: ***"),
        ("Cookie: session=abc; id=def\nnext", "Cookie: ***\nnext"),
        ("{'set-cookie': 'session=abc; Path=/'}", "{'set-cookie': '***'}"),
        ("at https://user:sec?ret@host/ it failed", "at https://***@host/ it failed"),
        ("at https://user:sec/ret@host/ it failed", "at https://***@host/ it failed"),
        ("at https://user:sec@ret@host/ it failed", "at https://***@host/ it failed"),
    ],
)
def test_what_looks_like_a_secret_is_masked(words: str, masked: str) -> None:
    assert redact(words) == masked


@pytest.mark.parametrize(
    "words",
    [
        "basic authentication is needed",
        'Basic realm="models"',
        "key_padding_mask must be of type bool",
        "the file key-figures.csv is empty",
        "see https://host/docs and mail me@host",
        "Task 3 needs a picture: what now?",
        "unexpected token: comma",
        "max_tokens: 4096, pad_token = eos_token",
        "see http://host:8080/@ada and https://host/@ada",
        'password: ""',
    ],
)
def test_other_words_stay(words: str) -> None:
    assert redact(words) == words


@given(st.text(min_size=8, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_is_left_in_any_surrounding(secret: str, before: str, after: str) -> None:
    assert secret == "********" or secret not in redact(f"{before} {secret} {after}", secret).replace("***", "\0")


def test_what_an_error_says_is_one_line() -> None:
    assert said(ValueError(f"\n first {TOKEN} \x1b[31mred.\nsecond")) == "first *** red"
    assert said(ValueError("")) == "ValueError"
    assert said("") == ""
    assert len(said("x" * 10_000)) == 300


def test_tracebacks_in_logs_are_without_secrets() -> None:
    keep_out_of_logs()
    keep_out_of_logs()
    stream = io.StringIO()
    logger = logging.getLogger("test-redaction")
    logger.addHandler(logging.StreamHandler(stream))
    try:
        try:
            raise ValueError(f"refused {TOKEN}")
        except ValueError as error:
            raise OSError("GET https://host/file?Signature=abc failed") from error
    except OSError:
        logger.warning("It failed.", exc_info=True)
    logger.warning("Refused: %s", ValueError(TOKEN))
    logger.warning("Refused: %(error)r", {"error": ValueError(TOKEN)})
    logger.warning(ValueError(TOKEN))
    logger.warning("Refused: %d", ValueError(TOKEN))
    logger.error("Refused with %s.", TOKEN, exc_info=ValueError("a"))
    assert "It failed." in stream.getvalue()
    assert "ValueError: refused ***" in stream.getvalue()
    assert "hunter" not in stream.getvalue().replace("raise ValueError", "")
    assert "Signature" not in stream.getvalue().partition("OSError")[2]
