"""Calls to the embedded server without the `openai` client, whose import takes longer than a short answer."""

from typing import Any

import httpx

from hugginggpt.controller.connection import Connection
from hugginggpt.controller.reply import CallFailed, Reply


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
        except httpx.TimeoutException:
            raise self.late(timeout) from None
        except httpx.HTTPError as error:
            raise CallFailed(self._shown(str(error) or type(error).__name__)) from None
        if answer.is_error:
            raise self.refused(answer.status_code, answer.text, answer.headers)
        return self.reply(answer.content)

    async def _disconnect(self) -> None:
        if self._http is not None:
            await self._http.aclose()
