"""Which models from the Hub the settings refuse: by licence, language, organisation and size.

The filters apply to models that come from the Hub or run elsewhere. Embedded models were installed on
purpose and the controller was configured, so neither is refused. Size counts only for models that would
take this machine's disk and memory.
"""

from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings

MULTILINGUAL = "multilingual"
"""What some cards say instead of listing their languages."""


def refusal(card: ModelCard, endpoint: Endpoint, settings: Settings) -> str | None:
    """Why the settings refuse a model at an endpoint: one sentence that names the setting; None if they allow it."""
    if endpoint not in (Endpoint.LOCAL, Endpoint.REMOTE):
        return None
    return (
        _organisation(card, settings)
        or _licence(card, settings)
        or _language(card, settings)
        or (_size(card, settings) if endpoint is Endpoint.LOCAL else None)
    )


def _organisation(card: ModelCard, settings: Settings) -> str | None:
    """Companions are downloaded along with a model, so they count too."""
    for model in (card.id, *card.companions):
        owner = model.partition("/")[0] if "/" in model else ""
        what = model if model == card.id else f"{card.id} needs {model}, which"
        if _among(owner, settings.denied_organisations):
            return f"{what} belongs to {owner}, which HUGGINGGPT_DENIED_ORGANISATIONS lists: choose another model."
        if settings.organisations and not _among(owner, settings.organisations):
            whose = f"belongs to {owner}" if owner else "belongs to no organisation"
            return f"{what} {whose}, and HUGGINGGPT_ORGANISATIONS does not list it: choose another model, or add it."
    return None


def _licence(card: ModelCard, settings: Settings) -> str | None:
    if not settings.licences or (card.licence and _among(card.licence, settings.licences)):
        return None
    known = f"has the licence {card.licence}" if card.licence else "has no known licence"
    return f"{card.id} {known}, and HUGGINGGPT_LICENCES does not list it: choose another model, or add it."


def _language(card: ModelCard, settings: Settings) -> str | None:
    """A model that lists no languages passes: most models of pictures and sounds have none."""
    known = [language.lower() for language in card.languages]
    if not settings.languages or not known or MULTILINGUAL in known:
        return None
    if any(_among(language, settings.languages) for language in known):
        return None
    shown = ", ".join(card.languages[:5]) + (", ..." if len(card.languages) > 5 else "")
    return f"{card.id} knows {shown}, and HUGGINGGPT_LANGUAGES lists none of these: choose another model, or add one."


def _size(card: ModelCard, settings: Settings) -> str | None:
    most = settings.max_model_bytes
    if most is None or (card.bytes is not None and card.bytes <= most):
        return None
    size = "is of unknown size" if card.bytes is None else f"has {card.bytes:,} bytes"
    return f"{card.id} {size}, and HUGGINGGPT_MAX_MODEL_BYTES allows {most:,}: choose another model, or raise it."


def _among(name: str, names: tuple[str, ...]) -> bool:
    return name.lower() in (each.lower() for each in names)
