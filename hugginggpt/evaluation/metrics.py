"""The metrics of planning: arithmetic on plans as graphs of names.

`docs/evaluation.md` defines each metric and names its source. Shares are from 0 to 1.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Argument:
    """One argument of a node: a literal, or another node's result.

    Attributes:
        name: the parameter name that it counts as.
        value: the literal; empty for a result.
        source: position in the graph of the node whose result it is.
    """

    name: str
    value: str = ""
    source: int | None = None


@dataclass(frozen=True)
class Node:
    """One task of a plan."""

    task: str
    arguments: tuple[Argument, ...] = ()


Graph = tuple[Node, ...]

Pair = tuple[Graph, Graph]
"""The right plan, and the predicted one."""


class Group(StrEnum):
    """The paper's groups of requests, by the shape of the right plan, and requests that need no task."""

    NONE = "none"
    SINGLE = "single"
    SEQUENCE = "sequence"
    GRAPH = "graph"


def group_of(graph: Graph) -> Group:
    """The group that a plan's shape puts it in."""
    if len(graph) < 2:
        return Group.SINGLE if graph else Group.NONE
    before = [{a.source for a in node.arguments if a.source is not None} for node in graph]
    after = [k for sources in before for k in sources]
    is_chain = sorted(map(len, before)) == [0] + [1] * (len(graph) - 1) and len(set(after)) == len(after)
    return Group.SEQUENCE if is_chain else Group.GRAPH


# What is counted in a plan


def tasks_of(graph: Graph) -> set[Hashable]:
    """The names of its tasks."""
    return {node.task for node in graph}


def edges_of(graph: Graph) -> set[Hashable]:
    """The names of the two tasks of each edge."""
    return {(graph[a.source].task, node.task) for node in graph for a in node.arguments if a.source is not None}


def names_of(graph: Graph) -> set[Hashable]:
    """The names of its parameters, each with its task."""
    return {(node.task, a.name) for node in graph for a in node.arguments}


def values_of(graph: Graph) -> set[Hashable]:
    """Its parameters with their values; a result's value is the name of the task that makes it."""
    return {
        (node.task, a.name, a.value if a.source is None else graph[a.source].task)
        for node in graph
        for a in node.arguments
    }


# How two plans compare


@dataclass(frozen=True)
class Overlap:
    """How many elements the right plans have, how many the predicted plans have, and how many are in both."""

    right: int
    predicted: int
    common: int

    @property
    def precision(self) -> float:
        """Share of the predicted elements that are right; 1 if there was nothing to predict and nothing was."""
        return self.common / self.predicted if self.predicted else float(not self.right)

    @property
    def recall(self) -> float:
        """Share of the right elements that were predicted; 1 if there was nothing to predict and nothing was."""
        return self.common / self.right if self.right else float(not self.predicted)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = self.right + self.predicted
        return 2 * self.common / total if total else 1.0


def overlap(pairs: Iterable[Pair], counted: Callable[[Graph], set[Hashable]]) -> Overlap:
    """The overlap added up over all samples: the basis of micro-averaged scores."""
    sets = [(counted(right), counted(predicted)) for right, predicted in pairs]
    return Overlap(
        right=sum(len(right) for right, _ in sets),
        predicted=sum(len(predicted) for _, predicted in sets),
        common=sum(len(right & predicted) for right, predicted in sets),
    )


def accuracy(pairs: Sequence[Pair]) -> float:
    """Share of samples with exactly the right tasks, counting repeats."""
    return _share(sorted(n.task for n in right) == sorted(n.task for n in predicted) for right, predicted in pairs)


def exact_set_rate(pairs: Sequence[Pair]) -> float:
    """Share of samples with exactly the right set of task names."""
    return _share(tasks_of(right) == tasks_of(predicted) for right, predicted in pairs)


def superfluous_rate(pairs: Sequence[Pair]) -> float:
    """Share of samples whose plan has a task that the right plan does not have, or has it more often."""
    counts = [(Counter(n.task for n in right), Counter(n.task for n in predicted)) for right, predicted in pairs]
    return _share(bool(predicted - right) for right, predicted in counts) if counts else 0.0


def edit_distance(pairs: Sequence[Pair]) -> float:
    """Mean edit distance between the two sequences of task names, divided by the longer length."""
    distances = [
        _levenshtein([n.task for n in right], [n.task for n in predicted]) / max(len(right), len(predicted), 1)
        for right, predicted in pairs
    ]
    return sum(distances) / len(distances) if distances else 0.0


def _levenshtein(one: Sequence[str], other: Sequence[str]) -> int:
    """The fewest insertions, deletions and replacements that turn one into the other."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def _share(outcomes: Iterable[bool]) -> float:
    counted = list(outcomes)
    return sum(counted) / len(counted) if counted else 1.0
