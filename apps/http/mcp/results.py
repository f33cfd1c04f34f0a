"""What the MCP tools return: a text for the model, and the same as data."""

from typing import Any
from urllib.parse import unquote, urlsplit

from fastmcp.tools.base import ToolResult
from mcp_types import ResourceLink, TextContent

from apps.http.events import Planned, Progress, Standing
from apps.http.mcp.models import Begun, File, Kind, Kinds, Outcome, PlanResult
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.text import counted


def steps_done(progress: Progress) -> int:
    """How many steps have ended."""
    return sum(step["status"] != TaskStatus.PLANNED for step in progress["steps"])


def outcome(standing: Standing) -> Outcome:
    """How a request stands, as data."""
    report: dict[str, Any] = standing["report"] or {}
    return Outcome(
        request_id=standing["request_id"],
        conversation_id=standing["conversation_id"],
        status=str(standing["status"]),
        progress=standing["progress"]["headline"],
        steps_done=steps_done(standing["progress"]),
        steps=[f"{step['name']}: {step['standing']}" for step in standing["progress"]["steps"]],
        answer=report.get("response"),
        error=report.get("error"),
        files=_files(report),
        notes=list(report.get("notes", ())),
    )


def outcome_result(standing: Standing) -> ToolResult:
    """How a request stands, for a host."""
    found = outcome(standing)
    links = [
        ResourceLink(
            type="resource_link", uri=file["uri"], name=file["name"], mime_type=file["mime"], size=file["bytes"]
        )
        for file in found["files"]
    ]
    return ToolResult(
        content=[_text(_said(found)), *links],
        structured_content=dict(found),
        is_error=found["status"] == RequestStatus.FAILED,
    )


def begun_result(request_id: str) -> ToolResult:
    """A request that was submitted."""
    text = f"Submitted as {request_id}. Call `result` with this request_id for the answer."
    return ToolResult(content=[_text(text)], structured_content=dict(Begun(request_id=request_id)))


def plan_result(planned: Planned) -> ToolResult:
    """A plan."""
    whole = planned["whole"]
    found = PlanResult(
        plan=whole["plan"],
        repairs=whole["repairs"],
        obstacles=whole["obstacles"],
        controller=planned["controller"],
    )
    text = planned["text"] if whole["plan"] else "No tasks are needed: the request is answered directly."
    return ToolResult(content=[_text("\n".join([text, *whole["obstacles"]]))], structured_content=dict(found))


def kinds_result(rows: list[dict[str, Any]]) -> ToolResult:
    """The kinds of task, and what they take and make."""
    found = [
        Kind(
            kind=row["kind"],
            inputs=[
                f"{given['name']}{'' if given['required'] else '?'}: {given['type']}{'[]' if given['many'] else ''}"
                for given in row["inputs"]
            ],
            outputs=row["outputs"],
        )
        for row in rows
        if row["runtimes"]
    ]
    lines = [f"{kind['kind']}({', '.join(kind['inputs'])}) -> {', '.join(kind['outputs'])}" for kind in found]
    return ToolResult(content=[_text("\n".join(lines))], structured_content=dict(Kinds(kinds=found)))


def cancel_result(standing: Standing, cancelled: bool) -> ToolResult:
    """A request that was to be stopped."""
    found = outcome(standing)
    text = (
        f"Request {found['request_id']} is cancelled."
        if cancelled
        else f"Request {found['request_id']} had already ended: it is {found['status']}."
    )
    return ToolResult(content=[_text(text)], structured_content=dict(found))


def _files(report: dict[str, Any]) -> list[File]:
    """Each file once, even if several tasks made it."""
    return [
        File(
            name=unquote(urlsplit(file["path"]).path.rpartition("/")[2]),
            mime=file["mime"],
            bytes=file["bytes"],
            uri=f"files://{file['sha256']}",
            url=file["path"],
        )
        for file in {file["sha256"]: file for file in report.get("files", ())}.values()
    ]


def _said(found: Outcome) -> str:
    """An outcome, as the model reads it."""
    name, status = found["request_id"], found["status"]
    if status == RequestStatus.CANCELLED:
        return f"Request {name} was cancelled."
    if status == RequestStatus.FAILED:
        return "\n".join(filter(None, (found["error"] or f"Request {name} failed.", found["answer"])))
    if status in (RequestStatus.COMPLETED, RequestStatus.PARTIAL):
        links = [f"{file['name']}: {file['url']}" for file in found["files"]]
        return "\n".join([found["answer"] or found["error"] or "There is no answer.", *found["notes"], *links])
    steps = f", {found['steps_done']} of {counted(len(found['steps']), 'step')} done" if found["steps"] else ""
    return (
        f"Request {name} is not finished yet ({found['progress']}{steps}). Call `result` with this request_id to wait "
        "for the answer, or `cancel` to stop it."
    )


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
