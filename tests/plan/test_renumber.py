"""Tasks of a plan with other ids."""

import json

from hugginggpt.plan import parse_plan
from hugginggpt.plan.renumber import renumbered


def test_references_and_order_follow() -> None:
    tasks = [
        {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "a.png"}},
        {"task": "summarization", "id": 1, "dep": [0], "args": {"text": "Short: <GENERATED>-0"}},
        {"task": "text-to-speech", "id": 5, "dep": [1], "args": {"text": ["<GENERATED>-1", "<GENERATED>-0"]}},
    ]
    moved = renumbered(parse_plan(json.dumps(tasks)), keep=[0], first=1)
    assert moved == parse_plan(json.dumps(tasks).replace('"id": 5', '"id": 2'))
    moved = renumbered(parse_plan(json.dumps(tasks)), keep=[0], first=7)
    assert [(task.id, task.dep) for task in moved.tasks] == [(0, ()), (7, (0,)), (8, (0, 7))]
    assert moved.task(8).args == {"text": ["<GENERATED>-7", "<GENERATED>-0"]}
