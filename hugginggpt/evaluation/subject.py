"""What an evaluation is about: which controller plans which dataset, and with what."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.controller import embedded
from hugginggpt.controller.client import Controller
from hugginggpt.controller.prompts import prompt_hash
from hugginggpt.errors import UsageError
from hugginggpt.evaluation.datasets import Dataset
from hugginggpt.plan.grammar import plan_grammar
from hugginggpt.settings import Settings, data_folder

ControllerChoice = Literal["embedded", "openai"]

# Of a grammar without sources and words only the empty plan would be left.
_SOURCES = {type: [f"one {type}"] for type in ValueType}
_TEXT = 'Read it aloud: "Good morning"'


class Subject(BaseModel):
    """What has to stay the same for predictions to be of use again.

    Attributes:
        model: the controller's model.
        planner_sha256: hash of the prompts by which this controller plans and the table of kinds; for
            the embedded controller also its grammar and weights, for a server its address.
    """

    model_config = ConfigDict(frozen=True)

    dataset_sha256: str
    controller: ControllerChoice
    model: str
    planner_sha256: str


def subject_of(dataset: Dataset, settings: Settings) -> Subject:
    """The subject of evaluating the controller of the settings on a dataset.

    Raises:
        ControllerError: the embedded planner's weights are not there.
    """
    controller = Controller.from_settings(settings)
    return Subject(
        dataset_sha256=dataset.sha256,
        controller="embedded" if controller.embedded else "openai",
        model=controller.model,
        planner_sha256=_planner_sha256(controller, settings),
    )


def settings_with(settings: Settings, choice: ControllerChoice | None) -> Settings:
    """The settings, but with the controller that is asked for.

    Raises:
        UsageError: an OpenAI-compatible server is asked for, and none is configured.
    """
    if choice == "openai" and settings.uses_embedded_controller:
        raise UsageError("There is no server for the controller 'openai': set OPENAI_API_KEY or OPENAI_BASE_URL.")
    if choice == "embedded":
        return settings.model_copy(update={"openai_api_key": None, "openai_base_url": None})
    return settings


def _planner_sha256(controller: Controller, settings: Settings) -> str:
    family = "planner" if controller.plans_in_notation else "planning"
    prompts = sorted(path.stem for path in data_folder("prompts").glob(f"{family}*.j2"))
    digest = hashlib.sha256("".join(prompt_hash(name) for name in prompts).encode())
    digest.update(repr(list(CAPABILITIES.values())).encode())
    if controller.plans_in_notation:
        digest.update(plan_grammar(CAPABILITIES, _SOURCES, _TEXT).encode())
    if not controller.embedded:
        digest.update(controller.label.encode())
        return digest.hexdigest()
    for path in _weights(settings):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _weights(settings: Settings) -> list[Path]:
    """The planner's adapter, and the base model if it is not the packaged one, which never changes."""
    adapter, base = embedded.planner(settings), settings.embedded_controller_gguf
    return [path for path in (adapter, base and base.expanduser()) if path is not None and path.is_file()]
