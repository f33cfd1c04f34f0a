"""The answer to a request as Prefect's pages show it: its files have names, because people cannot open their places."""

from hugginggpt.services import get_store
from hugginggpt.trace.file_names import moved, named_files, stored_places
from hugginggpt.trace.story import RequestTrace


def shown_answer(story: RequestTrace) -> str:
    """The answer of a request, with the names of its files; empty without an answer."""
    return moved(story, stored_places(story, get_store()), names_of_files(story))


def names_of_files(story: RequestTrace) -> dict[str, str]:
    """The name of each file that a request made, by its SHA-256."""
    return {file.artifact.sha256: name + file.artifact.ending for name, file in named_files(story)}
