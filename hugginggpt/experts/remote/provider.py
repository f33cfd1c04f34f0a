"""The base of the remote experts, and the client that calls a model at an inference provider."""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, ClassVar, TypeVar

from PIL.Image import DecompressionBombError

from hugginggpt.addresses import shown
from hugginggpt.costs import reported_cost
from hugginggpt.deadline import POLL_SECONDS, Deadline
from hugginggpt.errors import ExpertError, ExpertUnavailableError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Spending
from hugginggpt.media.problem import ContentProblem
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.redaction import said
from hugginggpt.retry_after import retry_after
from hugginggpt.settings import Settings

_T = TypeVar("_T")

# A provider that is silent for this long will not answer; other candidates get the rest of the time.
_SILENCE_SECONDS = 120.0

# How long to wait in all for a provider that says how long it is busy or loading.
_PATIENCE_SECONDS = 60.0

# The exceptions that an answer of the wrong shape, or a damaged picture or recording, leads to.
_INVALID_ANSWER = (
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
    """One model, called through `huggingface_hub.InferenceClient`."""

    def __init__(self, card: ModelCard, settings: Settings) -> None:
        self._card = card
        self._spending: Spending | None = None
        self._provider = settings.inference_provider
        self._token = settings.hf_token.get_secret_value() if settings.hf_token else None
        self._secrets = [self._token] if self._token else []
        base = settings.inference_endpoint
        self._model = f"{base.rstrip('/')}/models/{card.id}" if base else card.id
        self._where = shown(base) if base else f"The inference provider ({self._provider})"
        if self._token is None and base is None:
            raise ExpertError(f"Running {card.id} remotely needs a token: set HF_TOKEN.")

    def paid_from(self, spending: Spending | None) -> "RemoteModel":
        """The same model, for one request."""
        model = copy(self)
        model._spending = spending
        return model

    def call(self, method: str, arguments: Mapping[str, Any], parse: Callable[[Any], _T], deadline: Deadline) -> _T:
        """Call a method of the client. If the provider says how long it is busy, wait and call again.

        Args:
            method: the name of the method.
            arguments: its arguments, without the model.
            parse: turns the answer into a result. Any exception here means that the answer is invalid.

        Raises:
            ExpertUnavailableError: the provider is busy, loading the model or out of reach.
            NotServedError: it does not do this task with this model.
            CostCeilingError: the request may not spend more.
            ExpertError: it refused this account or the input, or its answer is invalid.
            DeadlineExceededError: it did not answer in time.
        """
        from huggingface_hub.errors import HfHubHTTPError

        if self._spending is not None:
            self._spending.check()
        patience = _PATIENCE_SECONDS
        while True:
            deadline.check()
            try:
                answer = self._call(method, arguments, deadline)
                break
            except HfHubHTTPError as error:
                wait = _asked_to_wait(error.response)
                if wait is None or wait > min(patience, deadline.remaining()):
                    raise self._for_status(error, wait) from None
            patience -= max(wait, POLL_SECONDS)
            deadline.sleep(max(wait, POLL_SECONDS))
        cost = reported_cost(getattr(answer, "usage", None))
        if self._spending is not None and cost is not None:
            self._spending.add(cost)
        try:
            return parse(answer)
        except _INVALID_ANSWER as error:
            raise self._invalid_answer(error) from None

    def _call(self, method: str, arguments: Mapping[str, Any], deadline: Deadline) -> Any:
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
            # Without a token in the settings, no other token on this machine is sent.
            headers=None if self._token else {"authorization": None},  # type: ignore[dict-item]
        )
        card = self._card.id
        try:
            # The client's timeout limits only each silence; a server that drips bytes would hold it for ever.
            return deadline.wait_for(lambda: getattr(client, method)(**arguments, model=self._model))
        except TextGenerationError as error:
            # The class depends on the server's own type of error; the status is more reliable.
            if isinstance(error.__cause__, HfHubHTTPError):
                raise error.__cause__ from None
            raise self._invalid_answer(error) from None
        except HfHubHTTPError:
            raise
        except InferenceTimeoutError:
            deadline.check()
            raise ExpertUnavailableError(f"{self._where} did not answer in time for {card}: try again later.") from None
        except OfflineModeIsEnabled:
            raise ExpertError(
                f"HF_HUB_OFFLINE forbids running {card} remotely: unset it, or choose a local model."
            ) from None
        except httpx2.HTTPError as error:
            reason = type(error).__name__
            raise ExpertUnavailableError(
                f"{self._where} cannot be reached to run {card} ({reason}): try again later."
            ) from None
        except StopIteration:
            # The client takes the first provider of a list without checking that there is one.
            raise NotServedError(f"No inference provider serves {card}: choose another model.") from None
        except _INVALID_ANSWER as error:
            # The client raises the same class for a model or task that is not served and for invalid JSON.
            words = str(error)
            if isinstance(error, ValueError) and ("not supported" in words or "doesn't support" in words):
                raise NotServedError(f"{self._where} cannot run {card}: {said(error, *self._secrets)}.") from None
            raise self._invalid_answer(error) from None

    def _invalid_answer(self, error: Exception) -> ExpertError:
        words = said(error, *self._secrets)
        return ExpertError(
            f"{self._where} returned an invalid answer for {self._card.id} ({words}): choose another model."
        )

    def _for_status(self, error: Any, wait: float | None) -> ExpertError:
        status, card, where = error.response.status_code, self._card.id, self._where
        words = said(error.server_message or "", *self._secrets)
        detail = f" ({words})" if words else ""
        later = f"try again in {math.ceil(wait)} s" if wait else "try again later"
        match status:
            case 401 | 403:
                return ExpertError(f"{where} refused HF_TOKEN for {card}{detail}: set a token that has access.")
            case 402:
                return ExpertError(
                    f"The account of HF_TOKEN has no inference credit left for {card}{detail}: "
                    "buy some, set another token, or choose a local model."
                )
            case 404 | 410:
                return NotServedError(f"{where} does not serve {card}{detail}: choose another model.")
            case 429:
                return ExpertUnavailableError(f"{where} got too many requests for {card}{detail}: {later}.")
            case 503:
                return ExpertUnavailableError(f"{where} is still loading {card}{detail}: {later}.")
            case 408:
                return ExpertUnavailableError(f"{where} gave up waiting for {card}{detail}: {later}.")
            case _ if status >= 500 or status == 424:  # 424: from text-generation-inference, if generating failed
                return ExpertUnavailableError(f"{where} failed to run {card} with HTTP {status}{detail}: {later}.")
            case _:
                return ExpertError(
                    f"{where} refused the input for {card} with HTTP {status}{detail}: "
                    "change the input, or choose another model."
                )


def _asked_to_wait(response: Any) -> float | None:
    """How many seconds a busy provider asks to wait; None if it does not say."""
    if response.status_code not in (429, 503):
        return None
    if (asked := retry_after(response.headers)) is not None:
        return asked
    try:
        estimated = float(response.json()["estimated_time"])
    except (ValueError, TypeError, LookupError):
        return None
    return max(0.0, estimated) if math.isfinite(estimated) else None


class RemoteExpert(Expert):
    """Runs a task of `InferenceClient`: prepare the arguments, call the method, parse the answer."""

    endpoint = Endpoint.REMOTE
    packages: ClassVar[tuple[str, ...]] = ("huggingface_hub",)
    requirement = "hugginggpt"
    pool_key = "inference provider"

    @property
    def method(self) -> str:
        """The method of `InferenceClient`; by default the name of the kind with underscores."""
        return self.kind.replace("-", "_")

    def load(self, card: ModelCard, context: ExpertContext) -> RemoteModel:
        """Nothing is loaded: the model is a client of the provider."""
        return RemoteModel(card, context.settings)

    def for_request(self, model: RemoteModel, context: ExpertContext) -> RemoteModel:
        """The model, with the budget of the request."""
        return model.paid_from(context.spending)

    @abstractmethod
    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        """The method's arguments, without the model."""

    def run(self, model: RemoteModel, prepared: Mapping[str, Any], deadline: Deadline) -> Any:
        return model.call(self.method, prepared, self.parse, deadline)

    @abstractmethod
    def parse(self, answer: Any) -> Any:
        """Turn the provider's answer into plain data. Any exception means that the answer is invalid."""
