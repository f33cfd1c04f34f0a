"""Names for the files that a request made, such as `invoice-summary.txt`."""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.plan.origins import Names, origins
from hugginggpt.trace.story import OutputFile, RequestTrace

_OF_EARLIER_TURN = re.compile(r"turn\d+-\d+(?:-\d+)?|turn-\d+-task-\d+(?:-\d+)?")
"""What `hugginggpt.conversation.result_name` gives, without the ending, and what it gave in earlier versions."""


def named_files(story: RequestTrace) -> list[tuple[str, OutputFile]]:
    """Each distinct output with the name that its copy gets: the file it comes from, if it is one, and what it is.

    The names have no ending. Files with the same ending have different names.
    """
    plan = story.plan.tasks if story.plan is not None else ()
    results = {task.id: _result(task.task) for task in plan}
    behind = origins(plan, {resource.name for resource in story.resources})
    names: dict[str, tuple[str, OutputFile]] = {}
    taken: set[tuple[str, str]] = set()
    for file in story.files:
        if file.artifact.sha256 in names:
            continue
        elements = behind[file.task_id]
        base = _name(elements[file.item] if file.item < len(elements) else (), results[file.task_id])
        name, number = base, 1
        while (name, file.artifact.ending) in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add((name, file.artifact.ending))
        names[file.artifact.sha256] = name, file
    return list(names.values())


def stored_places(story: RequestTrace, store: ArtifactStore) -> dict[str, str]:
    """Where each file that a request made is in the store, by its SHA-256."""
    return {file.artifact.sha256: store.address(file.artifact) for file in story.files}


def moved(story: RequestTrace, places: Mapping[str, str], elsewhere: Mapping[str, str]) -> str:
    """The answer of a request, in which the places of its files have become others; empty without an answer.

    Args:
        story: the request.
        places: where the answer says that each file is, by its SHA-256.
        elsewhere: what it is to say instead.
    """
    said = story.response or ""
    for sha256, place in places.items():
        if story.response_source == "form":  # it is JSON
            place = json.dumps(place, ensure_ascii=False)[1:-1]
        said = said.replace(place, elsewhere.get(sha256, sha256[:12]))
    return said


def _result(kind: str) -> str:
    """What the result of a kind is called; its own name if it is no longer installed."""
    return CAPABILITIES[kind].result if kind in CAPABILITIES else kind


def _name(files: Names, result: str) -> str:
    stems = [stem for name in files if not _OF_EARLIER_TURN.fullmatch(stem := PurePosixPath(name).stem)]
    return "-".join([*(stems if len(stems) == 1 else ()), *result.split()])
