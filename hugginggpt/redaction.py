"""Redaction of secrets: servers echo keys, and libraries put addresses with passwords into their errors.

Whatever a server or library says goes through `redact` before it enters a message, the trace, a log or Prefect.
"""

import base64
import binascii
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from hugginggpt.text import one_line, visible

MASK = "***"

SECRET_VARIABLES = (
    "OPENAI_API_KEY",
    "HF_TOKEN",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_SERVER_API_AUTH_STRING",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
"""Variables whose values are secrets."""

ADDRESS_VARIABLES = (
    "HUGGINGGPT_DATABASE_URL",
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    "OPENAI_BASE_URL",
)
"""Variables whose values are addresses that may contain secrets."""

_SHORTEST = 4
"""Fewest characters of a secret: shorter ones would be found inside words."""
_SHORTEST_ENCODED = 8
_SHORTEST_KEY = 8
_PLACEHOLDERS = frozenset(
    (
        "anything",
        "lm-studio",
        "no-key-needed",
        "no-key-required",
        "not-needed",
        "not-required",
        "placeholder",
        "whatever",
    )
)
_MOST_SAID = 300
_MOST_READ = 4000

_PASSWORD = re.compile(r"://[^/\s:@]*:([^\s@]+)@")
_VALUE = re.compile(r"[?&][^=&#\s]+=([^&#\s]{8,})")

# If a password contains a slash or question mark, what is before that looks like a host and a wrong port.
_USER = re.compile(
    r"(?<=://)(?:(?:[^\s/?#@\"'<>]{1,500}+@)++"
    r"|[^\s/?#@:\"'<>]{0,200}+:(?!\d{1,5}[/?#])(?:[^\s@\"'<>]{1,500}+@)++)"
)
_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s?#\"'<>]{0,2000}+)[?#][^\s\"'<>]+", re.IGNORECASE)
_KEY = re.compile(
    r"\b(?:(?:sk|hf|hgpt|gsk)[-_][\w*.-]{6,}|(?:pk|key)[-_](?=[\w.-]{0,100}[\d*])[\w*.-]{6,}|gh[opsur]_\w{10,}|github_pat_\w{10,}|xox[a-z]-[\w-]{8,}"
    r"|A(?:KI|SI)A[A-Z0-9]{12,}|AIza[\w-]{20,}|eyJ[\w-]{6,1000}+\.[\w-]{4,}(?:\.[\w-]*)?)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\bBearer\s+[^\s\"',;]+", re.IGNORECASE)
_BASIC = re.compile(r"\b(Basic)\s+(?!realm\b)([A-Za-z0-9+/_-]{2,}={0,2})(?![\w=])", re.IGNORECASE)
# Quotes are escaped if JSON is inside JSON, and a missing closing quote was cut off.
_NAMED = re.compile(
    r"""
    (
      (?:
        \bauthorization | (?<!\bunexpected\ )\btoken | \b(?:set-)?cookie
      | (?:\b|[_-]|(?-i:(?<=[a-z])(?=[A-Z])))
        (?:(?:api|access|account|auth|client|csrf|private|refresh|secret|security|session|shared)[-_ ]?(?:key|token)
          |passw(?:or)?d|pwd|secret|signature)
      )
      (?:\\{0,7}["'])? \s{0,5} [:=] \s{0,5}
    )
    (?:
      (?P<escaped>\\{1,7}["']) (?:[^"\\\n] | (?!(?P=escaped))\\++["']?)++
    | (?P<double>") (?:[^"\\\n] | \\.)++
    | (?P<single>') (?:[^'\\\n] | \\.)++
    | (?:(?:Basic|Bearer|Digest|Token)\s+)? [^\s"',;&]{4,}
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_COOKIES = re.compile(
    r"(\b(?:set-)?cookie:\s{0,5})[^\s\"',;=]{1,200}+=[^\s\"',;]*+(?:;\s{0,5}[^\s\"',;=]{1,200}+=[^\s\"',;]*+)*+",
    re.IGNORECASE,
)


def redact(text: str, *secrets: str) -> str:
    """The text with every secret of the environment, and everything that looks like a secret, masked.

    This masks secrets as they are, percent-encoded and in base64; user names, passwords and queries of addresses; keys
    with well-known prefixes; credentials of `Bearer` and `Basic`; cookies; and the values of names such as `api_key=`.

    Args:
        text: what a server, a library or an exception said.
        secrets: further secrets.
    """
    for secret in sorted({*secrets, *_configured()}, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = _without(text, secret)
    text = _USER.sub(f"{MASK}@", text)
    text = _QUERY.sub(r"\1", text)
    text = _COOKIES.sub(rf"\1{MASK}", text)
    text = _NAMED.sub(lambda match: f"{match[1]}{match[match.lastgroup] if match.lastgroup else ''}{MASK}", text)
    text = _BEARER.sub(MASK, text)
    text = _BASIC.sub(_basic, text)
    return _KEY.sub(MASK, text)


def is_secret_key(key: str) -> bool:
    """Whether an API key is a secret, and not a word in the place of one, such as "none" or "ollama".

    Local servers take any key. To mask such a word would change what a server or a model says.
    """
    return len(key) >= _SHORTEST_KEY and key.lower() not in _PLACEHOLDERS


def said(error: BaseException | str, *secrets: str) -> str:
    """What an exception or a server says: its first line, redacted and without a final full stop.

    Args:
        error: an exception, or the words of a server. Of an error of the system, the number is left out.
        secrets: further secrets, as for `redact`.

    Returns:
        The line; the name of the exception's class if its message is empty, "" for empty words.
    """
    name = type(error).__name__ if isinstance(error, BaseException) else ""
    words = str(getattr(error, "strerror", None) or error)
    line = next((line for line in visible(words).splitlines() if line.strip()), name)
    return one_line(redact(line[:_MOST_READ], *secrets), _MOST_SAID).rstrip(".:")


def keep_out_of_logs() -> None:
    """Redact exceptions in all logs of this process: tracebacks, and messages that come with one or quote one.

    Calling it again changes nothing.
    """
    make = logging.getLogRecordFactory()
    if make is not _redacted:
        _makers.append(make)
        logging.setLogRecordFactory(_redacted)


_makers: list[Callable[..., logging.LogRecord]] = []


def _redacted(*args: Any, **named: Any) -> logging.LogRecord:
    record = _makers[-1](*args, **named)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        # Formatters use this text instead of formatting the exception.
        record.exc_text = redact("".join(traceback.format_exception(error)).rstrip("\n"))
    given = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    if error is not None or any(isinstance(one, BaseException) for one in (record.msg, *given)):
        record.msg, record.args = redact(_message(record)), ()
    return record


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # logging would print the mismatched message and arguments, unredacted
        return f"{record.msg} {record.args}"


def _configured() -> Iterator[str]:
    for name in SECRET_VARIABLES:
        value = os.environ.get(name, "").strip()
        if name != "OPENAI_API_KEY" or is_secret_key(value):
            yield value
    for name in ADDRESS_VARIABLES:
        address = os.environ.get(name, "")
        for found in (*_PASSWORD.findall(address), *_VALUE.findall(address)):
            yield found
            yield unquote(found)


def _without(text: str, secret: str) -> str:
    for spelling in {secret, quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")}:
        text = text.replace(spelling, MASK)
    if len(secret) < _SHORTEST_ENCODED:
        return text
    for core in _in_base64(secret.encode("utf-8", "replace")):
        if core in text:
            text = re.sub(rf"(?<![\w+/-])[\w+/-]*{re.escape(core)}[\w+/-]*={{0,2}}", MASK, text)
    return text


def _in_base64(secret: bytes) -> set[str]:
    """The forms of a secret in base64, whatever comes before and after it."""
    cores = set()
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        core = coded[(0, 2, 3)[before] : len(coded) - (0 if (before + len(secret)) % 3 == 0 else 1)]
        cores |= {core, core.translate(str.maketrans("+/", "-_"))}
    return cores


def _basic(match: re.Match[str]) -> str:
    """Mask `Basic` credentials, but not the words "basic authentication"."""
    word = match[2]
    if not re.fullmatch(r"[A-Za-z]?[a-z]+", word):
        return MASK
    try:
        found = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_")
    except binascii.Error:
        return match[0]
    return MASK if b":" in found and found.isascii() else match[0]
