"""Plans in JSON: what a controller or a user writes, through the parser and to the inputs of an expert."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from hugginggpt.artifacts import Artifact, ArtifactStore
from hugginggpt.binding import bind, fingerprint, seed_for
from hugginggpt.capabilities import CAPABILITIES, Capability, ValueType
from hugginggpt.errors import HuggingGPTError, PlanError
from hugginggpt.media import Structured, Table, Text
from hugginggpt.models.card import Endpoint
from hugginggpt.plan import Plan, PlannedTask, parse_plan
from hugginggpt.plan.extract import extract_tasks
from hugginggpt.plan.references import references_in, sole_reference
from hugginggpt.resource import Resource
from hugginggpt.resources import Namespace
from hugginggpt.results import ItemResult, TaskResult
from hugginggpt.settings import Settings, get_settings
from tests.fuzz.case import Case
from tests.fuzz.material import CHARACTERS, VALUES, changed, characters, picked, pumped, value

FILES = {
    ValueType.IMAGE: "a.png",
    ValueType.AUDIO: "b.wav",
    ValueType.VIDEO: "c.mp4",
    ValueType.TABLE: "d.csv",
    ValueType.TEXT: "some words",
}
SPELLINGS = (
    "<GENERATED>-{}", "<generated>-{}", "<GENERATED-{}>", "<node-{}>", "<resource>-{}", "< GENERATED > - {}",
    "<GENERATED>{}", "<node>_{}", "<GENERATED>-0{}", "<GENERATED>-{}9999", "<GENERATED>-{}>",
    "see <GENERATED>-{} and more", "<GENERATED>-{0},<GENERATED>-{0}",
    "<GENERATED>-{0}, <GENERATED>-{0} ,<GENERATED>-{0}", "GENERATED-{}", "<GENERATED>--{}",
)  # fmt: skip
SCRAPS = (
    "[", "]", "{", "}", "[{", "}]", "[[", ",", ":", '"', "\\", "\n", " ", "\t", "```", "```json\n", "```\n", "a", "A",
    "0", "1", "<generated>", "<GENERATED>-", "<GENERATED>-0", "<GENERATED>-0,", "<node", "<", ">", "-", "//", "/*",
    "*/", "'", "null", "NaN", "1e999", "-", "<think>", "</think>", '{"task": ', '"args": {',
    '"task": "summarization"', '"text": "x"', "#", "...", "“", "”", "True", "\x00", "\ud800", "\\ud800", "\\u0000",
    "{}", "[]", '{"a":', "(", ")",
)  # fmt: skip
NESTING = (3, 50, 900, 1100, 20_000, 60_000)


def open_area(folder: Path) -> "Plans":
    """Plans, and a store with values for what they refer to."""
    return Plans(folder)


def graph(rng: random.Random, most: int = 10) -> list[dict[str, Any]]:
    """A valid plan over all kinds, with references wherever they fit."""
    tasks: list[dict[str, Any]] = []
    for task_id in range(rng.randint(1, most)):
        capability = CAPABILITIES[rng.choice(sorted(CAPABILITIES))]
        args: dict[str, Any] = {}
        for wanted in capability.inputs:
            sources = [t["id"] for t in tasks if CAPABILITIES[t["task"]].gives(wanted)]
            given = f"<GENERATED>-{rng.choice(sources)}" if sources and rng.random() < 0.7 else FILES[wanted.type]
            if wanted.required or rng.random() < 0.5:
                args[wanted.name] = [given, given] if wanted.many else given
        for name in capability.parameters:
            if rng.random() < 0.2:
                args[name] = rng.choice((1, 0.5) if name in capability.ranges else (1, 7, 0.5, 512))
        tasks.append({"task": capability.kind, "id": task_id, "dep": [-1], "args": args})
    return tasks


def _spoilt(rng: random.Random, tasks: list[dict[str, Any]]) -> list[Any]:
    """A plan with a few things in it that do not belong there."""
    found: list[Any] = [dict(task) for task in tasks]
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.randrange(len(found))
        task = found[at]
        if not isinstance(task, dict):
            continue
        args = dict(task.get("args") or {}) if isinstance(task.get("args"), dict) else {}
        name = rng.choice(sorted(args)) if args else "text"
        task["args"] = args
        match rng.randrange(13):
            case 0:
                args[name] = rng.choice(SPELLINGS).format(rng.choice((0, 1, at, at + 1, 9999, "9" * 400, "1" * 5000)))
            case 1:
                args[name] = [
                    rng.choice(SPELLINGS).format(rng.randrange(4)) for _ in range(rng.choice((0, 1, 2, 100, 1001)))
                ]
            case 2:
                args[name] = _nested(rng, args.get(name))
            case 3:
                args[name] = value(rng)
            case 4:
                args[name] = _odd(rng)
            case 5:
                args[rng.choice(("seed", "steps", "width", "temperature", "max_new_tokens"))] = _odd(rng)
            case 6:
                task["id"] = rng.choice(
                    (0, 1, -1, 9999, 10_000, "task 3", "9" * 400, True, 1e400, 2.5, None, _odd(rng))
                )
            case 7:
                task["dep"] = rng.choice(
                    ([0], [-1, 0, 99], [at], [at + 1], "0,1", {"0": 1}, [[0]], list(range(2000)), _odd(rng))
                )
            case 8:
                task["task"] = rng.choice((value(rng), "tts", str(task.get("task")).upper(), _odd(rng)))
            case 9:
                for key in list(task):
                    if rng.random() < 0.4:
                        task[rng.choice((key.upper(), f" {key} ", f"{key}s", "arguments", "inputs", "depends_on"))] = (
                            task.pop(key)
                        )
            case 10:
                args[rng.choice((name.upper(), "prompt", "img", "input", characters(rng)))] = args.get(name, "x")
            case 11:
                found.insert(at, rng.choice((dict(task), [], "x", None, 7, {})))
            case 12:
                task.pop(rng.choice([*task]), None)
    return found


def _odd(rng: random.Random) -> Any:
    odd: tuple[Any, ...] = (
        None, True, 0, -1, 10**18, 10**400, 1e308, float("nan"), float("inf"), "", [], {}, [[]], {"a": {"b": []}},
        [None], [True, 1], "9" * 5000, "x" * 50_000, ["x"] * 1000, ["x"] * 1001, "\ud800", "a\x00b", "1e400", "0x1f",
        " 12 ", "١٢",
    )  # fmt: skip
    return rng.choice(odd)


def _nested(rng: random.Random, inside: Any) -> Any:
    for _ in range(rng.choice((1, 2, 30, 300))):
        inside = rng.choice(([inside], {"text": inside}))
    return inside


def _bomb(rng: random.Random) -> list[dict[str, Any]]:
    """Tasks that each refer many times to the one before, so that what they stand for grows with every step."""
    wants_text = [c for c in CAPABILITIES.values() if c.input("text") and not c.gives(c.inputs[0])]
    any_text = [c for c in CAPABILITIES.values() if c.inputs[0].type is ValueType.TEXT]
    length, width = rng.choice(
        ((8, 16), (3, 1000), (2, 100), (64, 2), (64, 64), (20, 9), (5, 300), (30, 1000), (4, 40))
    )
    start = rng.choice(("x", ["x"] * width, "y" * 20_000, [f"{n}" for n in range(100)]))
    kinds = rng.choice((wants_text, wants_text, any_text))
    tasks: list[dict[str, Any]] = []
    for task_id in range(length):
        capability: Capability = (
            rng.choice(kinds) if rng.random() < 0.3 or not tasks else CAPABILITIES[tasks[-1]["task"]]
        )
        before = f"<GENERATED>-{rng.choice((task_id - 1, task_id - 1, max(0, task_id - 2), 0))}"
        written: Any = start
        if task_id:
            written = rng.choice(
                (
                    " ".join([before] * width),
                    [before] * width,
                    ",".join([before] * width),
                    [f"{before} {before}"] * width,
                )
            )
        args = {wanted.name: FILES[wanted.type] for wanted in capability.inputs if wanted.required}
        text = next(i.name for i in capability.inputs if i.type is ValueType.TEXT)
        tasks.append({"task": capability.kind, "id": task_id, "dep": [-1], "args": {**args, text: written}})
    return tasks


def _circle(rng: random.Random) -> list[dict[str, Any]]:
    length = rng.choice((1, 2, 3, 64))
    tasks = [
        {
            "task": "summarization",
            "id": n,
            "dep": [rng.randrange(length)],
            "args": {"text": f"<GENERATED>-{(n + 1) % length}"},
        }
        for n in range(length)
    ]
    if rng.random() < 0.5:
        tasks[0]["args"] = {"text": "x"}
    return tasks


def _dressed(rng: random.Random, text: str) -> str:
    """A plan as language models hand it over."""
    match rng.randrange(9):
        case 0:
            return f"Here you are:\n```json\n{text}\n```\nDone."
        case 1:
            return f"<think>{pumped(rng, SCRAPS, 20_000)}</think>\n{text}"
        case 2:
            return f"```{'a' * rng.choice((3, 300, 20_000))}{rng.choice(('', chr(10)))}{text}"
        case 3:
            return text.replace('"', "'")
        case 4:
            return text.replace("}", ",}").replace("]", ",]")
        case 5:
            return json.dumps({rng.choice(("tasks", "plan", "task_nodes", "x")): text})
        case 6:
            return f"\ufeff{text}{rng.choice(CHARACTERS)}"
        case 7:
            return f"{text}\n\n{text}"
        case _:
            return text.replace("[", "[ // first\n", 1)


def _deep(rng: random.Random) -> str:
    opened, closed = rng.choice((("[", "]"), ('{"a":', "}"), ("[{", "}]"), ('[{"task":', "}]"), ('{"args":[', "]}")))
    times = rng.choice(NESTING)
    inside = rng.choice(("", "1", '"x"', '{"task": "summarization", "args": {"text": "x"}}'))
    return opened * times + inside + rng.choice(("", closed * times, closed))


class Plans:
    """Makes texts of plans."""

    def __init__(self, folder: Path) -> None:
        self._settings: Settings = get_settings()
        self._store = ArtifactStore(str(folder / "artifacts"))
        self._values = _stored(self._store)
        self._resources = tuple(
            Resource(name=name, artifact=self._values[type][0], source=f"/somewhere/{name}")
            for type, name in FILES.items()
            if type is not ValueType.TEXT
        )

    def case(self, rng: random.Random) -> Case:
        """A text that may be a plan, and what becomes of it."""
        makers: tuple[tuple[str, int, Callable[[], str]], ...] = (
            ("valid", 2, lambda: json.dumps(graph(rng))),
            ("spoilt", 8, lambda: json.dumps(_spoilt(rng, graph(rng)))),
            ("bomb", 4, lambda: json.dumps(_bomb(rng))),
            ("circle", 1, lambda: json.dumps(_circle(rng))),
            ("dressed", 4, lambda: _dressed(rng, json.dumps(graph(rng, 4), indent=rng.choice((None, 1))))),
            ("changed text", 6, lambda: changed(rng, json.dumps(_spoilt(rng, graph(rng, 4))), SCRAPS)),
            ("pumped", 6, lambda: pumped(rng, SCRAPS)),
            ("pumped inside", 2, lambda: json.dumps(graph(rng, 2)).replace("some words", pumped(rng, SCRAPS, 50_000))),
            ("deep", 2, lambda: _deep(rng)),
            ("scraps", 3, lambda: "".join(rng.choice((*SCRAPS, *VALUES)) for _ in range(rng.randint(1, 40)))),
            ("many tasks", 1, lambda: json.dumps(graph(rng, 4) * rng.choice((20, 400)))),
        )
        how, text = picked(rng, makers)
        match rng.randrange(10):
            case 0:
                return Case(f"extract_tasks of {how}", text, lambda: extract_tasks(text), (PlanError,))
            case 1 | 2 | 3 | 4:
                return Case(f"parse_plan of {how}", text, lambda: _parsed(text), (PlanError,))
            case _:
                return Case(f"parse_plan and bind of {how}", text, lambda: self._bound(text, rng), (HuggingGPTError,))

    def _bound(self, text: str, rng: random.Random) -> None:
        plan = _parsed(text)
        namespace = Namespace(resources=self._resources, wording=text[:20_000], given=True, settings=self._settings)
        for sentence in namespace.problems(plan):
            sentence.encode()
        if not plan.tasks:
            return
        task = rng.choice(plan.tasks)
        upstream = {k: self._result(plan.task(k), rng) for k in task.needs}
        made = fingerprint(task, self._resources, upstream)
        seed_for(task, made)
        most = self._settings.max_text_chars
        bound = bind(task, self._resources, upstream, self._store, max_chars=most)
        assert len(bound.items) <= 10_000, "more than 10,000 items"

    def _result(self, task: PlannedTask, rng: random.Random) -> TaskResult:
        """What a task could have made: one item, or many."""
        count = rng.choice((0, 1, 2, 1000)) if rng.random() < 0.5 else 1
        outputs = tuple(rng.choice(self._values[type]) for type in task.capability.outputs)
        item = ItemResult(outputs=outputs) if rng.random() < 0.9 else ItemResult(error="It broke.")
        return TaskResult(
            task_id=task.id,
            kind=task.task,
            items=(item,) * count,
            is_list=count != 1,
            model="m",
            revision=None,
            endpoint=Endpoint.EMBEDDED,
        )


def _parsed(text: str) -> Plan:
    """The plan, with what its type promises."""
    plan = parse_plan(text)
    done: set[int] = set()
    for task in plan.tasks:
        assert task.id not in done, "an id twice"
        assert set(task.dep) <= done, "a task before one that it waits for"
        assert set(task.needs) <= set(task.dep), "a reference that is no dependency"
        for wanted in task.capability.inputs:
            assert wanted.name in task.args or not wanted.required, "a required argument is missing"
        for name, given in task.args.items():
            into = task.capability.input(name)
            assert into is not None or name in task.capability.parameters, "an argument of no kind's"
            for element in given if isinstance(given, list) else [given]:
                k = sole_reference(element)
                assert k is None or into is None or plan.task(k).capability.gives(into), "an edge of the wrong type"
        done.add(task.id)
    written = plan.to_json()
    written.encode()
    assert "\x00" not in written and "\\u0000" not in written, "a NUL in a plan"
    assert parse_plan(written) == plan.model_copy(update={"repairs": ()}), "another plan when it is read back"
    "\n".join(plan.repairs).encode()
    assert all(references_in(given) or given == given for task in plan.tasks for given in task.args.values()), "NaN"
    return plan


def _stored(store: ArtifactStore) -> dict[ValueType, list[Artifact]]:
    buffer = io.BytesIO()
    PILImage.new("RGB", (2, 2), "red").save(buffer, "PNG")
    return {
        ValueType.TEXT: [store.put(Text(text)) for text in ("a word", "long " * 20_000, "<GENERATED>-0 \x07 中文")],
        ValueType.IMAGE: [store.put_bytes(buffer.getvalue(), ValueType.IMAGE, "image/png")],
        ValueType.AUDIO: [store.put_bytes(_silence(), ValueType.AUDIO, "audio/wav")],
        ValueType.VIDEO: [store.put_bytes(b"\x00\x00\x00\x08ftyp", ValueType.VIDEO, "video/mp4")],
        ValueType.TABLE: [store.put(Table(("a", "b"), (("1", "2"),) * rows)) for rows in (1, 1000)],
        ValueType.STRUCTURED: [store.put(Structured(data)) for data in ([{"label": "a"}], list(range(2000)))],
    }


def _silence() -> bytes:
    import numpy as np
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(80, dtype=np.int16), 8000, format="WAV")
    return buffer.getvalue()
