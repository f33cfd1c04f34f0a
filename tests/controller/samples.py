"""Plans, outcomes and candidates for the tests of the stages."""

import hashlib

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.conversation import result_name
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.models.figures import Figures
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.request import EarlierResult, Exchange
from hugginggpt.resource import Resource
from hugginggpt.results import ItemResult, TaskOutcome, TaskResult, TaskStatus

INVOICE = "ACME Tools Ltd\nInvoice No. 2024-0117\nHammer 2 x 14.50 29.00\nVAT 19% 13.09\nTotal 81.99 EUR"
WAV = "/home/me/artifacts/9f/9fc1d4.wav"


def text_artifact(text: str, kind: ValueType = ValueType.TEXT) -> Artifact:
    data = text.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    return Artifact(sha256=sha256, type=kind, mime="text/plain", bytes=len(data), preview=text)


def sound_artifact() -> Artifact:
    return Artifact(sha256="9f" * 32, type=ValueType.AUDIO, mime="audio/wav", bytes=44)


def resource(name: str, artifact: Artifact) -> Resource:
    return Resource(name=name, artifact=artifact, source=f"/home/me/{name}")


def picture(name: str) -> Resource:
    return resource(name, Artifact(sha256="ab" * 32, type=ValueType.IMAGE, mime="image/png", bytes=9))


def done(task_id: int, kind: str, *outputs: Artifact, model: str = "rapidocr", args: dict | None = None) -> TaskOutcome:
    result = TaskResult(
        task_id=task_id,
        kind=kind,
        items=(ItemResult(outputs=outputs),),
        model=model,
        revision=None,
        endpoint=Endpoint.EMBEDDED,
    )
    return TaskOutcome(
        planned=PlannedTask(task=kind, id=task_id, args=args or {}),
        status=TaskStatus.COMPLETED,
        result=result,
        files={a.sha256: WAV for a in outputs if a.preview is None},
    )


def failed(task_id: int, kind: str, error: str) -> TaskOutcome:
    return TaskOutcome(planned=PlannedTask(task=kind, id=task_id), status=TaskStatus.FAILED, error=error)


def invoice_outcomes() -> list[TaskOutcome]:
    return [
        done(0, "image-to-text", text_artifact(INVOICE), args={"image": "invoice.png"}),
        done(1, "text-to-speech", sound_artifact(), model="espeak-ng", args={"text": "<GENERATED>-0"}),
    ]


def candidate(
    model: str,
    endpoint: Endpoint = Endpoint.LOCAL,
    description: str = "",
    obstacle: str | None = None,
    figures: Figures | None = None,
) -> Candidate:
    card = ModelCard(id=model, kind="text-classification", downloads=10, description=description)
    return Candidate(card=card, endpoint=endpoint, obstacle=obstacle, figures=figures)


ENDINGS = {
    ValueType.TEXT: ".txt", ValueType.STRUCTURED: ".json", ValueType.IMAGE: ".png", ValueType.AUDIO: ".wav",
    ValueType.VIDEO: ".mp4",
}  # fmt: skip


def turn(number: int, text: str, plan: Plan, answer: str = "Here it is.", items: int = 1) -> Exchange:
    """An earlier turn in which every task of the plan made its results, for as many elements."""
    results = [
        EarlierResult(task_id=task.id, item=item, name=result_name(number, task.id, n, ENDINGS[type]), type=type)
        for task in plan.tasks
        for n, (item, type) in enumerate(((i, t) for i in range(items) for t in task.capability.outputs), start=1)
    ]
    return Exchange(text=text, response=answer, plan=plan, results=tuple(results))
