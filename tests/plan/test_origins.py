"""Which files each element of a task comes from."""

from typing import Any

from hugginggpt.plan import PlannedTask
from hugginggpt.plan.notation import read_notation
from hugginggpt.plan.origins import origins

FILES = ("a.png", "b.png", "note.wav", "letter.txt")


def behind(notation: str) -> dict[str, list[tuple[str, ...]]]:
    plan = read_notation(notation)
    return {plan.task(k).task: names for k, names in origins(plan.tasks, FILES).items()}


def test_through_other_tasks() -> None:
    found = behind("a.png > read > summarize > speak")
    assert list(found) == ["image-to-text", "summarization", "text-to-speech"]
    assert all(names == [("a.png",)] for names in found.values())


def test_through_every_argument() -> None:
    found = behind('a.png > ask text=(note.wav > hear)\n"hello" > speak')
    (names,) = found["document-question-answering"]
    assert set(names) == {"a.png", "note.wav"}
    assert found["text-to-speech"] == [()]


def test_element_by_element() -> None:
    found = behind("a.png, b.png > read > translate to=French")
    assert found["translation"] == [("a.png",), ("b.png",)]


def test_a_file_at_the_end_of_an_instruction() -> None:
    def task(**args: Any) -> PlannedTask:
        return PlannedTask(task="text2text-generation", id=0, args=args)

    assert origins([task(text="make it shorter: letter.txt")], FILES) == {0: [("letter.txt",)]}
    assert origins([task(text="write about newsletter.txt.")], FILES) == {0: [()]}


def test_a_kind_that_is_not_installed_comes_from_nowhere() -> None:
    assert origins([PlannedTask(task="gone", id=3, args={"image": "a.png"})], FILES) == {3: [()]}
