"""The tasks of a plan while it is being read: not yet valid, with repairs and problems."""

from dataclasses import dataclass, field

from hugginggpt.capabilities import Capability, Input
from hugginggpt.plan.limits import MAX_ELEMENTS, refusal
from hugginggpt.plan.model import Argument, Scalar
from hugginggpt.plan.references import references_in, sole_reference


@dataclass
class Draft:
    """A task while it is read.

    Attributes:
        order: ids that `dep` names besides the references.
        unreadable: arguments that were given but could not be read.
    """

    id: int
    capability: Capability
    args: dict[str, Argument] = field(default_factory=dict)
    order: set[int] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)

    @property
    def label(self) -> str:
        """The task's name in a sentence."""
        return f"Task {self.id} ({self.capability.kind})"

    @property
    def needs(self) -> set[int]:
        """Ids of the tasks that its arguments refer to."""
        return {k for value in self.args.values() for k in references_in(value)}


@dataclass
class Drafts:
    """All tasks of a plan by id, with repairs and problems, each a sentence."""

    tasks: dict[int, Draft] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def stop_at_problems(self) -> None:
        """Raise PlanError if there are problems."""
        if self.problems:
            raise refusal(self.problems)

    def is_too_long(self, draft: Draft, name: str, count: int) -> bool:
        """Whether an argument has too many elements, which is noted as a problem."""
        if count > MAX_ELEMENTS:
            draft.unreadable.add(name)
            self.problems.append(
                f"{draft.label} has {count:,} elements in '{name}'; the limit is {MAX_ELEMENTS:,}: split the list."
            )
        return count > MAX_ELEMENTS


def argument_of(wanted: Input, texts: list[Scalar], listed: bool) -> Argument:
    """An argument from its elements. An input that takes many may be written as one text, separated by commas."""
    if not listed and not (wanted.many and sole_reference(texts[0]) is None):
        return texts[0]
    if wanted.many and len(texts) == 1:
        return [part.strip() for part in str(texts[0]).split(",") if part.strip()]
    return texts


def count_of(value: Argument | None) -> int:
    """How many elements an argument has."""
    return len(value) if isinstance(value, list) else int(value is not None)
