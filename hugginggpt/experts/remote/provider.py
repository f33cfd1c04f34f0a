"""A model at an inference provider: one question at a time, within a deadline, errors as sentences."""

import math
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from PIL.Image import DecompressionBombError

from hugginggpt.addresses import shown
from hugginggpt.deadline import POLL_SECONDS, Deadline
from hugginggpt.errors import ExpertError, ExpertUnavailableError
from hugginggpt.experts.base import Expert, Inputs, Surroundings
from hugginggpt.media.problem import ContentProblem
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.redaction import said
from hugginggpt.retry_after import retry_after
from hugginggpt.settings import Settings

_T = TypeVar("_T")

# A provider that says nothing for so long is not going to; other ways deserve the rest of the time.
_SILENCE_SECONDS = 120.0

# A provider that says how long it is busy or loading is waited for so long in all.
_PATIENCE_SECONDS = 60.0

# What comes of taking an answer apart that has not the shape it should have, or a damaged picture or sound.
_SENSELESS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    OSError,
    DecompressionBombError,
    ContentProblem,
)


class NotServedError(ExpertError):
    """The provider does not do this task with this model."""


class RemoteModel:
    """One model, as `huggingface_hub.InferenceClient` reaches it."""

    def __init__(self, card: ModelCard, settings: Settings) -> None:
        self._card = card
        self._provider = settings.inference_provider
        self._token = settings.hf_token.get_secret_value() if settings.hf_token else None
        self._secrets = [self._token] if self._token else []
        base = settings.inference_endpoint
        self._model = f"{base.rstrip('/')}/models/{card.id}" if base else card.id
        self._where = shown(base) if base else f"the inference provider ({self._provider})"
        if self._token is None and base is None:
            raise ExpertError(f"Running {card.id} remotely takes a token: set HF_TOKEN.")

    def ask(self, method: str, question: Mapping[str, Any], read: Callable[[Any], _T], deadline: Deadline) -> _T:
        """Call a method of the client, waiting for a provider that says how long it is busy.

        Args:
            method: its name.
            question: its arguments, without the model.
            read: takes out of what it returns what is wanted; any trouble there is the answer's fault.

        Raises:
            ExpertUnavailableError: the provider is busy, loading the model or out of reach.
            NotServedError: it does not do this task with this model.
            ExpertError: it does not let this account use it, refused the input, or its answer makes no sense.
            DeadlineExceededError: it did not answer in time.
        """
        from huggingface_hub.errors import HfHubHTTPError

        patience = _PATIENCE_SECONDS
        while True:
            deadline.check()
            try:
                answer = self._call(method, question, deadline)
                break
            except HfHubHTTPError as error:
                wait = _asked_to_wait(error.response)
                if wait is None or wait > min(patience, deadline.remaining()):
                    raise self._for_status(error, wait) from None
            patience -= max(wait, POLL_SECONDS)
            deadline.sleep(max(wait, POLL_SECONDS))
        try:
            return read(answer)
        except _SENSELESS as error:
            raise self._senseless(error) from None

    def _call(self, method: str, question: Mapping[str, Any], deadline: Deadline) -> Any:
        import httpx2
        from huggingface_hub import InferenceClient
        from huggingface_hub.errors import (
            HfHubHTTPError,
            InferenceTimeoutError,
            OfflineModeIsEnabled,
            TextGenerationError,
        )

        client = InferenceClient(
            provider=self._provider,  # type: ignore[arg-type]
            token=self._token,
            timeout=min(_SILENCE_SECONDS, deadline.remaining()),
            # Without a token in the settings, none that lies around on this machine is sent.
            headers=None if self._token else {"authorization": None},  # type: ignore[dict-item]
        )
        card = self._card.id
        try:
            return _within(deadline, lambda: getattr(client, method)(**question, model=self._model))
        except TextGenerationError as error:
            # Named by the server's own type of error; its status says the same as any other's.
            if isinstance(error.__cause__, HfHubHTTPError):
                raise error.__cause__ from None
            raise self._senseless(error) from None
        except HfHubHTTPError:
            raise
        except InferenceTimeoutError:
            deadline.check()
            raise ExpertUnavailableError(f"{self._where} did not answer for {card}: try again later.") from None
        except OfflineModeIsEnabled:
            raise ExpertError(f"HF_HUB_OFFLINE forbids to run {card} remotely: unset it, or run locally.") from None
        except httpx2.HTTPError as error:
            reason = type(error).__name__
            raise ExpertUnavailableError(f"{self._where} cannot be reached for {card} ({reason}).") from None
        except StopIteration:
            # The client takes the first provider of a list without looking whether there is one.
            raise NotServedError(f"No inference provider serves {card}: choose another model.") from None
        except _SENSELESS as error:
            # The client tells by the same class that a model or task is not served and that an answer is no JSON.
            words = str(error)
            if isinstance(error, ValueError) and ("not supported" in words or "doesn't support" in words):
                raise NotServedError(f"{self._where} cannot run {card}: {said(error, *self._secrets)}.") from None
            raise self._senseless(error) from None

    def _senseless(self, error: Exception) -> ExpertError:
        words = said(error, *self._secrets)
        return ExpertError(f"{self._where} gave an answer for {self._card.id} that makes no sense ({words}).")

    def _for_status(self, error: Any, wait: float | None) -> ExpertError:
        status, card, where = error.response.status_code, self._card.id, self._where
        words = said(error.server_message or "", *self._secrets)
        detail = f" ({words})" if words else ""
        later = f"try again in {math.ceil(wait)} s" if wait else "try again later"
        match status:
            case 401 | 403:
                return ExpertError(f"{where} does not let HF_TOKEN use {card}{detail}: set a token that may.")
            case 402:
                return ExpertError(
                    f"The account of HF_TOKEN has no inference credit left for {card}{detail}: "
                    "buy some, set another token, or run locally."
                )
            case 404 | 410:
                return NotServedError(f"{where} does not serve {card}{detail}: choose another model.")
            case 429:
                return ExpertUnavailableError(f"{where} gets too many requests to run {card} now{detail}: {later}.")
            case 503:
                return ExpertUnavailableError(f"{where} is still loading {card}{detail}: {later}.")
            case 408:
                return ExpertUnavailableError(f"{where} gave up waiting for {card}{detail}: {later}.")
            case _ if status >= 500 or status == 424:  # 424: text-generation-inference, when generating failed
                return ExpertUnavailableError(f"{where} failed to run {card} with HTTP {status}{detail}: {later}.")
            case _:
                return ExpertError(f"{where} refused the input for {card} with HTTP {status}{detail}.")


def _asked_to_wait(response: Any) -> float | None:
    """Seconds after which a busy provider wants to be asked again; None when it does not say."""
    if response.status_code not in (429, 503):
        return None
    if (asked := retry_after(response.headers)) is not None:
        return asked
    try:
        estimated = float(response.json()["estimated_time"])
    except (ValueError, TypeError, LookupError):
        return None
    return max(0.0, estimated) if math.isfinite(estimated) else None


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
        thread.join(min(POLL_SECONDS, max(deadline.remaining(), 0.01)))
        if thread.is_alive():
            deadline.check()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


class RemoteExpert(Expert):
    """An expert whose kind is a task of `InferenceClient`."""

    endpoint = Endpoint.REMOTE
    packages: ClassVar[tuple[str, ...]] = ("huggingface_hub",)
    install = "hugginggpt"
    loads = "inference provider"

    @property
    def method(self) -> str:
        """The method of `InferenceClient` that does it: named as the kind, unless an expert says so."""
        return self.kind.replace("-", "_")

    def load(self, card: ModelCard, surroundings: Surroundings) -> RemoteModel:
        """Nothing is loaded: the way to the model."""
        return RemoteModel(card, surroundings.settings)

    @abstractmethod
    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        """The method's arguments, without the model."""

    def run(self, model: RemoteModel, prepared: Mapping[str, Any], deadline: Deadline) -> Any:
        """Ask the provider."""
        return model.ask(self.method, prepared, self.read, deadline)

    @abstractmethod
    def read(self, answer: Any) -> Any:
        """What the provider answered, as plain data. What it raises says that the answer makes no sense."""
