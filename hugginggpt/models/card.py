"""Facts about a model, and the choice among models for a task."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

from hugginggpt.models.figures import Figures


class Endpoint(StrEnum):
    """Where a model can run."""

    EMBEDDED = "embedded"
    CONTROLLER = "controller"
    LOCAL = "local"
    REMOTE = "remote"


class ModelCard(BaseModel):
    """The facts about a model that selection needs.

    Attributes:
        id: name on the Hub, or the package's own name for an embedded model.
        revision: commit on the Hub, or version of an embedded model; None while unknown. If the
            controller writes the answer, its model follows after a "+".
        bytes: size of the weights; None while unknown.
        runs_on: the endpoints that can serve it in principle.
        sha256: expected hash of each file, by its name, for embedded models and for models without a safe format, of
            which no other file is loaded.
        companions: ids on the Hub of models that it needs, such as a vocoder or the pipeline of a ControlNet.
        safetensors: its weights come as safetensors; None while unknown, and for tables.
        custom_code: it needs code from its own repository, which is never run here.
        needs: Python packages that it needs in addition to its expert's.
        served: an inference provider serves it; None while unknown.
        tag: the Hub's pipeline tag; None while unknown.
        hub: base URL of the Hub that these facts come from; None for the bundled list.
        narrow: it does only a part of its kind, such as one person, one language or one sort of text.
        controller: the controller's model, if that writes the answer from this model's output.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    revision: str | None = None
    library: str | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ()
    downloads: int = 0
    likes: int = 0
    bytes: int | None = None
    gated: bool = False
    description: str = ""
    runs_on: tuple[Endpoint, ...] = ()
    sha256: dict[str, str] = {}
    companions: tuple[str, ...] = ()
    safetensors: bool | None = None
    custom_code: bool = False
    needs: tuple[str, ...] = ()
    served: bool | None = None
    tag: str | None = None
    hub: str | None = None
    narrow: bool = False
    controller: str | None = None

    def answered_by(self, controller: str) -> Self:
        """The card of this model combined with a controller, so that caches and traces name both."""
        revision = f"{self.revision or 'main'}+{controller}"
        return self.model_copy(update={"revision": revision, "controller": controller})

    @property
    def weights_revision(self) -> str | None:
        """The revision without the controller's model."""
        if self.revision is None or self.controller is None:
            return self.revision
        return self.revision.removesuffix(f"+{self.controller}")


class Candidate(BaseModel):
    """A model at one endpoint, and why it can or cannot run here.

    Attributes:
        obstacle: one sentence that says why it cannot run; None if it can.
        installed: its weights are on this machine (always so for embedded models and the controller).
        figures: its measurements on this installation; None if it has not run lately.
    """

    model_config = ConfigDict(frozen=True)

    card: ModelCard
    endpoint: Endpoint
    installed: bool = False
    obstacle: str | None = None
    figures: Figures | None = None

    @property
    def name(self) -> str:
        """`id@revision` as caches and traces name it."""
        return f"{self.card.id}@{self.card.revision or 'main'}"


class ModelChoice(BaseModel):
    """The candidate chosen for a planned task, why, and the rest in fallback order.

    Attributes:
        chosen_by: "request" if that names it, "controller" if it picked among several, otherwise "ranking".
        provisional: the controller gave no usable answer, so it is worth asking again.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    chosen: Candidate
    reason: str
    chosen_by: str
    provisional: bool = False
    alternatives: tuple[Candidate, ...] = ()

    @property
    def ranked(self) -> tuple[Candidate, ...]:
        """The chosen candidate, then its fallbacks."""
        return (self.chosen, *self.alternatives)
