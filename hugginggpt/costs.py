"""What calls cost in US dollars, and what a request may cost."""

import math
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from hugginggpt.errors import CostCeilingError, UsageError
from hugginggpt.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
"""The controller's server when the settings name none."""

# OpenRouter and LiteLLM report "cost", DeepInfra "estimated_cost".
_REPORTED = ("cost", "total_cost", "estimated_cost")
_MOST_DOLLARS = 1e6
_TYPICAL_TOKENS = 1000


class Budget(BaseModel):
    """What a request may cost and has cost so far, in millionths of a US dollar."""

    model_config = ConfigDict(frozen=True)

    ceiling: int | None
    spent: int

    def check(self) -> None:
        """Raise if the ceiling is reached.

        Raises:
            CostCeilingError: nothing that costs money may be called again for this request.
        """
        if self.ceiling is not None and self.spent >= self.ceiling:
            raise CostCeilingError(
                f"The request has cost {_dollars(self.spent)} of at most {_dollars(self.ceiling)} US dollars: "
                "raise its ceiling."
            )


def _dollars(microdollars: int) -> str:
    return f"{microdollars / 1e6:.6f}".rstrip("0").rstrip(".")


def check_prices(settings: Settings) -> None:
    """Raise if nobody knows what calls to the controller cost.

    Raises:
        UsageError: this is so.
    """
    if not is_free(settings) and controller_cost(settings, _TYPICAL_TOKENS, _TYPICAL_TOKENS) is None:
        raise UsageError(
            f"The prices of {settings.controller_model} are not known, so its costs cannot be kept below a ceiling: "
            "set HUGGINGGPT_PRICE_PER_MILLION_PROMPT_TOKENS or HUGGINGGPT_PRICE_PER_MILLION_COMPLETION_TOKENS, or both "
            "(one that is not set counts as 0), or leave the ceiling out."
        )


def is_free(settings: Settings) -> bool:
    """Whether calls to the controller cost nothing: it is the embedded one, or its prices are set to 0."""
    prices = _set_prices(settings)
    return settings.uses_embedded_controller if prices is None else prices == (0.0, 0.0)


def controller_cost(settings: Settings, prompt_tokens: int, completion_tokens: int) -> int | None:
    """What a call to the controller costs, in millionths of a US dollar.

    The prices are those of the settings; without them, those that the package `genai-prices` lists for the model at
    this server.

    Returns:
        None for the embedded controller without prices of its own, and if nobody knows.
    """
    prices = _set_prices(settings)
    if prices is None and settings.uses_embedded_controller:
        return None
    if prices is None:
        return _listed(
            settings.openai_base_url or OPENAI_URL, settings.controller_model, prompt_tokens, completion_tokens
        )
    # Dollars per million tokens equal millionths of a dollar per token.
    return round(prompt_tokens * prices[0] + completion_tokens * prices[1])


def reported_cost(usage: Any) -> int | None:
    """What a server says that a call has cost, in millionths of a US dollar.

    Args:
        usage: the field of this name in its answer, or headers.
    """
    for name in _REPORTED:
        try:
            dollars = float(usage[name])
        except (TypeError, ValueError, LookupError):
            continue
        if math.isfinite(dollars) and 0 <= dollars <= _MOST_DOLLARS:
            return round(dollars * 1e6)
    return None


def _set_prices(settings: Settings) -> tuple[float, float] | None:
    prompt, completion = settings.price_per_million_prompt_tokens, settings.price_per_million_completion_tokens
    return None if prompt is None and completion is None else (prompt or 0.0, completion or 0.0)


@lru_cache(maxsize=1024)
def _listed(server: str, model: str, prompt_tokens: int, completion_tokens: int) -> int | None:
    """By the public prices of a model, which `genai-prices` ships. Nothing is fetched."""
    from genai_prices import Usage, calc_price

    used = Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens)
    try:
        return round(float(calc_price(used, model, provider_api_url=server).total_price) * 1e6)
    except LookupError:
        return None
