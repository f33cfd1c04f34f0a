"""A model at an inference provider: one question at a time, within a deadline, errors as sentences."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.deadline import GLANCE, Deadline
from hugginggpt.errors import ExpertError, ExpertUnavailableError
from hugginggpt.experts.base import Expert, Surroundings
from hugginggpt.settings import Settings

_T = TypeVar("_T")

# A provider that says nothing for so long is not going to; other ways deserve the rest of the time.
_SILENCE_SECONDS = 120.0


class RemoteModel:
    """One model, as `huggingface_hub.InferenceClient` reaches it."""

    def __init__(self, card: ModelCard, settings: Settings) -> None:
        self._card = card
        self._provider = settings.inference_provider
        self._token = settings.hf_token.get_secret_value() if settings.hf_token else None
        base = settings.inference_endpoint
        self._model = f"{base.rstrip('/')}/models/{card.id}" if base else card.id
        self._where = base or f"the inference provider ({self._provider})"
        if self._token is None and base is None:
            raise ExpertError(f"Running {card.id} remotely takes a token: set HF_TOKEN.")

    def ask(self, method: str, value: Any, deadline: Deadline) -> Any:
        """Call a method of the client, named by the task, with one input.

        Raises:
            ExpertUnavailableError: the provider is busy, loading the model or out of reach.
            ExpertError: it does not serve this model, or not to this account, or refused the input.
            DeadlineExceededError: it did not answer in time.
        """
        import httpx2
        from huggingface_hub import InferenceClient
        from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, OfflineModeIsEnabled

        deadline.check()
        client = InferenceClient(
            provider=self._provider,  # type: ignore[arg-type]
            token=self._token,
            timeout=min(_SILENCE_SECONDS, deadline.remaining()),
            # Without a token in the settings, none that lies around on this machine is sent.
            headers=None if self._token else {"authorization": None},  # type: ignore[dict-item]
        )
        card = self._card.id
        try:
            return _within(deadline, lambda: getattr(client, method)(value, model=self._model))
        except HfHubHTTPError as error:
            raise self._for_status(error) from None
        except InferenceTimeoutError:
            deadline.check()
            raise ExpertUnavailableError(f"{self._where} did not answer for {card}: try again later.") from None
        except OfflineModeIsEnabled:
            raise ExpertError(f"HF_HUB_OFFLINE forbids to run {card} remotely: unset it, or run locally.") from None
        except httpx2.HTTPError as error:
            reason = type(error).__name__
            raise ExpertUnavailableError(f"{self._where} cannot be reached for {card} ({reason}).") from None
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            # The client's way to say that a provider lacks a model or a task, or that the answer makes no sense.
            raise ExpertError(f"{self._where} cannot run {card}: {self._clean(str(error))}") from None

    def _for_status(self, error: Any) -> ExpertError:
        status, card, where = error.response.status_code, self._card.id, self._where
        said = self._clean(error.server_message or "")
        detail = f" ({said})" if said else ""
        match status:
            case 401 | 403:
                return ExpertError(f"{where} does not let HF_TOKEN use {card}{detail}: set a token that may.")
            case 402:
                return ExpertError(f"The account of HF_TOKEN has no inference credit left for {card}{detail}.")
            case 404 | 410:
                return ExpertError(f"{where} does not serve {card}{detail}: choose another model.")
            case 429:
                return ExpertUnavailableError(f"{where} gets too many requests to run {card} now{detail}.")
            case 503:
                return ExpertUnavailableError(f"{where} is still loading {card}{detail}.")
            case 408:
                return ExpertUnavailableError(f"{where} gave up waiting for {card}{detail}.")
            case _ if status >= 500:
                return ExpertUnavailableError(f"{where} failed to run {card} with HTTP {status}{detail}.")
            case _:
                return ExpertError(f"{where} refused the input for {card} with HTTP {status}{detail}.")

    def _clean(self, said: str) -> str:
        """The first line of what a server or library said, without the token and the final stop."""
        line = next((line.strip() for line in said.splitlines() if line.strip()), "")
        return (line.replace(self._token, "…") if self._token else line)[:300].rstrip(".")


def _within(deadline: Deadline, work: Callable[[], _T]) -> _T:
    """The result of blocking work, no longer waited for once the deadline has passed.

    A timeout of the client bounds each silence only; a server that drips bytes would hold it for ever.
    """
    outcome: list[tuple[_T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, name="inference provider", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(min(GLANCE, max(deadline.remaining(), 0.01)))
        if thread.is_alive():
            deadline.check()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def upload(data: bytes, mime: str) -> Any:
    """Bytes that the client sends with their type: providers tell by it what they get."""
    # Only this class of its own carries the type, and it has no public name.
    from huggingface_hub.inference._common import MimeBytes

    return MimeBytes(data, mime)


class RemoteExpert(Expert):
    """An expert whose kind is a task of `InferenceClient`."""

    endpoint = Endpoint.REMOTE
    packages: ClassVar[tuple[str, ...]] = ("huggingface_hub",)
    install = "hugginggpt"
    loads = "inference provider"

    def load(self, card: ModelCard, surroundings: Surroundings) -> RemoteModel:
        """Nothing is loaded: the way to the model."""
        return RemoteModel(card, surroundings.settings)
