"""The identity of a process's controller, without its secrets.

The process that runs a request's flow also decides which controller answers. Expert workers have an environment of
their own, so they say which controller they have, and do a request's controller work only if it is the same one.
"""

import hashlib
import json
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, SecretStr

from hugginggpt.settings import Settings

EMBEDDED = "embedded"

_SALT = b"hugginggpt controller"
_ROUNDS = 100_000


class ControllerName(BaseModel):
    """A controller, as users see it.

    Attributes:
        model: name of the model.
        server: base URL of the OpenAI-compatible server, without user, password and query; or `embedded`.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    server: str

    def __str__(self) -> str:
        return f"{self.model} (embedded)" if self.server == EMBEDDED else f"{self.model} at {self.server}"


def fingerprint(settings: Settings) -> str:
    """A hash that is the same in two processes with the same controller on the same account.

    It covers everything that decides which controller answers, what it may read and what it costs. It includes the key,
    so it is slow to compute: nobody who sees the hash can try many keys.
    """
    fields = [name for name in type(settings).model_fields if name in _COMMON or name.startswith("price_")]
    if settings.uses_embedded_controller:
        fields += ["embedded_controller_gguf", "embedded_planner", "embedded_reader"]
    else:
        fields += ["openai_api_key", "openai_base_url", "controller_model"]
    return _slowly(json.dumps([[name, _plain(getattr(settings, name))] for name in fields]))


_COMMON = ("controller_timeout", "controller_retries", "controller_context_tokens")


def _plain(value: object) -> str | None:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return None if value is None else str(value)


@lru_cache(maxsize=16)
def _slowly(configuration: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", configuration.encode(), _SALT, _ROUNDS).hex()[:16]
