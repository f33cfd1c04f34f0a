"""What is known of a model, and what selection made of it."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

from hugginggpt.models.figures import Figures


class Endpoint(StrEnum):
    """Where a model runs."""

    EMBEDDED = "embedded"
    CONTROLLER = "controller"
    LOCAL = "local"
    REMOTE = "remote"


class ModelCard(BaseModel):
    """The facts about one model that selection needs.

    Attributes:
        id: name on the Hub, or the package's own name for an embedded model.
        revision: commit on the Hub, version of an embedded model; None while unknown. Where the
            controller writes the answer, its model follows after a "+".
        bytes: size of the weights; None while unknown.
        runs_on: the endpoints that can serve it at all.
        sha256: expected hash of each packaged file, by its name, for embedded models; for others, of the
            only files that are loaded, where they are in no safe format.
        companions: ids on the Hub of the models that it works with: a vocoder, the pipeline of a ControlNet.
        safetensors: its weights come as safetensors; None while unknown, and for tables.
        custom_code: it runs code from its own repository, which never happens here.
        needs: importable packages it needs besides its expert's.
        served: an inference provider serves it; None while unknown.
        tag: what the Hub says it is for; None while unknown.
        hub: base URL of the Hub that told these facts; None for the bundled list.
        controller: the controller's model, where that writes the answer from what this model gives.
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
    controller: str | None = None

    def answered_by(self, controller: str) -> Self:
        """The card of this model and a controller's together, as caches and traces have to name them."""
        revision = f"{self.revision or 'main'}+{controller}"
        return self.model_copy(update={"revision": revision, "controller": controller})

    @property
    def weights_revision(self) -> str | None:
        """The revision of this model alone."""
        if self.revision is None or self.controller is None:
            return self.revision
        return self.revision.removesuffix(f"+{self.controller}")


class Candidate(BaseModel):
    """A model at one endpoint, and why it can or cannot run here.

    Attributes:
        obstacle: one sentence on what stands in the way; None when it can run.
        installed: its weights are on this machine already (embedded and controller always are).
        figures: what was measured of it here; None when it has not run lately.
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
        chosen_by: "controller" when it picked among several, "ranking" otherwise.
        provisional: the controller was asked and gave no usable answer, so asking again is worth it.
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
