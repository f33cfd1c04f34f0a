"""A route of ours on Prefect's server: many artifacts in one request, one transaction and few statements.

Prefect's own route takes one at a time, which costs its server more than everything else that a request makes it do.
The new name and tags of their flow run come along.
Its clients and its server also send two events for each artifact through the server's message bus. Here, the events of
artifacts take that way only while somebody listens; otherwise they go straight to where Prefect's pages read them.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID, uuid4

import sqlalchemy
from fastapi import Depends, FastAPI, HTTPException, status
from prefect.server.database import PrefectDBInterface, provide_database_interface
from prefect.server.events import stream, triggers
from prefect.server.events.clients import PrefectServerEventsClient
from prefect.server.events.schemas.events import Event, ReceivedEvent, RelatedResource, Resource
from prefect.server.events.schemas.lifecycle import (
    artifact_collection_created_event,
    artifact_collection_updated_event,
)
from prefect.server.models.flow_runs import update_flow_run
from prefect.server.schemas.actions import ArtifactCreate, FlowRunUpdate
from prefect.server.schemas.core import Artifact
from prefect.server.utilities.server import PrefectRouter
from prefect.settings import PREFECT_MESSAGING_BROKER, get_current_settings
from prefect.types._datetime import DateTime, now
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from apps.up.recording import write_events
from hugginggpt.environment import ARTIFACTS_PATH

_BUS_OF_THIS_PROCESS = "prefect.server.utilities.messaging.memory"


def take_artifacts_together(application: FastAPI) -> None:
    """Add the route to Prefect's server application."""
    application.api_app.include_router(_router)  # type: ignore[attr-defined]


_router = PrefectRouter(prefix=ARTIFACTS_PATH.rstrip("/"), tags=["HuggingGPT"])


class Changes(BaseModel):
    """Fields of a flow run that change, and no others: Prefect's own route would check some of them."""

    name: str | None = None
    tags: list[str] | None = None


class NewArtifact(ArtifactCreate):
    """An artifact.

    Attributes:
        id: its id. If an artifact has it, its description and content are replaced.
    """

    id: UUID = Field(default_factory=uuid4)


class NewArtifacts(BaseModel):
    """Artifacts of one flow run, each with a key and an id of its own, and changes of the flow run.

    Attributes:
        artifacts: the artifacts.
        related: what the events of their creation are about, besides the artifacts.
        flow_run_id: the flow run that changes.
        changes: its changes.
    """

    artifacts: list[NewArtifact] = []
    related: list[RelatedResource] = []
    flow_run_id: UUID | None = None
    changes: Changes = Changes()


@_router.post("/", status_code=status.HTTP_201_CREATED)
async def create_artifacts(
    new: NewArtifacts,
    db: PrefectDBInterface = Depends(provide_database_interface),  # noqa: B008 - as FastAPI wants it
) -> None:
    """Create artifacts and change their flow run: all of it, or nothing if a part of it cannot be done."""
    moment = cast(DateTime, now("UTC"))
    created = [Artifact(**artifact.model_dump()) for artifact in new.artifacts]
    async with db.session_context(begin_transaction=True) as session:
        if new.flow_run_id is not None:
            changes = FlowRunUpdate(**new.changes.model_dump(exclude_unset=True))
            if not await update_flow_run(session, flow_run_id=new.flow_run_id, flow_run=changes):  # type: ignore[attr-defined]
                # Not 404, which would say that there is no such route.
                raise HTTPException(status.HTTP_409_CONFLICT, "The flow run does not exist.")
        if not created:
            return
        known = await _known(db, session, [one.id for one in new.artifacts if "id" in one.model_fields_set])
        events = await _insert(db, session, created, moment)
        events += [_created(artifact, new.related, moment) for artifact in created if artifact.id not in known]
        received = [event.receive() for event in events]
        if _somebody_listens(received):
            async with PrefectServerEventsClient() as bus:
                for event in events:
                    await bus.emit(event)
        elif get_current_settings().server.services.event_persister.enabled:
            await write_events(session, received)


async def _known(db: PrefectDBInterface, session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Those ids that artifacts have."""
    if not ids:
        return set()
    return set(await session.scalars(sqlalchemy.select(db.Artifact.id).where(db.Artifact.id.in_(ids))))


async def _insert(
    db: PrefectDBInterface, session: AsyncSession, artifacts: Sequence[Artifact], moment: DateTime
) -> list[Event]:
    """Insert or replace artifacts, and make each the latest of its key, as `models.artifacts.create_artifact` does.

    Returns:
        the events of their keys.
    """
    times = {"created": moment, "updated": moment}
    contents = {artifact.id: artifact.model_dump_for_orm(exclude={"id", *times}) for artifact in artifacts}
    latest = {content["key"]: {"latest_id": id_, **content, **times} for id_, content in contents.items()}
    upsert = db.queries.insert(db.ArtifactCollection)
    replaced = {"latest_id", "updated", *contents[artifacts[0].id]} - {"key"}
    await session.execute(
        upsert.on_conflict_do_update(
            index_elements=db.orm.artifact_collection_unique_upsert_columns,
            set_={name: upsert.excluded[name] for name in replaced},
        ),
        list(latest.values()),
    )
    insert = db.queries.insert(db.Artifact)
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=[db.Artifact.id],
            set_={name: insert.excluded[name] for name in ("description", "data", "updated")},
        ),
        [{"id": id_, **content, **times} for id_, content in contents.items()],
    )
    collections = sqlalchemy.select(db.ArtifactCollection).where(db.ArtifactCollection.key.in_(list(latest)))
    return [
        artifact_collection_created_event(collection, moment)
        if collection.created == collection.updated
        else artifact_collection_updated_event(collection, moment)
        for collection in (await session.execute(collections)).scalars()
    ]


def _created(artifact: Artifact, related: Sequence[RelatedResource], moment: DateTime) -> Event:
    """The event that Prefect's client sends when it has created an artifact."""
    about = {"key": artifact.key, "type": artifact.type, "description": artifact.description}
    named = {"prefect.resource.id": f"prefect.artifact.{artifact.id}", "prefect.resource.name": artifact.key}
    return Event(
        id=uuid4(),
        occurred=moment,
        event="prefect.artifact.created",
        resource=Resource.model_validate(named),
        related=list(related),
        payload={name: value for name, value in about.items() if value is not None},
    )


def _somebody_listens(events: Sequence[ReceivedEvent]) -> bool:
    """Whether an automation, the page of an event stream, or another process may be waiting for these events."""
    elsewhere = PREFECT_MESSAGING_BROKER.value() != _BUS_OF_THIS_PROCESS
    filters = [stream.filters[subscriber] for subscriber in stream.subscribers]
    wanted = any(not filter.excludes(event) for filter in filters for event in events)
    return elsewhere or wanted or bool(triggers.automations_by_id)
