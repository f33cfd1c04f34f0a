"""The subject of an evaluation: which controller plans which dataset, with which prompts, code and weights."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from hugginggpt.controller.client import Controller
from hugginggpt.controller.version import planner_sha256
from hugginggpt.errors import UsageError
from hugginggpt.evaluation.datasets import Dataset
from hugginggpt.settings import Settings

ControllerChoice = Literal["embedded", "openai"]


class Subject(BaseModel):
    """What must stay the same for predictions to be reusable.

    Attributes:
        model: the controller's model.
        planner_sha256: hash of what this controller's plans depend on, besides the model's name.
    """

    model_config = ConfigDict(frozen=True)

    dataset_sha256: str
    controller: ControllerChoice
    model: str
    planner_sha256: str


def subject_of(dataset: Dataset, settings: Settings) -> Subject:
    """The subject of evaluating the controller of the settings on a dataset.

    Raises:
        ControllerError: the embedded planner's weights are missing.
    """
    controller = Controller.from_settings(settings)
    return Subject(
        dataset_sha256=dataset.sha256,
        controller="embedded" if controller.is_embedded else "openai",
        model=controller.model,
        planner_sha256=planner_sha256(controller),
    )


def settings_with(settings: Settings, choice: ControllerChoice | None) -> Settings:
    """The settings with the chosen controller.

    Raises:
        UsageError: the choice is an OpenAI-compatible server, and none is configured.
    """
    if choice == "openai" and settings.uses_embedded_controller:
        raise UsageError("There is no server for the controller 'openai': set OPENAI_API_KEY or OPENAI_BASE_URL.")
    if choice == "embedded":
        return settings.model_copy(update={"openai_api_key": None, "openai_base_url": None})
    return settings
