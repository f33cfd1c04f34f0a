"""What calls cost: by the settings, by public prices, by what a server reports."""

import pytest

from hugginggpt.costs import Budget, check_prices, controller_cost, is_free, reported_cost
from hugginggpt.errors import CostCeilingError, UsageError
from hugginggpt.settings import Settings

KEY = "sk-" + "x" * 20


def test_prices_of_the_settings_come_before_public_ones() -> None:
    listed = Settings(openai_api_key=KEY, controller_model="gpt-4o")
    assert controller_cost(listed, 1_000_000, 0) == 2_500_000
    assert controller_cost(listed, 0, 1_000_000) == 10_000_000
    own = Settings(openai_api_key=KEY, controller_model="gpt-4o", price_per_million_prompt_tokens=1.0)
    assert controller_cost(own, 1_000_000, 1_000_000) == 1_000_000


@pytest.mark.parametrize(
    ("server", "model"),
    [
        ("http://127.0.0.1:11434/v1", "gpt-4o"),
        ("https://api.openai.com/v1", "nobody-knows"),
        ("https://llm.example.com/v1", "qwen3:8b"),
    ],
)
def test_nobody_knows_the_prices_of_other_servers(server: str, model: str) -> None:
    settings = Settings(openai_base_url=server, controller_model=model)
    assert controller_cost(settings, 1000, 1000) is None
    with pytest.raises(
        UsageError, match=f"The prices of {model} are not known.*HUGGINGGPT_PRICE_PER_MILLION.* or both"
    ):
        check_prices(settings)
    check_prices(settings.model_copy(update={"price_per_million_completion_tokens": 2.0}))


@pytest.mark.parametrize(
    ("server", "model"),
    [
        ("https://openrouter.ai/api/v1", "openai/gpt-5"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gemini-2.5-flash"),
        ("https://api.mistral.ai/v1", "mistral-small-latest"),
        ("https://company.openai.azure.com/openai/v1?api-version=preview", "gpt-4o"),
        ("https://api.deepseek.com", "deepseek-chat"),
    ],
)
def test_public_prices_are_found_by_server_and_model(server: str, model: str) -> None:
    settings = Settings(openai_base_url=server, openai_api_key=KEY, controller_model=model)
    check_prices(settings)
    assert (controller_cost(settings, 1_000_000, 1_000_000) or 0) > 10_000


def test_what_is_free() -> None:
    assert is_free(Settings())
    assert controller_cost(Settings(), 1000, 1000) is None
    check_prices(Settings())
    free = Settings(
        openai_base_url="http://127.0.0.1:1/v1",
        price_per_million_prompt_tokens=0.0,
        price_per_million_completion_tokens=0.0,
    )
    assert is_free(free) and controller_cost(free, 1000, 1000) == 0
    check_prices(free)
    assert not is_free(Settings(openai_api_key=KEY))


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 0.00125}, 1250),
        ({"estimated_cost": 2e-6}, 2),
        ({"cost": "0.5"}, 500_000),
        ({"cost": None, "total_cost": 1}, 1_000_000),
        ({"cost": {"total": 1}}, None),
        ({"cost": -1.0}, None),
        ({"cost": float("nan")}, None),
        ({"cost": float("inf")}, None),
        ({"cost": 1e30}, None),
        ({"prompt_tokens": 5}, None),
        ([1, 2], None),
        ("free", None),
        (None, None),
    ],
)
def test_what_servers_report(usage: object, cost: int | None) -> None:
    assert reported_cost(usage) == cost


def test_a_ceiling_that_is_reached() -> None:
    Budget(ceiling=None, spent=10**9).check()
    Budget(ceiling=10, spent=9).check()
    for spent in (10, 11):
        with pytest.raises(CostCeilingError, match="raise its ceiling"):
            Budget(ceiling=10, spent=spent).check()
    with pytest.raises(CostCeilingError, match=r"has cost 0 of at most 0 US dollars: "):
        Budget(ceiling=0, spent=0).check()
    with pytest.raises(CostCeilingError, match=r"has cost 0\.300001 of at most 0\.3 US dollars: "):
        Budget(ceiling=300_000, spent=300_001).check()
