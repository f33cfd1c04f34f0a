"""The Hugging Face Hub as a source of model cards.

Everything here answers within seconds or returns None; without the Hub, the bundled list remains.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.deadline import Deadline
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.models.files import TABULAR
from hugginggpt.redaction import said
from hugginggpt.settings import Settings

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

logger = logging.getLogger(__name__)

T = TypeVar("T")

LIMIT = 20
"""The most models that one lookup of a kind returns."""

PROBE_SECONDS = 3.0
LOOKUP_SECONDS = 10.0
PROBE_KEEPS_SECONDS = 60.0

LOCAL_LIBRARIES = frozenset({"transformers", "diffusers", "sentence-transformers"})

_EXPAND = (
    "cardData",
    "config",
    "downloads",
    "gated",
    "inference",
    "library_name",
    "likes",
    "pipeline_tag",
    "safetensors",
    "sha",
    "siblings",
    "tags",
)
_BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16}
_OFFLINE = "HF_HUB_OFFLINE is set: unset it"

_probes: dict[str, tuple[float, bool]] = {}
_probing = threading.Lock()


class Hub:
    """The Hub that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.hf_endpoint.rstrip("/")
        self._offline = settings.hf_hub_offline
        self._token = settings.hf_token

    def obstacle(self) -> str | None:
        """Why models cannot be downloaded, as the end of a sentence; None if they can.

        A process tries to reach the Hub at most once a minute.
        """
        if self._offline:
            return _OFFLINE
        with _probing:
            at, reachable = _probes.get(self.url, (0.0, False))
            if not at or time.monotonic() - at > PROBE_KEEPS_SECONDS:
                reachable = self._probe()
                _probes[self.url] = (time.monotonic(), reachable)
        return None if reachable else f"the Hub at {self.url} cannot be reached: check the network or HF_ENDPOINT"

    def cards(self, kind: str) -> list[ModelCard] | None:
        """The most downloaded models of a kind, at most `LIMIT`; None if the Hub does not answer."""
        tag = CAPABILITIES[kind].pipeline_tag
        if tag is None or self.obstacle():
            return None
        filters = "conversational" if kind == "conversational" else None

        def ask() -> list["ModelInfo"]:
            found = self._api().list_models(
                pipeline_tag=tag, filter=filters, sort="downloads", limit=LIMIT, expand=cast(Any, list(_EXPAND))
            )
            return list(found)

        infos = self._answer(f"list the models of {kind}", ask)
        if infos is None:
            return None
        # A Hub that marks some models as served marks all of them.
        tells = any(info.inference for info in infos)
        # The Hub tags ControlNets as image-to-image models, but they need a pipeline for that.
        whole = [info for info in infos if "controlnet" not in (info.tags or [])]
        return [_card(info, kind, self.url, tells) for info in whole if info.pipeline_tag in (tag, None)]

    def card(self, model: str, kind: str) -> ModelCard | None:
        """The Hub's card of one model; None if it has no such model or does not answer."""
        if self.obstacle():
            return None

        def ask() -> "ModelInfo | None":
            from huggingface_hub.errors import RepositoryNotFoundError

            try:
                return self._api().model_info(model, timeout=LOOKUP_SECONDS, expand=cast(Any, list(_EXPAND)))
            except RepositoryNotFoundError:
                return None

        info = self._answer(f"look up {model}", ask)
        return None if info is None else _card(info, kind, self.url, tells=False)

    def lacks(self, model: str, revision: str) -> bool:
        """Whether the Hub says that it has the model but not this revision."""
        if self.obstacle():
            return False

        def ask() -> bool:
            from huggingface_hub.errors import RevisionNotFoundError

            try:
                self._api().model_info(model, revision=revision, timeout=LOOKUP_SECONDS, expand=["sha"])
            except RevisionNotFoundError:
                return True
            return False

        return self._answer(f"look up {model} at {revision}", ask) is True

    def _probe(self) -> bool:
        import httpx

        try:
            answer = httpx.get(
                f"{self.url}/api/models", params={"limit": 1}, timeout=PROBE_SECONDS, follow_redirects=True
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            logger.info("The Hub at %s cannot be reached: %s.", self.url, type(error).__name__)
            return False
        if not answer.is_success:
            logger.info("The Hub at %s answered with HTTP %d.", self.url, answer.status_code)
        return answer.is_success

    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=self._token.get_secret_value() if self._token else False)

    def _answer(self, what: str, ask: Callable[[], T]) -> T | None:
        """The Hub's answer, or None and a line in the log: no error of the Hub may stop a request."""
        # The client library reads this variable once, when it is imported.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import httpx2

        try:
            # The client has no timeout for a whole call, and retries for half a minute.
            try:
                return Deadline(LOOKUP_SECONDS).wait_for(ask)
            except httpx2.ReadError:
                # When the client library retries one call, it closes the connections of all others.
                return Deadline(LOOKUP_SECONDS).wait_for(ask)
        except Exception as error:
            logger.warning("Could not %s at %s (%s: %s).", what, self.url, type(error).__name__, said(error))
            answer = getattr(error, "response", None)
            if answer is None or answer.status_code >= 500:
                # The Hub went down since the last probe: spare the next lookups the wait.
                with _probing:
                    _probes[self.url] = (time.monotonic(), False)
            return None


def forget_probes(older_than: float = 0.0) -> None:
    """Probe every Hub again at the next lookup if its last probe is older than this many seconds."""
    oldest = time.monotonic() - older_than
    with _probing:
        for url in [url for url, (at, _) in _probes.items() if at <= oldest]:
            del _probes[url]


def _card(info: "ModelInfo", kind: str, url: str, tells: bool) -> ModelCard:
    tags = info.tags or []
    facts: dict[str, Any] = dict(vars(info.card_data)) if info.card_data else {}
    library = info.library_name or next((t for t in tags if t in LOCAL_LIBRARIES), None)
    safetensors = _has_safetensors(info)
    local = library in LOCAL_LIBRARIES or _has_skops(info) or (library is None and safetensors is not False)
    licence = facts.get("license") or next((t.removeprefix("license:") for t in tags if t.startswith("license:")), None)
    return ModelCard(
        id=info.id,
        kind=kind,
        revision=info.sha,
        library=library,
        licence=licence if isinstance(licence, str) else None,
        languages=_words(facts.get("language")),
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        bytes=_size(info),
        gated=bool(info.gated),
        description=_description(info, facts, library),
        runs_on=(Endpoint.LOCAL, Endpoint.REMOTE) if local else (Endpoint.REMOTE,),
        safetensors=None if _has_skops(info) else safetensors,
        custom_code="custom_code" in tags or "auto_map" in (info.config or {}),
        needs=("timm",) if "timm" in tags else (),
        served=bool(info.inference) if tells else None,
        tag=info.pipeline_tag,
        hub=url,
    )


def _has_safetensors(info: "ModelInfo") -> bool | None:
    if info.safetensors or "safetensors" in (info.tags or []):
        return True
    if info.siblings:
        return any(s.rfilename.endswith(".safetensors") for s in info.siblings)
    return None


def _has_skops(info: "ModelInfo") -> bool:
    """Whether there is a scikit-learn model in the format without pickles."""
    return any(s.rfilename.endswith(TABULAR) and "/" not in s.rfilename for s in info.siblings or ())


def _size(info: "ModelInfo") -> int | None:
    """Bytes of the weights, from the number of parameters per type; unknown types count one byte each."""
    parameters = info.safetensors.parameters if info.safetensors else None
    if not parameters:
        return None
    return sum(count * _BITS.get(dtype, 8) // 8 for dtype, count in parameters.items())


def _description(info: "ModelInfo", facts: dict[str, Any], library: str | None) -> str:
    """One line from the model's facts, the most telling first."""
    architecture = (info.config or {}).get("model_type")
    base, data, languages = (_words(facts.get(name)) for name in ("base_model", "datasets", "language"))
    parts = [
        architecture or library or "model",
        f"from {base[0]}" if base else "",
        f"trained on {', '.join(data[:3])}" if data else "",
        f"for {', '.join(languages[:5])}" if languages else "",
    ]
    return " ".join(part for part in parts if part)


def _words(value: object) -> tuple[str, ...]:
    """A metadata field that may be one word, a list of them, or absent."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(v) for v in value) if isinstance(value, list) else ()
