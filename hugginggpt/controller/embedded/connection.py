"""Calls to the embedded server without the `openai` client, whose import takes longer than a short answer."""

import json
from types import SimpleNamespace
from typing import Any

import httpx

from hugginggpt.controller.connection import CallFailed, Connection, Reply, reply_in


class LocalConnection(Connection):
    """The embedded server, until it is closed."""

    _http: httpx.AsyncClient | None = None

    async def _create(self, request: dict[str, Any], timeout: float) -> Reply:
        if self._http is None:
            headers = {"Authorization": f"Bearer {self.api_key}"}
            # No proxy of the user's, and no certificates, which take a while to load.
            self._http = httpx.AsyncClient(headers=headers, trust_env=False, verify=False)
        body = {name: value for name, value in request.items() if name != "extra_body"} | request.get("extra_body", {})
        try:
            answer = await self._http.post(f"{self.base_url}/chat/completions", json=body, timeout=timeout)
            said = json.loads(answer.content, object_hook=None if answer.is_error else _namespace)
        except httpx.TimeoutException:
            raise CallFailed(f"no answer within {timeout:g} seconds") from None
        except httpx.HTTPError as error:
            raise CallFailed(self.redact(str(error) or type(error).__name__)) from None
        except ValueError as error:
            raise CallFailed(f"the reply cannot be read ({type(error).__name__})") from None
        if answer.is_error:
            error = said.get("error") if isinstance(said, dict) else None
            raise self.refused(answer.status_code, error, answer.headers)
        return reply_in(said)

    async def _disconnect(self) -> None:
        if self._http is not None:
            await self._http.aclose()


def _namespace(read: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**read)
