"""What the experts on transformers pipelines share: loading one, and running it within a deadline."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar, cast

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ModelLoadError
from hugginggpt.experts.base import Expert, Surroundings

_T = TypeVar("_T")

_deadline: ContextVar[Deadline] = ContextVar("deadline of the running model")


class LoadedPipeline:
    """A transformers pipeline on its device.

    Attributes:
        pipeline: the pipeline itself.
        bytes: memory that its weights take.
    """

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.bytes = sum(tensor.nbytes for tensor in (*pipeline.model.parameters(), *pipeline.model.buffers()))
        self._turn = threading.Lock()
        _check_deadline_in(pipeline.model)

    def run(self, work: Callable[[Any], _T], deadline: Deadline) -> _T:
        """Do some work with the pipeline, alone, stopping it at the deadline.

        Raises:
            DeadlineExceededError: the turn did not come, or the work did not end, in time.
        """
        with deadline.holding(self._turn), self._computing(deadline):
            before = _deadline.set(deadline)
            try:
                return work(self.pipeline)
            finally:
                _deadline.reset(before)

    @contextmanager
    def _computing(self, deadline: Deadline) -> Iterator[None]:
        """On the processor it takes turns with everything else that computes there."""
        if self.pipeline.device.type == "cpu":
            with computing(deadline):
                yield
        else:
            yield


def _check_deadline_in(model: Any) -> None:
    """Have a model look at the deadline before every call and every layer, so also before every generated token."""
    from torch import nn

    def check(module: Any, args: Any) -> None:
        if (deadline := _deadline.get(None)) is not None:
            deadline.check()

    layers = [layer for module in model.modules() if isinstance(module, nn.ModuleList) for layer in module]
    for module in (model, *layers):
        module.register_forward_pre_hook(check)


class PipelineExpert(Expert):
    """An expert whose kind is a transformers pipeline."""

    endpoint = Endpoint.LOCAL
    packages: ClassVar[tuple[str, ...]] = ("transformers", "torch", "safetensors")
    install = "hugginggpt[local]"

    def load(self, card: ModelCard, surroundings: Surroundings) -> LoadedPipeline:
        """Fetch the model's files and make the pipeline of this kind from them."""
        from hugginggpt.experts.device import set_up_torch
        from hugginggpt.experts.local.download import fetch_model, remote_code_refused

        settings = surroundings.settings
        folder = fetch_model(card, settings)
        device = set_up_torch(settings)
        import torch
        from transformers import pipeline

        try:
            made: Any = pipeline(
                cast(Any, self.kind),
                model=str(folder),
                device=device,
                # Half precision is for GPUs; processors compute it slowly where they can at all.
                dtype=torch.float32 if device == "cpu" else "auto",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except ImportError as error:
            raise ModelLoadError(
                f"The model {card.id} needs a package that is not here: {_first_line(error)}"
            ) from error
        except ValueError as error:
            if "trust_remote_code" in str(error):
                raise remote_code_refused(card) from error
            raise
        made_for = made.model.config.architectures or []
        if made_for and type(made.model).__name__ not in made_for:
            # transformers would fill in what is missing with random numbers, and say so in a log at most.
            raise ModelLoadError(
                f"The model {card.id} is a {', '.join(made_for)} and was not trained for {self.kind}: choose another."
            )
        return LoadedPipeline(made)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
