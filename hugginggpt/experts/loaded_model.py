"""A loaded torch model, used by one thread at a time and within a deadline."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline

_Tool = TypeVar("_Tool")
_Result = TypeVar("_Result")

_deadline: ContextVar[Deadline] = ContextVar("deadline of the running model")


class LoadedModel(Generic[_Tool]):
    """A model on its device.

    Args:
        tool: the object that runs it: a pipeline, or a `Network`.
        modules: the torch modules that compute.

    Attributes:
        tool: the argument.
        bytes: the size of its weights in memory.
        device: the type of its device: cpu, cuda or mps.
    """

    def __init__(self, tool: _Tool, modules: Sequence[Any]) -> None:
        self.tool = tool
        tensors = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
        self.bytes: int = sum(tensor.nbytes for tensor in tensors)
        self.device = next((tensor.device.type for tensor in tensors), "cpu")
        self._turn = threading.Lock()
        for module in modules:
            _check_deadline_in(module)

    def run(self, work: Callable[[_Tool], _Result], deadline: Deadline) -> _Result:
        """Use the tool exclusively, and stop at the deadline.

        Raises:
            DeadlineExceededError: the tool was not free, or the work did not end, in time.
        """
        with deadline.holding(self._turn), self._computing(deadline):
            before = _deadline.set(deadline)
            try:
                return work(self.tool)
            finally:
                _deadline.reset(before)

    @contextmanager
    def _computing(self, deadline: Deadline) -> Iterator[None]:
        """On the processor, a model takes turns with everything else that computes there."""
        if self.device == "cpu":
            with computing(deadline):
                yield
        else:
            yield


def _check_deadline_in(model: Any) -> None:
    """Make a model check the deadline before every call and every layer, and so before every generated token."""
    from torch import nn

    def check(module: Any, args: Any) -> None:
        if (deadline := _deadline.get(None)) is not None:
            deadline.check()

    layers = [layer for module in model.modules() if isinstance(module, nn.ModuleList) for layer in module]
    for module in (model, *layers):
        module.register_forward_pre_hook(check)
