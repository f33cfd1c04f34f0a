"""Why a model cannot run here: one sentence that says what to do."""

from hugginggpt.catalog.filters import refusal
from hugginggpt.catalog.hub import Hub
from hugginggpt.experts.device import accelerators
from hugginggpt.experts.registry import expert_for, experts_for, is_installed, missing_packages
from hugginggpt.memory import memory_budget
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings


def find_obstacle(
    card: ModelCard, endpoint: Endpoint, settings: Settings, hub: Hub, *, installed: bool, fetches: bool, listed: bool
) -> str | None:
    """Why a model cannot run at an endpoint; None if it can.

    Finding out whether the Hub can be reached is slow, so that check comes last, and only if it matters.

    Args:
        card: the model.
        endpoint: an endpoint in `card.runs_on`.
        settings: what they allow.
        hub: the Hub to download it from.
        installed: its weights are on this machine.
        fetches: models of this kind may be downloaded, see `Catalog`.
        listed: the Hub may have it.
    """
    if not experts_for(card.kind, endpoint):
        return f"No installed expert does {card.kind} ({endpoint}): install a package that does, or use another kind."
    expert = expert_for(card, endpoint)
    if expert is None:
        return f"No expert for {card.kind} ({endpoint}) runs {card.id}: choose another model."
    if refused := refusal(card, endpoint, settings):
        return refused
    if missing := missing_packages(expert):
        return missing
    if endpoint is Endpoint.CONTROLLER:
        return _controller(card, settings) if expert.needs_large_controller else None
    if endpoint is Endpoint.REMOTE:
        return _remote(card, settings)
    return _weights(card, endpoint, settings) or (
        None if installed else _download(card, settings, hub, fetches=fetches, listed=listed)
    )


def _controller(card: ModelCard, settings: Settings) -> str | None:
    if not settings.uses_embedded_controller or settings.embedded_controller_gguf is not None:
        return None
    return (
        f"{card.id} is too small for {card.kind}: run `hugginggpt models fetch --kind {card.kind}`, "
        "or configure a controller with OPENAI_API_KEY or OPENAI_BASE_URL."
    )


def _weights(card: ModelCard, endpoint: Endpoint, settings: Settings) -> str | None:
    if endpoint is Endpoint.LOCAL:
        if card.custom_code:
            return f"{card.id} needs code from its own repository, which is never run here: choose another model."
        if card.safetensors is False and not card.sha256:
            return f"{card.id} has no safetensors weights, and pickles are never loaded: choose another model."
    missing = [name for name in card.needs if not is_installed(name)]
    if missing:
        return f"{card.id} needs the package {' and '.join(missing)}: run `pip install {' '.join(missing)}`."
    return _memory(card, endpoint, settings)


def _memory(card: ModelCard, endpoint: Endpoint, settings: Settings) -> str | None:
    """An obstacle if the memory cannot hold it. The pool knows more once the model is downloaded."""
    budget = memory_budget(settings)
    if card.bytes is None or card.bytes <= budget:
        return None
    on = accelerators(settings) if endpoint is Endpoint.LOCAL else ()
    # The card may count weights in single precision, which take half of that on an accelerator.
    if any(card.bytes <= 2 * one.budget for one in on):
        return None
    return (
        f"{card.id} needs {_size(card.bytes)} of memory, and {_size(budget)} is allowed: "
        "raise HUGGINGGPT_MODEL_MEMORY, or choose a smaller model."
    )


def _download(card: ModelCard, settings: Settings, hub: Hub, *, fetches: bool, listed: bool) -> str | None:
    if card.gated and settings.hf_token is None:
        return f"{card.id} is gated: accept its terms at {hub.url}/{card.id} and set HF_TOKEN."
    if settings.hf_hub_offline or fetches:
        if unreachable := hub.obstacle():
            or_fetch = f", or run `{_fetching(card)}` while online" if settings.hf_hub_offline else ""
            return f"{card.id} is not installed and {unreachable}{or_fetch}."
        return None if listed else f"{card.id} is not on the Hub at {hub.url}: choose another model."
    return (
        f"{card.id} is not installed, and the embedded controller downloads no models for tasks that it can do itself: "
        f"run `{_fetching(card)}`, or configure a controller with OPENAI_API_KEY or OPENAI_BASE_URL."
    )


def _fetching(card: ModelCard) -> str:
    return f"hugginggpt models fetch {card.id} --kind {card.kind}"


def _remote(card: ModelCard, settings: Settings) -> str | None:
    if settings.hf_hub_offline:
        return f"{card.id} runs remotely and HF_HUB_OFFLINE is set: unset it, or run locally."
    if settings.inference_endpoint is not None:
        return None
    if settings.hf_token is None:
        return f"{card.id} runs remotely, which needs a token: set HF_TOKEN, or HUGGINGGPT_INFERENCE_ENDPOINT."
    if card.served is False:
        return f"No inference provider serves {card.id}: choose another model, or run it locally."
    return None


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
