"""Options of the commands, and settings of the environment."""

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner
from pydantic import ValidationError

from apps.cli.main import main
from hugginggpt import services
from hugginggpt.artifacts import ArtifactStore
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.costs import check_prices
from hugginggpt.errors import ConfigurationError, DatabaseUnavailableError, TraceError, UsageError
from hugginggpt.request import RequestOptions
from hugginggpt.settings import Settings, get_settings
from hugginggpt.trace.store import Trace
from tests.fuzz.case import Case
from tests.fuzz.material import characters, pumped, raw, value
from tests.fuzz.names import name
from tests.fuzz.urls import address

NUMBERS = (
    "nan", "-nan", "inf", "-inf", "1e999", "-0", "0", "-1", "1", "2.5", "1e-320", "9" * 400, "9" * 5000, "1_0", " 1",
    "0x1", "١", "", "x", "1,5", "--",
)  # fmt: skip
STANDARD = {
    "openai_api_key": "OPENAI_API_KEY",
    "openai_base_url": "OPENAI_BASE_URL",
    "hf_token": "HF_TOKEN",
    "hf_endpoint": "HF_ENDPOINT",
    "hf_hub_offline": "HF_HUB_OFFLINE",
}


def open_area(folder: Path) -> "Options":
    """A home folder and files for the commands."""
    return Options(folder)


class Options:
    """Makes arguments and environments."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "a.txt").write_text("words")
        (folder / "plan.json").write_text('[{"task": "summarization", "id": 0, "dep": [-1], "args": {"text": "x"}}]')
        services.get_trace()

    def case(self, rng: random.Random) -> Case:
        """A command, or an environment."""
        kind = rng.randrange(10)
        if kind < 5:
            return self._command(rng)
        return self._environment(rng) if kind < 9 else self._request_options(rng)

    def _command(self, rng: random.Random) -> Case:
        odd = _argument(rng)
        number = rng.choice((*NUMBERS, odd))
        here = str(self._folder / rng.choice(("a.txt", "plan.json", "none", "")))
        commands: tuple[Callable[[], list[str]], ...] = (
            lambda: ["trace", "list", "--limit", number],
            lambda: ["trace", "list", "--conversation", odd, "--json"],
            lambda: ["trace", "show", odd],
            lambda: ["trace", "export", odd, "--out", here],
            lambda: ["cancel", odd, odd],
            lambda: ["resume", odd],
            lambda: [
                "prune",
                rng.choice(("--max-age-days", "--keep-artifacts-gb", "--keep-weights-gb")),
                number,
                "--dry-run",
            ],
            lambda: ["models", "--kind", rng.choice((odd, odd.upper(), rng.choice(sorted(CAPABILITIES)))), "--json"],
            lambda: ["models", "fetch", odd],
            lambda: ["kinds", odd],
            lambda: ["evaluate", "--dataset", here, "--limit", rng.choice(("0", "-1", "x", "nan"))],
            lambda: [
                "submit",
                rng.choice(("Read it", odd)),
                "--later",
                rng.choice(("--deadline", "--max-cost")),
                number,
            ],
            lambda: ["submit", rng.choice(("Read it", odd)), "--later", "--file", rng.choice((odd, here)), "--json"],
            lambda: ["submit", "Read it", "--later", "--id", odd, "--conversation", odd],
            lambda: ["submit", rng.choice(("Read it", odd)), "--later", "--plan", rng.choice((here, odd))],
            lambda: ["submit", "--later", "--batch", here],
            lambda: [odd],
            lambda: [rng.choice(("trace", "models", "up", "ask")), f"--{odd}"],
        )
        arguments = rng.choice(commands)()

        def run() -> None:
            result = CliRunner(catch_exceptions=False).invoke(main, arguments)
            assert result.exit_code in (0, 1, 2, 3), f"exit code {result.exit_code}"
            said = result.output
            if "Something unexpected happened" in said:
                raise AssertionError(said.partition("Something unexpected happened: ")[2][:100])
            assert "Traceback" not in said
            assert not any(c in said for c in "\x00\x07\x1b\x9b"), "a command to the terminal"
            said.encode()

        return Case(f"hugginggpt {' '.join(arguments[:2]) if len(arguments) > 1 else '?'}", arguments, run, ())

    def _environment(self, rng: random.Random) -> Case:
        fields = rng.sample([*Settings.model_fields], rng.choice((1, 1, 1, 2, 40)))
        variables = {STANDARD.get(field, f"HUGGINGGPT_{field.upper()}"): _setting(rng, field) for field in fields}

        def run() -> None:
            with _environment(variables):
                settings = get_settings()
                texts = [
                    settings.database,
                    settings.artifacts,
                    str(settings.home_dir),
                    str(settings.models_cache_dir),
                    str(settings.results_dir),
                ]
                for text in (*texts, *settings.places.values()):
                    text.encode("utf-8", "surrogateescape")
                ArtifactStore.from_settings(settings).location.encode("utf-8", "surrogateescape")
                if "HUGGINGGPT_DATABASE_URL" in variables:
                    Trace.open(settings).close()

        refusals = (ConfigurationError, DatabaseUnavailableError, TraceError)
        return Case(f"get_settings with {', '.join(sorted(variables)[:2])}", variables, run, refusals)

    def _request_options(self, rng: random.Random) -> Case:
        number = rng.choice((*NUMBERS, 1, 0, -1, 1e308, 10**400, float("nan"), float("inf"), True, None, [], {}))
        given = {
            rng.choice(("deadline", "max_cost", "fresh", "plan", "x")): rng.choice(
                (number, value(rng), [{}], [{"a": number}])
            )
            for _ in range(2)
        }

        def run() -> None:
            try:
                options = RequestOptions(**given)  # type: ignore[arg-type]
            except ValidationError:
                return  # what Prefect and FastAPI show as it is
            if options.max_cost is not None:
                check_prices(get_settings())
            kept = json.loads(json.dumps(options.model_dump(mode="json")))
            assert RequestOptions.kept(kept) == options, "other options when they are read back"
            (options.plan_text or "").encode()

        return Case("RequestOptions", given, run, (UsageError,))


def _argument(rng: random.Random) -> str:
    """What an argument of a command can be: bytes without NUL, as Python hands them over."""
    text = rng.choice(
        (
            value(rng),
            characters(rng, 40),
            name(rng),
            os.fsdecode(rng.randbytes(8)),
            pumped(rng, ("a", "-", "/", "é", "%"), 20_000),
        )
    )
    return _as_argument(text)


def _as_argument(text: str) -> str:
    return os.fsdecode(raw(text).replace(b"\0", b""))


def _setting(rng: random.Random, field: str) -> str:
    """A value that a variable of the environment can have."""
    match rng.randrange(6):
        case 0 | 1:
            return rng.choice(NUMBERS)
        case 2:
            return _as_argument(address(rng))
        case 3:
            folders = (
                "~nobody-here/x", "~", "/dev/null/x", "/proc/x", "a" * 5000, "memory://", "s3://", "s3://a:b@h/x",
                "file://h/x", "file:///x", "::", "zip::x", ":", "x" * 300,
            )  # fmt: skip
            return rng.choice(folders)
        case 4:
            databases = (
                "sqlite:///x\udc80.db", "sqlite://", "sqlite:////dev/null/x", "sqlite:///" + "a" * 300, "x://",
                "postgresql://u:p@127.0.0.1:1/x", "postgresql://u:p@[::1/x", "mysql://h/x",
                "sqlite:///x?mode=ro&uri=true", "sqlite+nothing:///x", "://", "postgresql://h:99999/x",
                "sqlite:///:memory:", "postgresql+asyncpg://127.0.0.1:1/x", "sqlite:///.", "sqlite:///?x",
                "postgresql://127.0.0.1:1/x?connect_timeout=x",
            )  # fmt: skip
            return rng.choice(databases)
        case _:
            return _argument(rng)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """The variables for as long as the block runs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    get_settings.cache_clear()
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old
        get_settings.cache_clear()
