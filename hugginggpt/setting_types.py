"""The types of settings: how a variable's text becomes a value, and what it must not be."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from hugginggpt.addresses import AddressError, holds_user, parse_authority, web_address
from hugginggpt.text import visible

NO_ADAPTER = Path("none")
"""The value of `embedded_planner` or `embedded_reader` that turns the adapter off."""


def _split(value: object) -> object:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


def _split_paths(value: object) -> object:
    return tuple(Path(path) for path in value.split(os.pathsep) if path) if isinstance(value, str) else value


def checked(check: Callable[[Any], object]) -> AfterValidator:
    """Accepts a value unchanged unless the function raises an error."""

    def validate(value: Any) -> Any:
        check(value)
        return value

    return AfterValidator(validate)


def _has_only_path(value: str) -> None:
    if "?" in value or "#" in value:
        raise AddressError("has a query or fragment; give a URL such as https://host/path")


def _holds_no_user(value: str) -> None:
    # Prefect's server stores and shows one of these addresses, and messages name the other.
    if holds_user(value):
        raise ValueError("it contains a user name or password, which would be shown; leave those to the environment")


def is_shared(value: str) -> None:
    """Raise a ValueError unless all machines can reach a store."""
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in ("", "file") or not parts.netloc:
        raise ValueError("give a URL such as s3://bucket/results, or name a folder in PREFECT_LOCAL_STORAGE_PATH")
    if "?" in value:
        raise ValueError("it has a query, which would be shown; leave its contents to the environment")


def _host(name: str) -> str:
    known = parse_authority(name if name.count(":") < 2 or name.startswith("[") else f"[{name}]")
    if known is None or known.port is not None or "*" in name:
        raise ValueError("give host names without scheme, port or asterisk, separated by commas")
    return known.host


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("it begins with the home folder of an unknown user") from None


def absolute_adapter(path: Path) -> Path:
    """The absolute path of an adapter, or the word that turns it off."""
    return path if path == NO_ADAPTER else _absolute(path)


def absolute_store(url: str) -> str:
    """The address of a store; a folder on this machine by its absolute path."""
    is_local = url.startswith("file://") or not ("://" in url or "::" in url)
    return str(_absolute(Path(url.removeprefix("file://")))) if is_local else url


def _sendable(key: SecretStr) -> SecretStr:
    odd = next((sign for sign in key.get_secret_value() if not "!" <= sign <= "~"), None)
    if odd is not None:
        what = "a line break" if odd in "\r\n" else "white space" if odd.isspace() else f"the character {visible(odd)}"
        raise ValueError(f"it holds {what}, which no key does; copy the key again")
    return key


Key = Annotated[SecretStr, AfterValidator(_sendable)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)]
Paths = Annotated[tuple[Annotated[Path, AfterValidator(_absolute)], ...], NoDecode, BeforeValidator(_split_paths)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
FindablePath = Annotated[Path, checked(_absolute)]
WebAddress = Annotated[str, BeforeValidator(_stripped), checked(web_address)]
Endpoint = Annotated[WebAddress, checked(_has_only_path)]
StoreAddress = Annotated[str, checked(_holds_no_user)]
