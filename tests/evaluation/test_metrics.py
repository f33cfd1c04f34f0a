"""The metrics, against cases worked out by hand and against what has to hold for any plans."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.evaluation.metrics import (
    Argument,
    Graph,
    Group,
    Node,
    Overlap,
    accuracy,
    edges_of,
    edit_distance,
    exact_set_rate,
    group_of,
    names_of,
    overlap,
    superfluous_rate,
    tasks_of,
    values_of,
)


def task(name: str, *arguments: str | int) -> Node:
    """A node; a number is the place of the node whose result it takes."""
    return Node(name, tuple(Argument("x", source=a) if isinstance(a, int) else Argument("x", a) for a in arguments))


READ, SPEAK = task("read", "a.png"), task("speak", 0)
READ_ALOUD: Graph = (READ, SPEAK)


def test_a_missed_and_a_wrong_task_by_hand() -> None:
    # Right: read -> translate -> speak. Predicted: read -> sum up -> speak.
    right = (READ, task("translate", 0), task("speak", 1))
    predicted = (READ, task("sum up", 0), task("speak", 1))
    pairs = [(right, predicted)]
    # Tasks: 3 and 3, common read and speak: P = R = F1 = 2/3.
    assert overlap(pairs, tasks_of) == Overlap(right=3, predicted=3, common=2)
    assert overlap(pairs, tasks_of).f1 == pytest.approx(2 / 3)
    # Edges: read-translate, translate-speak; read-sum up, sum up-speak: none in common.
    assert overlap(pairs, edges_of) == Overlap(2, 2, 0)
    # Names: each task has one, and (read, x) and (speak, x) are common.
    assert overlap(pairs, names_of) == Overlap(3, 3, 2)
    # Values: only (read, x, a.png); speak takes the result of another task.
    assert overlap(pairs, values_of) == Overlap(3, 3, 1)
    # One replacement in sequences of three.
    assert edit_distance(pairs) == pytest.approx(1 / 3)


def test_scores_are_micro_averaged_by_hand() -> None:
    pairs = [(READ_ALOUD, READ_ALOUD), ((READ,), (SPEAK_ALONE, task("draw", "a cat"), task("sing", "a song")))]
    # Common 2 of 2 and 2, then 0 of 1 and 3: P = 2/5, R = 2/3, F1 = 2 * 2 / (3 + 5) = 1/2.
    tasks = overlap(pairs, tasks_of)
    assert (tasks.precision, tasks.recall, tasks.f1) == (pytest.approx(2 / 5), pytest.approx(2 / 3), 0.5)


SPEAK_ALONE = task("speak", "Hello")


def test_a_task_that_occurs_twice_counts_once_in_the_sets_and_twice_in_the_accuracy_by_hand() -> None:
    right = (task("draw", "a cat"), task("draw", "a dog"))
    pairs = [(right, (task("draw", "a cat"),))]
    assert overlap(pairs, tasks_of) == Overlap(1, 1, 1)
    assert overlap(pairs, values_of) == Overlap(2, 1, 1)
    assert (exact_set_rate(pairs), accuracy(pairs)) == (1.0, 0.0)
    # One of two is to be inserted.
    assert edit_distance(pairs) == 0.5


def test_a_task_too_many_is_superfluous_also_one_that_is_there_twice_by_hand() -> None:
    plans = [(SPEAK_ALONE,), (SPEAK_ALONE, SPEAK_ALONE), (), (SPEAK_ALONE, READ)]
    assert superfluous_rate([((SPEAK_ALONE,), plan) for plan in plans]) == 0.5
    assert superfluous_rate([]) == 0.0


def test_the_order_of_tasks_is_for_the_edit_distance_alone_by_hand() -> None:
    pairs = [((task("a"), task("b"), task("c")), (task("c"), task("a"), task("b")))]
    assert (accuracy(pairs), overlap(pairs, tasks_of).f1) == (1.0, 1.0)
    # c at the front is inserted, c at the end deleted: 2 edits for 3 names.
    assert edit_distance(pairs) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("one", "other", "edits", "longer"),
    [
        ("kitten", "sitting", 3, 7),  # k to s, e to i, and a g
        ("flaw", "lawn", 2, 4),  # without f, and an n
        ("", "abc", 3, 3),
        ("abc", "abc", 0, 3),
        ("", "", 0, 1),
    ],
)
def test_edit_distances_that_are_known(one: str, other: str, edits: int, longer: int) -> None:
    pair = (tuple(map(task, one)), tuple(map(task, other)))
    assert edit_distance([pair]) == pytest.approx(edits / longer)


@pytest.mark.parametrize(
    ("right", "predicted", "precision", "recall", "f1"),
    [
        (0, 0, 1.0, 1.0, 1.0),
        (2, 0, 0.0, 0.0, 0.0),
        (0, 2, 0.0, 0.0, 0.0),
    ],
)
def test_where_there_is_nothing_to_divide_by(
    right: int, predicted: int, precision: float, recall: float, f1: float
) -> None:
    nothing = Overlap(right, predicted, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (precision, recall, f1)


@pytest.mark.parametrize(
    ("graph", "group"),
    [
        ((), Group.NONE),
        ((READ,), Group.SINGLE),
        (READ_ALOUD, Group.SEQUENCE),
        ((task("speak", 1), READ), Group.SEQUENCE),  # whatever the order in which it is written
        ((READ, task("translate", 0), task("speak", 1)), Group.SEQUENCE),
        ((READ, SPEAK_ALONE), Group.GRAPH),  # two wishes that have nothing to do with each other
        ((READ, task("translate", 0), task("speak", 0)), Group.GRAPH),  # a fan-out
        ((READ, SPEAK_ALONE, task("compare", 0, 1)), Group.GRAPH),
        ((READ, task("sum up", 0), task("translate", 0), task("compare", 1, 2)), Group.GRAPH),  # a diamond
        ((READ, task("compare", 0, 0)), Group.SEQUENCE),  # twice the same result
    ],
)
def test_the_group_is_told_by_the_shape(graph: Graph, group: Group) -> None:
    assert group_of(graph) is group


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes: list[Node] = []
    for place in range(draw(st.integers(0, 5))):
        literal = st.sampled_from(["a.png", "a cat", "Hello"])
        argument: st.SearchStrategy[Any] = st.one_of(literal, st.integers(0, place - 1)) if place else literal
        nodes.append(task(draw(st.sampled_from("abcd")), *draw(st.lists(argument, max_size=2))))
    return tuple(nodes)


pairs_of_graphs = st.lists(st.tuples(graphs(), graphs()), min_size=1, max_size=6)
counted = st.sampled_from([tasks_of, edges_of, names_of, values_of])


@given(st.lists(graphs(), min_size=1, max_size=6), counted)
def test_the_right_plans_are_perfect(plans: list[Graph], parts: Any) -> None:
    pairs = [(plan, plan) for plan in plans]
    found = overlap(pairs, parts)
    assert (found.precision, found.recall, found.f1) == (1.0, 1.0, 1.0)
    assert (accuracy(pairs), exact_set_rate(pairs), edit_distance(pairs)) == (1.0, 1.0, 0.0)


@given(pairs_of_graphs, counted)
def test_swapping_right_and_predicted_swaps_precision_and_recall(pairs: list[tuple[Graph, Graph]], parts: Any) -> None:
    swapped = [(predicted, right) for right, predicted in pairs]
    one, other = overlap(pairs, parts), overlap(swapped, parts)
    assert (one.precision, one.recall, one.f1) == (other.recall, other.precision, other.f1)
    assert edit_distance(pairs) == edit_distance(swapped)


@given(pairs_of_graphs, counted)
def test_scores_are_shares_and_f1_lies_between(pairs: list[tuple[Graph, Graph]], parts: Any) -> None:
    found = overlap(pairs, parts)
    low, high = sorted((found.precision, found.recall))
    assert 0.0 <= low <= found.f1 + 1e-12 <= high + 2e-12 <= 1.0 + 2e-12
    assert 0.0 <= edit_distance(pairs) <= 1.0
    assert accuracy(pairs) <= exact_set_rate(pairs)


@given(pairs_of_graphs, counted)
def test_no_prediction_at_all_scores_what_is_empty(pairs: list[tuple[Graph, Graph]], parts: Any) -> None:
    found = overlap([(right, ()) for right, _ in pairs], parts)
    assert found.f1 == float(not any(parts(right) for right, _ in pairs))


@given(pairs_of_graphs, counted)
def test_more_samples_that_are_right_do_no_harm(pairs: list[tuple[Graph, Graph]], parts: Any) -> None:
    more = [*pairs, *((right, right) for right, _ in pairs)]
    assert overlap(more, parts).f1 >= overlap(pairs, parts).f1 - 1e-12
