"""What an expert is: load, prepare, run, render. The extension point of this project.

A module that offers experts lists instances of its classes in `EXPERTS`, may list the cards of
models that come with it in `CARDS`, and is named by an entry point in the group
`hugginggpt.experts`. Ours register in the same way. docs/extending.md has an example.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hugginggpt.deadline import Deadline
from hugginggpt.experts.weights import Weights
from hugginggpt.media import Value
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings

if TYPE_CHECKING:
    from hugginggpt.controller.client import Controller

Inputs = Mapping[str, Any]
"""Argument name to `Value`; to a list of values for a `many` input; to a number for a parameter."""

Outputs = Sequence[Value]
"""One value per output type of the kind, in the table's order."""


@dataclass(frozen=True)
class ExpertContext:
    """What an expert may use besides its inputs.

    Attributes:
        device: torch's name of the device that a model is loaded to; None: the best one there is.
        offloaded: its weights stay in the processor's memory and move to the device part by part.
        folders: where the files of fetched models lie, by their ids.
    """

    settings: Settings
    controller: Callable[[], "Controller"]
    device: str | None = None
    offloaded: bool = False
    folders: Mapping[str, Path] = field(default_factory=dict)


class Expert(ABC):
    """Runs models of one kind at one endpoint.

    Attributes:
        kind: a name in `CAPABILITIES`; the class's, unless its instances are of different kinds.
        packages: importable names that have to be installed.
        requirement: what pip has to install for them, when that is not their names.
        supports_batching: `run_batch` is quicker than `run` for each element.
        supports_offloading: `load` obeys `ExpertContext.offloaded`.
        needs_large_controller: the embedded controller is too small for it.
        uses_controller: an embedded expert whose answer the controller writes. Another controller is
            another answer, so the catalog names the controller's model in the card's revision.
    """

    kind: str
    endpoint: ClassVar[Endpoint]
    packages: ClassVar[tuple[str, ...]] = ()
    requirement: ClassVar[str] = ""
    supports_batching: ClassVar[bool] = False
    supports_offloading: ClassVar[bool] = False
    needs_large_controller: ClassVar[bool] = False
    uses_controller: ClassVar[bool] = False

    @property
    def pool_key(self) -> str:
        """Names what `load` returns: experts with the same name share a loaded model. Their own, unless they say so."""
        return f"{self.kind} ({self.endpoint})"

    def supports(self, card: ModelCard) -> bool:
        """Whether this expert is the one for a model. One that it declines goes to the next expert of that kind."""
        return True

    def fetch(self, card: ModelCard, context: ExpertContext) -> Weights | None:
        """Bring the model's files here, before room is made for it; None: there are none to bring.

        What they hold decides where the model is loaded to. Without it, that is what the card says.

        Raises:
            ModelLoadError: it cannot be found or trusted, or there is no space for it.
            ExpertUnavailableError: where they come from is busy or out of reach.
        """
        return None

    @abstractmethod
    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        """Load the model. Called once per model, by a thread of the pool.

        An object with `close()` has it called at eviction; one with `bytes` says how much memory it
        takes, which counts instead of what its card says.

        Raises:
            ModelLoadError: it cannot be found, trusted or loaded.
        """

    def for_request(self, model: Any, context: ExpertContext) -> Any:
        """Join the loaded model, which all requests share, with what belongs to one request alone.

        Called at each use; what it returns is the `model` that `run` gets.
        """
        return model

    def prepare(self, inputs: Inputs) -> Any:
        """Turn typed values into what the model takes."""
        return inputs

    @abstractmethod
    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        """Run the model on one element. Obeys the deadline by itself."""

    def run_batch(self, model: Any, prepared: Sequence[Any], deadline: Deadline) -> Sequence[Any]:
        """Run the model on several elements together, their results in the same order.

        If this raises, each element is run alone: so one that cannot be done does not spoil the others.
        """
        return [self.run(model, element, deadline) for element in prepared]

    @abstractmethod
    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """Turn what the model gave into typed values."""
