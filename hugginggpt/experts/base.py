"""The extension point: an expert runs models of one kind at one endpoint.

A package that adds experts needs one module, named by an entry point in the group `hugginggpt.experts`:

- `EXPERTS` lists instances of its `Expert` classes,
- `CARDS`, if there is one, lists the cards of models that the package contains.

The experts of this project are registered the same way. How long an expert may take is the `timeout` of its kind, in
`hugginggpt/capabilities.py`. docs/extending.md has a complete example.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hugginggpt.deadline import Deadline
from hugginggpt.experts.weights import Weights
from hugginggpt.media import Value
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings

if TYPE_CHECKING:
    from hugginggpt.controller.client import Controller

Inputs = Mapping[str, Any]
"""Each argument of the task by name: a `Value`, a list of values for a `many` input, or a number for a parameter."""

Outputs = Sequence[Value]
"""One value for each output of the kind, in the order of its `outputs`."""


class Spending(Protocol):
    """What a request may still spend on experts elsewhere, and what they report that it has spent."""

    def check(self) -> None:
        """Raise if the request has reached its cost ceiling.

        Raises:
            CostCeilingError: this is so.
        """

    def add(self, microdollars: int) -> None:
        """A call has cost this many millionths of a US dollar."""


@dataclass(frozen=True)
class ExpertContext:
    """What an expert may use besides its inputs.

    Attributes:
        settings: the settings of this process.
        controller: returns the controller, which records its calls for the current request.
        device: the device to load the model to, by torch's name; None for the best one available.
        offloaded: keep the weights in the processor's memory and move them to the device part by part.
        folders: the folders with the files of fetched models, by model id.
        spending: asked before each call that may cost money, and told what it has cost; None outside requests.
    """

    settings: Settings
    controller: Callable[[], "Controller"]
    device: str | None = None
    offloaded: bool = False
    folders: Mapping[str, Path] = field(default_factory=dict)
    spending: Spending | None = None


class Expert(ABC):
    """Runs models of one kind at one endpoint: load, prepare, run, render.

    Only `load`, `run` and `render` have to be written.

    Attributes:
        kind: a name in `CAPABILITIES`. Set it in `__init__` if one class serves several kinds.
        endpoint: where the models run.
        packages: importable names of the packages that have to be installed.
        requirement: what to `pip install` for them, if that is not their names; it may begin with an option of pip.
        not_here: what one would need for them to exist, if they do not for this machine or this Python.
        supports_batching: `run_batch` is faster than `run` on each element.
        supports_offloading: `load` obeys `ExpertContext.offloaded`.
        needs_large_controller: the embedded controller is too small for this expert.
        uses_controller: an embedded expert whose answer the controller writes. Another controller gives another
            answer, so the catalog adds the controller's model to the revision of the card.
    """

    kind: str
    endpoint: ClassVar[Endpoint]
    packages: ClassVar[tuple[str, ...]] = ()
    requirement: ClassVar[str] = ""
    not_here: ClassVar[str] = ""
    supports_batching: ClassVar[bool] = False
    supports_offloading: ClassVar[bool] = False
    needs_large_controller: ClassVar[bool] = False
    uses_controller: ClassVar[bool] = False

    @property
    def pool_key(self) -> str:
        """Names what `load` returns. Experts with the same key share a loaded model; by default none does."""
        return f"{self.kind} ({self.endpoint})"

    def supports(self, card: ModelCard) -> bool:
        """Whether this expert can run a model. A model that it declines goes to the next expert for that kind."""
        return True

    def fetch(self, card: ModelCard, context: ExpertContext) -> Weights | None:
        """Download the model's files, before room is made for the model. Return what the weights need, if known.

        The pool chooses the device by the result; without one, by the size in the card.

        Raises:
            ModelLoadError: the model cannot be found or trusted, or there is no space for it.
            ExpertUnavailableError: the place it comes from is busy or out of reach.
        """
        return None

    @abstractmethod
    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        """Load the model. The pool calls this once per model, in a thread of its own.

        If the result has `close()`, it is called at eviction. If it has `bytes`, that is how much memory it takes;
        otherwise the size in the card counts.

        Raises:
            ModelLoadError: the model cannot be found, trusted or loaded.
        """

    def for_request(self, model: Any, context: ExpertContext) -> Any:
        """Combine the loaded model, which all requests share, with what belongs to one request.

        Called at each use. The result is the `model` that `run` gets.
        """
        return model

    def prepare(self, inputs: Inputs) -> Any:
        """Turn the inputs into what the model takes."""
        return inputs

    @abstractmethod
    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        """Run the model on one element. Nobody can interrupt this from outside: check the deadline in between.

        Raises:
            ExpertError: this model cannot do it, and another may; one sentence that says why.
            ExpertUnavailableError: it may succeed later.
            DeadlineExceededError: time is up.
        """

    def run_batch(self, model: Any, prepared: Sequence[Any], deadline: Deadline) -> Sequence[Any]:
        """Run the model on several elements at once. Return the results in the same order.

        If this raises, each element is run alone, so that one bad element does not spoil the others.
        """
        return [self.run(model, element, deadline) for element in prepared]

    @abstractmethod
    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """Turn the model's result into the outputs of the kind."""
